"""How golden tables tell an event: one line with all but its sequence number and its time."""

from exchange_shared.messages import (
    AccountConfirmed,
    AccountOpened,
    AnyEvent,
    ClientLimitsSet,
    ClientSuspended,
    IndicativeChanged,
    MarketClockChanged,
    MarketConfigured,
    MarketStateChanged,
    MarketStateSet,
    MassCancelled,
    NodeFenced,
    OrderAccepted,
    OrderCancelled,
    OrderReduced,
    OrderRejected,
    OrderRepeated,
    OrderReplaced,
    OrderTriggered,
    PriceChanged,
    RequestRejected,
    SecurityListed,
    TradeExecuted,
)
from exchange_shared.units import format_e4
from tests.support.table_operators import limits_text, market_text, terms_text
from tests.support.table_writer import options_text


def describe(event: AnyEvent) -> str:
    """One line that tells everything about an event but its sequence number and its time."""
    match event:
        case AccountOpened():
            return (
                f"opened: {event.client_id} with {format_e4(event.cash_e4)},"
                f" {_holdings(event.holdings)} (execution {event.execution_seq})"
            )
        case AccountConfirmed():
            return (
                f"confirmed: {event.client_id} has {format_e4(event.cash_e4)},"
                f" {_holdings(event.holdings)}"
            )
        case RequestRejected():
            return f"refused: {event.reason}: {event.message}"
        case MassCancelled():
            return f"mass cancelled: {event.count} of {event.client_id}"
        case IndicativeChanged():
            return (
                f"{event.security_id} indicative {_price(event.price_e4)} x{event.quantity},"
                f" surplus {event.surplus}"
            )
        case PriceChanged():
            return (
                f"{event.security_id} {_price(event.bid_e4)} x{event.bid_quantity}"
                f" / {_price(event.ask_e4)} x{event.ask_quantity}, last {_price(event.last_e4)}"
            )
    return _describe_operators(event) or _describe_orders(event)


def _describe_operators(event: AnyEvent) -> str | None:
    match event:
        case MarketConfigured():
            return (
                f"configured: balance {format_e4(event.initial_balance_e4)},"
                f" fees {event.maker_fee_ppm} and {event.taker_fee_ppm} ppm{market_text(event)}"
            )
        case MarketClockChanged():
            return (
                f"the clock is at {event.clock_us} ({event.reason}), {event.held_back_us} held back"
            )
        case NodeFenced():
            return f"node {event.node} is fenced: ids are above {event.request_id}"
        case SecurityListed():
            state = "" if event.state == "continuous" else f", {_state(event)}"
            return (
                f"listed: {event.security_id}, tick {format_e4(event.tick_e4)},"
                f" reference {format_e4(event.reference_price_e4)}, grant {event.granted_quantity}"
                f"{terms_text(event)}{state}"
            )
        case ClientLimitsSet():
            return f"limits of {event.client_id}:{limits_text(event) or ' none of its own'}"
        case ClientSuspended():
            switched = "suspended" if event.suspended else "not suspended"
            return f"{event.client_id} is {switched}, {event.count} cancelled"
        case MarketStateChanged():
            until = "" if event.until_us is None else f" until {event.until_us}"
            return (
                f"{event.security_id} is {_state(event)}{until} ({event.reason}),"
                f" reference {format_e4(event.reference_price_e4)}"
            )
        case MarketStateSet():
            return f"state set of {event.count}"
    return None


def _describe_orders(event: AnyEvent) -> str:
    match event:
        case OrderAccepted():
            named = f" named {event.client_order_id}" if event.client_order_id else ""
            return (
                f"#{event.order_id} accepted: {event.client_id} {event.side} {event.quantity}"
                f" {event.security_id} {event.order_type} {_price(event.price_e4)}"
                f" {event.time_in_force}{options_text(event)}{named},"
                f" holds {format_e4(event.unit_hold_e4)} each"
            )
        case OrderRejected():
            return f"#{event.order_id} refused: {event.reason}: {event.message}"
        case OrderRepeated():
            return (
                f"repeated: {event.client_order_id} is #{event.order_id}, {event.status},"
                f" filled {event.filled_quantity} for {format_e4(event.notional_e4)},"
                f" open {event.remaining_quantity}"
                f" of {event.quantity} at {_price(event.price_e4)}"
            )
        case TradeExecuted():
            return _describe_trade(event)
        case OrderCancelled():
            return f"#{event.order_id} cancelled: {event.quantity} left, {event.reason}"
        case OrderTriggered():
            return f"#{event.order_id} triggered: last {format_e4(event.last_e4)}"
        case OrderReplaced():
            place = "keeps" if event.kept_priority else "loses"
            return (
                f"#{event.order_id} replaced: {event.quantity} at {format_e4(event.price_e4)},"
                f" filled for {_price(event.notional_e4)}, open {event.remaining_quantity},"
                f" holds {format_e4(event.unit_hold_e4)} each, {place} its place"
            )
        case OrderReduced():
            return (
                f"#{event.order_id} reduced: by {event.quantity}, open {event.remaining_quantity}"
            )
    raise AssertionError(f"no text for {event}")


def _describe_trade(event: TradeExecuted) -> str:
    taker = "in an auction" if event.aggressor_side is None else f"{event.aggressor_side} takes"
    return (
        f"trade {event.trade_id}: {event.quantity} {event.security_id}"
        f" at {format_e4(event.price_e4)},"
        f" {event.buyer_id} #{event.buy_order_id} buys"
        f" from {event.seller_id} #{event.sell_order_id},"
        f" {taker}, fees {format_e4(event.buyer_fee_e4)}"
        f" and {format_e4(event.seller_fee_e4)},"
        f" filled {event.buy_filled_quantity} and {event.sell_filled_quantity},"
        f" open {event.buy_remaining_quantity} and {event.sell_remaining_quantity}"
        f" (execution {event.execution_seq})"
    )


def _state(event: SecurityListed | MarketStateChanged) -> str:
    if event.auction is None:
        return event.state
    article = "an" if event.auction == "opening" else "a"
    return f"in {article} {event.auction} auction"


def _price(price_e4: int | None) -> str:
    return "-" if price_e4 is None else format_e4(price_e4)


def _holdings(holdings: dict[str, int]) -> str:
    return ", ".join(f"{quantity} {name}" for name, quantity in holdings.items()) or "no shares"
