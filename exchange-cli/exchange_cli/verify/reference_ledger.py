"""A ledger that is obviously right: one step after the other, nothing clever."""

from exchange_shared.messages import (
    AccountFunded,
    AccountOpened,
    AnyExecution,
    AnySettlement,
    TradeExecuted,
    TradeSettled,
)

CASH = "cash"
FEES = "house:fees"
BANK = "house:settlement_bank"
ISSUER = "house:issuer"


class ReferenceLedger:
    """Who has how much of what, by owner and asset ("cash" or a security).

    `balances` has every account that was ever used, and the cash of all `clients`.
    """

    def __init__(self) -> None:
        self.balances: dict[tuple[str, str], int] = {}
        self.clients: set[str] = set()

    def holds(self, owner: str, asset: str) -> int:
        """How much of an asset somebody has; below zero: owes."""
        return self.balances.get((owner, asset), 0)

    def book(self, execution: AnyExecution) -> AnySettlement:
        """Book an execution; returns the settlement report that it must have, at time 0."""
        if isinstance(execution, AccountOpened):
            return self._open(execution)
        return self._settle(execution)

    def _move(self, giver: str, taker: str, asset: str, amount: int) -> None:
        if amount:
            self.balances[giver, asset] = self.holds(giver, asset) - amount
            self.balances[taker, asset] = self.holds(taker, asset) + amount

    def _open(self, opened: AccountOpened) -> AccountFunded:
        self.clients.add(opened.client_id)
        self.balances[opened.client_id, CASH] = 0
        self._move(BANK, opened.client_id, CASH, opened.cash_e4)
        for security_id, quantity in opened.holdings.items():
            self._move(ISSUER, opened.client_id, security_id, quantity)
        return AccountFunded(
            time_us=0,
            execution_seq=opened.execution_seq,
            client_id=opened.client_id,
            cash_e4=opened.cash_e4,
            holdings=opened.holdings,
        )

    def _settle(self, trade: TradeExecuted) -> TradeSettled:
        buyer, seller, security_id = trade.buyer_id, trade.seller_id, trade.security_id
        self._move(buyer, seller, CASH, trade.price_e4 * trade.quantity)
        self._move(seller, buyer, security_id, trade.quantity)
        self._move(buyer, FEES, CASH, trade.buyer_fee_e4)
        self._move(seller, FEES, CASH, trade.seller_fee_e4)
        return TradeSettled(
            time_us=0,
            execution_seq=trade.execution_seq,
            trade_id=trade.trade_id,
            security_id=security_id,
            price_e4=trade.price_e4,
            quantity=trade.quantity,
            buy_order_id=trade.buy_order_id,
            sell_order_id=trade.sell_order_id,
            buyer_id=buyer,
            seller_id=seller,
            buyer_fee_e4=trade.buyer_fee_e4,
            seller_fee_e4=trade.seller_fee_e4,
            buyer_cash_e4=self.holds(buyer, CASH),
            seller_cash_e4=self.holds(seller, CASH),
            buyer_shares=self.holds(buyer, security_id),
            seller_shares=self.holds(seller, security_id),
        )

    def non_zero(self) -> dict[tuple[str, str], int]:
        """Every balance that is not zero."""
        return {key: balance for key, balance in self.balances.items() if balance}
