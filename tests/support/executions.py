"""Executions as the matching engine would ask for them."""

import itertools
from collections.abc import Mapping

from exchange_shared.messages import AccountOpened, AnyExecution, TradeExecuted, encode_batch

ENGINE = "matching-engine"


class ExecutionLog:
    """Makes executions with the next number."""

    def __init__(self, after_seq: int = 0) -> None:
        self._seqs = itertools.count(after_seq + 1)

    def opened(
        self, client_id: str, cash_e4: int = 100_000_000, holdings: Mapping[str, int] | None = None
    ) -> AccountOpened:
        """A new account, with 10,000.00 and 100 shares of MSFT when nothing else is said."""
        seq = next(self._seqs)
        return AccountOpened(
            seq=10 * seq,
            time_us=1_000 + seq,
            execution_seq=seq,
            request_id=seq,
            client_id=client_id,
            api_key_hash=f"hash of {client_id}",
            cash_e4=cash_e4,
            holdings={"MSFT": 100} if holdings is None else dict(holdings),
        )

    def traded(
        self,
        buyer_id: str,
        seller_id: str,
        quantity: int = 2,
        price_e4: int = 4_200_000,
        security_id: str = "MSFT",
        buyer_fee_e4: int = 0,
        seller_fee_e4: int = 0,
    ) -> TradeExecuted:
        """A trade of 2 MSFT at 420.00 when nothing else is said."""
        seq = next(self._seqs)
        return TradeExecuted(
            seq=10 * seq,
            time_us=1_000 + seq,
            execution_seq=seq,
            trade_id=1_000 + seq,
            security_id=security_id,
            price_e4=price_e4,
            quantity=quantity,
            aggressor_side="buy",
            buy_order_id=2_000 + seq,
            sell_order_id=3_000 + seq,
            buyer_id=buyer_id,
            seller_id=seller_id,
            buyer_fee_e4=buyer_fee_e4,
            seller_fee_e4=seller_fee_e4,
            buy_remaining_quantity=0,
            sell_remaining_quantity=5,
        )


def message(*executions: AnyExecution) -> bytes:
    """The message in which the engine publishes these executions."""
    return encode_batch(ENGINE, executions[0].execution_seq, executions)
