"""Hand-made events of the engine, numbered as it numbers them, for what the feed makes of them."""

from typing import Any, TypeVar

from exchange_shared.auth import hash_api_key
from exchange_shared.messages import (
    AccountOpened,
    AnyFeedRecord,
    AuctionKind,
    CancelReason,
    Event,
    IndicativeChanged,
    MarketState,
    MarketStateChanged,
    OrderAccepted,
    OrderCancelled,
    PriceChanged,
    SecurityListed,
    Side,
    TradeExecuted,
)
from market_data_feed.projections import Projections
from tests.support.running_feed import key_of

CASH_E4 = 100_000_000
REFERENCE_E4 = 1_000_000

Best = tuple[int, int]
"""A best price and its quantity."""

_E = TypeVar("_E", bound=Event)


class EventMaker:
    """Makes events about one security, MSFT, one millisecond apart; `events` has all of them."""

    def __init__(self) -> None:
        self.events: list[AnyFeedRecord] = []
        self._open: dict[int, int] = {}
        self._filled: dict[int, int] = {}
        self._executions = 0
        self._trades = 0

    @property
    def seq(self) -> int:
        """The number of the latest event."""
        return len(self.events)

    def made(self, kind: type[_E], **fields: Any) -> _E:
        """The next event, of any kind."""
        number = self.seq + 1
        event = kind(seq=number, time_us=number * 1_000, **fields)
        self.events.append(event)  # type: ignore[arg-type]  # every kind is one of them
        return event

    def listed(self, **terms: Any) -> SecurityListed:
        """MSFT is listed, with the tick 0.01 and a grant of 100 unless the terms are others."""
        usual = {"tick_e4": 100, "reference_price_e4": REFERENCE_E4, "granted_quantity": 100}
        return self.made(SecurityListed, request_id=1, security_id="MSFT", **(usual | terms))

    def opened(self, client_id: str, shares: int = 100) -> AccountOpened:
        """An account with 10,000.00 and shares."""
        self._executions += 1
        return self.made(
            AccountOpened,
            execution_seq=self._executions,
            request_id=2,
            client_id=client_id,
            api_key_hash=hash_api_key(key_of(client_id)),
            cash_e4=CASH_E4,
            holdings={"MSFT": shares} if shares else {},
        )

    def accepted(
        self, client_id: str, side: Side, quantity: int, price_e4: int | None, **more: Any
    ) -> OrderAccepted:
        """A limit or market order; it holds its price, without fees."""
        usual = {
            "order_id": 100 + self.seq,
            "order_type": "market" if price_e4 is None else "limit",
            "time_in_force": "gtc",
            "client_order_id": None,
            "unit_hold_e4": (price_e4 or 0) if side == "buy" else 0,
        }
        event = self.made(
            OrderAccepted,
            client_id=client_id,
            security_id="MSFT",
            side=side,
            quantity=quantity,
            price_e4=price_e4,
            **(usual | more),
        )
        self._open[event.order_id] = quantity
        self._filled[event.order_id] = 0
        return event

    def traded(
        self,
        buy: OrderAccepted,
        sell: OrderAccepted,
        quantity: int,
        price_e4: int,
        aggressor_side: Side | None = None,
        *,
        buyer_fee_e4: int = 0,
        seller_fee_e4: int = 0,
    ) -> TradeExecuted:
        """Two orders traded: in an auction, unless one is the aggressor."""
        for order in (buy, sell):
            self._open[order.order_id] -= quantity
            self._filled[order.order_id] += quantity
        self._executions += 1
        self._trades += 1
        return self.made(
            TradeExecuted,
            execution_seq=self._executions,
            trade_id=self._trades,
            security_id="MSFT",
            price_e4=price_e4,
            quantity=quantity,
            aggressor_side=aggressor_side,
            buy_order_id=buy.order_id,
            sell_order_id=sell.order_id,
            buyer_id=buy.client_id,
            seller_id=sell.client_id,
            buyer_fee_e4=buyer_fee_e4,
            seller_fee_e4=seller_fee_e4,
            buy_remaining_quantity=self._open[buy.order_id],
            sell_remaining_quantity=self._open[sell.order_id],
            buy_filled_quantity=self._filled[buy.order_id],
            sell_filled_quantity=self._filled[sell.order_id],
        )

    def cancelled(self, order: OrderAccepted, reason: CancelReason) -> OrderCancelled:
        """What was open of an order is taken out."""
        return self.made(
            OrderCancelled,
            order_id=order.order_id,
            client_id=order.client_id,
            security_id="MSFT",
            quantity=self._open.pop(order.order_id),
            reason=reason,
        )

    def state(
        self,
        state: MarketState,
        auction: AuctionKind | None = None,
        until_us: int | None = None,
        reference_price_e4: int = REFERENCE_E4,
    ) -> MarketStateChanged:
        """MSFT is in another state."""
        return self.made(
            MarketStateChanged,
            security_id="MSFT",
            state=state,
            auction=auction,
            until_us=until_us,
            reason="operator",
            reference_price_e4=reference_price_e4,
        )

    def indicative(self, price_e4: int | None, quantity: int, surplus: int) -> IndicativeChanged:
        """The auction in MSFT would do something else."""
        return self.made(
            IndicativeChanged,
            security_id="MSFT",
            price_e4=price_e4,
            quantity=quantity,
            surplus=surplus,
        )

    def price(self, bid: Best | None, ask: Best | None, last_e4: int | None) -> PriceChanged:
        """The best prices or the last price of MSFT changed."""
        bid_e4, bid_quantity = bid or (None, 0)
        ask_e4, ask_quantity = ask or (None, 0)
        return self.made(
            PriceChanged,
            security_id="MSFT",
            bid_e4=bid_e4,
            bid_quantity=bid_quantity,
            ask_e4=ask_e4,
            ask_quantity=ask_quantity,
            last_e4=last_e4,
        )

    def projected(self) -> Projections:
        """What a feed knows after all the events."""
        projections = Projections()
        for event in self.events:
            projections.apply(event)
        return projections
