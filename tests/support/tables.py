"""Golden tables: one command a line, and below it, indented, every event that it causes.

    list MSFT tick 0.01 reference 100.00 grant 100
    open alice
    alice buys 10 MSFT at 100.00 named first
    alice sells 5 MSFT at market
    alice buys 5 MSFT at 100.00 ioc
    alice buys 50 MSFT at 100.00 display 5 stp cancel_oldest until 500
    alice buys 5 MSFT at 100.00 day post_only hidden
    alice sells 5 MSFT at market stop 99.00 group one
    alice sells 5 MSFT at 99.50 stop 99.00 group one
    alice sells 5 MSFT at market trail 1.50
    alice buys 5 MSFT at market trail 2%
    alice replaces #1 quantity 5 price 100.01
    alice cancels #1
    alice cancels all MSFT buys
    tick 500

Orders are numbered from 1 in the order in which they stand in the table, unless `id 7` says
otherwise. Each command comes one microsecond after the one before, a `tick` at its own time, and
any other command at the time that `at_time 400` at its end says. `until` makes an order `gtd`.
Lines that begin with a hash and a blank are comments.
"""

from exchange_shared.messages import (
    AccountConfirmed,
    AccountOpened,
    AnyEvent,
    MarketConfigured,
    MassCancelled,
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
from matching_engine.core import Exchange
from tests.support.table_commands import CommandReader, options_text


def run_table(table: str) -> str:
    """The table with its commands run on a new exchange, and the events that they really cause."""
    exchange = Exchange()
    reader = CommandReader()
    lines: list[str] = []
    for line in table.splitlines():
        if line.startswith("    "):
            continue
        lines.append(line)
        if not line.strip() or line.startswith("# "):
            continue
        seq = exchange.seq
        events = exchange.apply(reader.command(line))
        assert [event.seq for event in events] == list(range(seq + 1, seq + 1 + len(events)))
        exchange.check_invariants()
        lines += [f"    {describe(event)}" for event in events]
    return "\n".join(lines) + "\n"


def _price(price_e4: int | None) -> str:
    return "-" if price_e4 is None else format_e4(price_e4)


def _holdings(holdings: dict[str, int]) -> str:
    return ", ".join(f"{quantity} {name}" for name, quantity in holdings.items()) or "no shares"


def describe(event: AnyEvent) -> str:
    """One line that tells everything about an event but its sequence number and its time."""
    match event:
        case MarketConfigured():
            return (
                f"configured: balance {format_e4(event.initial_balance_e4)},"
                f" fees {event.maker_fee_ppm} and {event.taker_fee_ppm} ppm"
            )
        case SecurityListed():
            return (
                f"listed: {event.security_id}, tick {format_e4(event.tick_e4)},"
                f" reference {format_e4(event.reference_price_e4)}, grant {event.granted_quantity}"
            )
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
            )
        case TradeExecuted():
            return (
                f"trade {event.trade_id}: {event.quantity} {event.security_id}"
                f" at {format_e4(event.price_e4)},"
                f" {event.buyer_id} #{event.buy_order_id} buys"
                f" from {event.seller_id} #{event.sell_order_id},"
                f" {event.aggressor_side} takes, fees {format_e4(event.buyer_fee_e4)}"
                f" and {format_e4(event.seller_fee_e4)}, open {event.buy_remaining_quantity}"
                f" and {event.sell_remaining_quantity} (execution {event.execution_seq})"
            )
        case OrderCancelled():
            return f"#{event.order_id} cancelled: {event.quantity} left, {event.reason}"
        case OrderTriggered():
            return f"#{event.order_id} triggered: last {format_e4(event.last_e4)}"
        case OrderReplaced():
            place = "keeps" if event.kept_priority else "loses"
            return (
                f"#{event.order_id} replaced: {event.quantity} at {format_e4(event.price_e4)},"
                f" open {event.remaining_quantity}, holds {format_e4(event.unit_hold_e4)} each,"
                f" {place} its place"
            )
        case OrderReduced():
            return (
                f"#{event.order_id} reduced: by {event.quantity}, open {event.remaining_quantity}"
            )
        case MassCancelled():
            return f"mass cancelled: {event.count} of {event.client_id}"
        case PriceChanged():
            return (
                f"{event.security_id} {_price(event.bid_e4)} x{event.bid_quantity}"
                f" / {_price(event.ask_e4)} x{event.ask_quantity}, last {_price(event.last_e4)}"
            )
