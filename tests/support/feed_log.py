"""What the feed reads, written by a test: a tiny clearinghouse, and the log itself."""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from exchange_shared.bus import DATA_FEED, Bus
from exchange_shared.messages import (
    AccountFunded,
    AccountOpened,
    AnyFeedRecord,
    TradeExecuted,
    TradeSettled,
    encode_batch,
)

ENGINE = "matching-engine"
CLEARINGHOUSE = "clearinghouse"
GATEWAY = "gateway-of-the-test"


@dataclasses.dataclass
class Clearing:
    """Settles executions at once; `settle` returns the report of each."""

    cash_e4: dict[str, int] = dataclasses.field(default_factory=dict)
    shares: dict[tuple[str, str], int] = dataclasses.field(default_factory=dict)

    def settle(self, events: Iterable[AnyFeedRecord]) -> list[AccountFunded | TradeSettled]:
        """The reports of the executions among these events."""
        reports: list[AccountFunded | TradeSettled] = []
        for event in events:
            if isinstance(event, AccountOpened):
                reports.append(self._fund(event))
            elif isinstance(event, TradeExecuted):
                reports.append(self._trade(event))
        return reports

    def _fund(self, event: AccountOpened) -> AccountFunded:
        self.cash_e4[event.client_id] = event.cash_e4
        for security_id, quantity in event.holdings.items():
            self.shares[event.client_id, security_id] = quantity
        return AccountFunded(
            time_us=event.time_us + 1_000,
            execution_seq=event.execution_seq,
            client_id=event.client_id,
            cash_e4=event.cash_e4,
            holdings=event.holdings,
        )

    def _trade(self, event: TradeExecuted) -> TradeSettled:
        notional_e4 = event.price_e4 * event.quantity
        self.cash_e4[event.buyer_id] -= notional_e4 + event.buyer_fee_e4
        self.cash_e4[event.seller_id] += notional_e4 - event.seller_fee_e4
        bought, sold = (event.buyer_id, event.security_id), (event.seller_id, event.security_id)
        self.shares[bought] = self.shares.get(bought, 0) + event.quantity
        self.shares[sold] = self.shares.get(sold, 0) - event.quantity
        return TradeSettled(
            time_us=event.time_us + 1_000,
            execution_seq=event.execution_seq,
            trade_id=event.trade_id,
            security_id=event.security_id,
            price_e4=event.price_e4,
            quantity=event.quantity,
            buy_order_id=event.buy_order_id,
            sell_order_id=event.sell_order_id,
            buyer_id=event.buyer_id,
            seller_id=event.seller_id,
            buyer_fee_e4=event.buyer_fee_e4,
            seller_fee_e4=event.seller_fee_e4,
            buyer_cash_e4=self.cash_e4[event.buyer_id],
            seller_cash_e4=self.cash_e4[event.seller_id],
            buyer_shares=self.shares[bought],
            seller_shares=self.shares[sold],
        )


class FeedLog:
    """Writes `data_feed` as the services do, one message per call.

    Args:
        bus: where to; without one, records are only made.
    """

    def __init__(self, bus: Bus | None = None) -> None:
        self.clearing = Clearing()
        self.records: list[AnyFeedRecord] = []
        """Everything that was published, in the order of the log."""
        self._bus = bus
        self._next: defaultdict[str, int] = defaultdict(lambda: 1)

    async def settle(self, events: Iterable[AnyFeedRecord]) -> None:
        """Settle the executions among these events, and publish the reports."""
        await self.publish(CLEARINGHOUSE, self.clearing.settle(events))

    async def publish(self, source: str, records: Sequence[msgspec.Struct]) -> None:
        """Publish records of a source in one message."""
        if not records:
            return
        body = encode_batch(source, self._next[source], records)
        self._next[source] += len(records)
        self.records += records  # type: ignore[arg-type]  # they are those of data_feed
        assert self._bus is not None, "a log without a bus only makes records"
        await self._bus.publish(DATA_FEED, body)
