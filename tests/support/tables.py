"""Golden tables: one command a line, and below it, indented, every event that it causes.

    list MSFT tick 0.01 reference 100.00 grant 100
    open alice
    alice buys 10 MSFT at 100.00 named first
    alice sells 5 MSFT at market
    alice buys 5 MSFT at 100.00 ioc
    alice cancels #1

Orders are numbered from 1 in the order in which they stand in the table. Lines that begin with a
hash and a blank are comments.
"""

from decimal import Decimal

from exchange_shared.messages import (
    AccountConfirmed,
    AccountOpened,
    AnyCommand,
    AnyEvent,
    CancelOrder,
    ConfigureMarket,
    ListSecurity,
    MarketConfigured,
    NewOrder,
    OpenAccount,
    OrderAccepted,
    OrderCancelled,
    OrderRejected,
    OrderRepeated,
    PriceChanged,
    RequestRejected,
    SecurityListed,
    TradeExecuted,
)
from exchange_shared.units import format_e4, to_e4
from matching_engine.core import Exchange

REQUEST_IDS_FROM = 1_000_000


def run_table(table: str) -> str:
    """The table with its commands run on a new exchange, and the events that they really cause."""
    exchange = Exchange()
    reader = _CommandReader()
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


class _CommandReader:
    def __init__(self) -> None:
        self._orders = 0
        self._requests = REQUEST_IDS_FROM
        self._time_us = 0

    def command(self, line: str) -> AnyCommand:
        words = line.split()
        self._time_us += 1
        self._requests += 1
        if words[0] == "configure":
            return ConfigureMarket(
                time_us=self._time_us,
                request_id=self._requests,
                initial_balance_e4=_e4(words[2]),
                maker_fee_ppm=int(Decimal(words[4]) * 100),
                taker_fee_ppm=int(Decimal(words[6]) * 100),
            )
        if words[0] == "list":
            return ListSecurity(
                time_us=self._time_us,
                request_id=self._requests,
                security_id=words[1],
                tick_e4=_e4(words[3]),
                reference_price_e4=_e4(words[5]),
                granted_quantity=int(words[7]),
            )
        if words[0] == "open":
            key = words[3] if len(words) > 2 else f"key of {words[1]}"
            return OpenAccount(
                time_us=self._time_us,
                request_id=self._requests,
                client_id=words[1],
                api_key_hash=key,
            )
        if words[1] == "cancels":
            return CancelOrder(
                time_us=self._time_us,
                request_id=self._requests,
                client_id=words[0],
                order_id=int(words[2].removeprefix("#")),
            )
        return self._order(words)

    def _order(self, words: list[str]) -> NewOrder:
        client_id, verb, quantity, security_id, _at, price, *options = words
        self._orders += 1
        return NewOrder(
            time_us=self._time_us,
            order_id=self._orders,
            client_id=client_id,
            security_id=security_id,
            side={"buys": "buy", "sells": "sell"}[verb],  # type: ignore[arg-type]
            order_type="market" if price == "market" else "limit",
            quantity=int(quantity),
            price_e4=None if price == "market" else _e4(price),
            time_in_force="ioc" if "ioc" in options else "gtc",
            client_order_id=options[options.index("named") + 1] if "named" in options else None,
        )


def _e4(amount: str) -> int:
    return to_e4(Decimal(amount.replace(",", "")))


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
                f" {event.time_in_force}{named}, holds {format_e4(event.unit_hold_e4)} each"
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
        case PriceChanged():
            return (
                f"{event.security_id} {_price(event.bid_e4)} x{event.bid_quantity}"
                f" / {_price(event.ask_e4)} x{event.ask_quantity}, last {_price(event.last_e4)}"
            )
