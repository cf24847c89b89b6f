"""The market's rules, each checked by itself on the events, one after another."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from exchange_cli.verify.reference_ledger import CASH, ReferenceLedger
from exchange_cli.verify.reference_orders import ReferenceOrder
from exchange_cli.verify.reference_securities import ReferenceSecurities, ReferenceSecurity
from exchange_shared.messages import (
    AccountOpened,
    AnyEvent,
    AuctionKind,
    ClientSuspended,
    MarketConfigured,
    MarketState,
    MarketStateChanged,
    OrderAccepted,
    OrderReplaced,
    PriceChanged,
    TradeExecuted,
)
from exchange_shared.units import PPM

FeeRates = tuple[int, int]
"""Maker and taker rate, in parts per million."""


@dataclass
class ReferenceRules:
    """What is wrong with the events: `problems`, and all that must be known to see it."""

    problems: list[str] = field(default_factory=list)
    _listed: ReferenceSecurities = field(default_factory=ReferenceSecurities)
    _ledger: ReferenceLedger = field(default_factory=ReferenceLedger)
    _suspended: set[str] = field(default_factory=set)
    _rates: FeeRates = (0, 0)
    _rates_of_orders: dict[int, FeeRates] = field(default_factory=dict)
    _band_marks: dict[str, int] = field(default_factory=dict)
    """What the dynamic band of each security is around: its mark before what may make it trade."""

    def apply(self, event: AnyEvent) -> None:
        """Take in the next event."""
        match event:
            case OrderAccepted():
                self._rates_of_orders[event.order_id] = self._rates
                self._note(f"order {event.order_id}", self._wrong_with_order(event))
            case TradeExecuted():
                self._ledger.book(event)
                self._note(f"trade {event.trade_id}", self._wrong_with_trade(event))
            case PriceChanged():
                self._note(f"price {event.seq}", self._wrong_with_price(event))
            case MarketConfigured():
                self._rates = (event.maker_fee_ppm, event.taker_fee_ppm)
            case AccountOpened():
                self._ledger.book(event)
            case ClientSuspended(suspended=True):
                self._suspended.add(event.client_id)
            case ClientSuspended():
                self._suspended.discard(event.client_id)
        self._listed.apply(event)
        if isinstance(event, OrderAccepted | OrderReplaced | MarketStateChanged):
            self._band_marks[event.security_id] = self.securities[event.security_id].mark_e4

    @property
    def securities(self) -> dict[str, ReferenceSecurity]:
        """What the events say of every listed security."""
        return self._listed.securities

    def _note(self, what: str, problems: Iterator[str]) -> None:
        self.problems += [f"{what} {problem}" for problem in problems]

    def _wrong_with_order(self, order: OrderAccepted) -> Iterator[str]:
        security = self.securities[order.security_id]
        terms, state = security.terms, security.state
        if order.client_id in self._suspended:
            yield f"is of {order.client_id}, who is suspended"
        if state in ("halted", "closed") or not _fits(order, state, security.auction):
            yield f"({order.time_in_force}) was accepted in the state {state}"
        if (
            order.quantity % terms.lot_quantity
            or (order.display_quantity or 0) % terms.lot_quantity
        ):
            yield f"is not in lots of {terms.lot_quantity}"
        if terms.max_order_quantity is not None and order.quantity > terms.max_order_quantity:
            yield f"has more than {terms.max_order_quantity} shares"
        prices = [price for price in (order.price_e4, order.stop_price_e4) if price is not None]
        if any(price_e4 % terms.tick_e4 for price_e4 in prices):
            yield f"has a price off the tick {terms.tick_e4}"
        reference_e4 = security.reference_price_e4
        if order.price_e4 is not None and _outside(
            order.price_e4, reference_e4, terms.static_band_ppm, terms.tick_e4
        ):
            yield f"is outside the static band of {reference_e4}"

    def _wrong_with_trade(self, trade: TradeExecuted) -> Iterator[str]:
        security = self.securities[trade.security_id]
        terms, state = security.terms, security.state
        mark_e4 = self._band_marks[trade.security_id]
        if trade.price_e4 % terms.tick_e4 or trade.quantity % terms.lot_quantity:
            yield "is off the tick or the lot"
        if (state == "continuous") == (trade.aggressor_side is None):
            yield f"has the aggressor {trade.aggressor_side} in the state {state}"
        if trade.aggressor_side and _outside(
            trade.price_e4, mark_e4, terms.dynamic_band_ppm, terms.tick_e4
        ):
            yield f"at {trade.price_e4} is outside the dynamic band of {mark_e4}"
        if (trade.buyer_fee_e4, trade.seller_fee_e4) != self._fees(trade):
            yield f"has not the fees {self._fees(trade)}"
        for client_id in (trade.buyer_id, trade.seller_id):
            if self._ledger.holds(client_id, CASH) < 0:
                yield f"leaves {client_id} owing cash"
        shares = self._ledger.holds(trade.seller_id, trade.security_id)
        if shares < 0 and terms.short_margin_ppm is None:
            yield f"leaves {trade.seller_id} with {shares} {trade.security_id}, which none may owe"

    def _fees(self, trade: TradeExecuted) -> tuple[int, int]:
        """What buyer and seller must pay, by the rates of their orders' acceptance."""
        notional_e4 = trade.price_e4 * trade.quantity
        fees = []
        for order_id, side in ((trade.buy_order_id, "buy"), (trade.sell_order_id, "sell")):
            maker_ppm, taker_ppm = self._rates_of_orders[order_id]
            rate_ppm = taker_ppm if trade.aggressor_side == side else maker_ppm
            if trade.aggressor_side is None:
                rate_ppm = max(maker_ppm, taker_ppm)
            fees.append(round(Fraction(notional_e4 * rate_ppm, PPM)))
        return fees[0], fees[1]

    def _wrong_with_price(self, price: PriceChanged) -> Iterator[str]:
        has_bid, has_ask = price.bid_e4 is not None, price.ask_e4 is not None
        state = self.securities[price.security_id].state
        if state != "continuous" and (has_bid or has_ask):
            yield f"has a bid or ask in the state {state}"
        if price.bid_e4 is not None and price.ask_e4 is not None and price.bid_e4 >= price.ask_e4:
            yield f"has the bid {price.bid_e4} and the ask {price.ask_e4}"

    def wrong_at_rest(self, orders: Iterable[ReferenceOrder]) -> list[str]:
        """What is wrong with the orders that are open after a command."""
        problems = []
        bids: dict[str, int] = {}
        asks: dict[str, int] = {}
        for order in orders:
            accepted, price_e4 = order.accepted, order.price_e4
            security_id = accepted.security_id
            if not order.open_quantity:
                continue
            if accepted.client_id in self._suspended or self._is_over(order):
                problems.append(f"order {accepted.order_id} is still open")
            if price_e4 is None or order.waits or accepted.time_in_force == "cls":
                continue  # outside auctions each open `cls` waits, too
            if accepted.side == "buy":
                bids[security_id] = max(price_e4, bids.get(security_id, price_e4))
            else:
                asks[security_id] = min(price_e4, asks.get(security_id, price_e4))
        for security_id in bids.keys() & asks.keys():
            state = self.securities[security_id].state
            if state == "continuous" and bids[security_id] >= asks[security_id]:
                problems.append(
                    f"{security_id} is bid {bids[security_id]}, asked {asks[security_id]}"
                )
        return problems

    def _is_over(self, order: ReferenceOrder) -> bool:
        """Whether the state of its security leaves no such order."""
        state = self.securities[order.accepted.security_id].state
        time_in_force = order.accepted.time_in_force
        gathers = order.price_e4 is None and not order.waits
        if state == "continuous":
            return time_in_force == "opg" or (gathers and time_in_force != "cls")
        return state == "closed" and (gathers or time_in_force in ("day", "opg", "cls"))


def _fits(order: OrderAccepted, state: MarketState, auction: AuctionKind | None) -> bool:
    """Whether a state takes a new order of this time in force."""
    if order.time_in_force == "opg":
        return state == "pre_open" or auction == "opening"
    return state == "continuous" or order.time_in_force not in ("ioc", "fok")


def _outside(price_e4: int, center_e4: int, band_ppm: int | None, tick_e4: int) -> bool:
    if band_ppm is None:
        return False
    return abs(price_e4 - center_e4) > max(tick_e4, center_e4 * band_ppm // PPM)
