"""The trading rules a second time, written as simply as can be, to compare the engine with.

Nothing is indexed, cached or kept up to date: holds, books, queues and groups are found anew each
time, by looking at every open order. The messages of refusals are left empty.
"""

from typing import Any

from exchange_shared.messages import (
    AnyCommand,
    AnyEvent,
    CancelOrder,
    ClockTick,
    ConfigureMarket,
    ListSecurity,
    MassCancel,
    MassCancelled,
    NewOrder,
    OpenAccount,
    OrderAccepted,
    OrderRejected,
    OrderRepeated,
    OrderReplaced,
    RejectReason,
    ReplaceOrder,
)
from tests.support.naive_accounts import (
    configure_market,
    fields_of,
    list_security,
    open_account,
    reject,
)
from tests.support.naive_market import (
    NaiveMarket,
    NaiveOrder,
)
from tests.support.naive_matching import enter, trade_and_trigger


class NaiveExchange:
    """Applies commands one after the other, like the engine's `Exchange`."""

    def __init__(self) -> None:
        self._market = NaiveMarket()

    def apply(self, command: AnyCommand) -> list[AnyEvent]:
        """Apply the next command; returns the events that it caused."""
        market = self._market
        market.events = []
        market.command_time_us = command.time_us
        market.time_us = max(market.time_us, command.time_us)
        self._expire()
        match command:
            case ConfigureMarket():
                configure_market(market, command)
            case ListSecurity():
                list_security(market, command)
            case OpenAccount():
                open_account(market, command)
            case NewOrder():
                self._new_order(command)
            case ReplaceOrder():
                self._replace_order(command)
            case CancelOrder():
                self._cancel_order(command)
            case MassCancel():
                self._mass_cancel(command)
            case ClockTick():
                pass
        market.publish_prices()
        return market.events

    def _expire(self) -> None:
        due = [
            (expires_us, order.accepted, order)
            for order in self._market.orders
            if (expires_us := order.expires_us()) is not None and expires_us <= self._market.time_us
        ]
        for _, _, order in sorted(due, key=lambda one: one[:2]):
            self._market.cancel(order, "expired")

    def _new_order(self, command: NewOrder) -> None:
        market = self._market
        if market.account(command.client_id) is None:
            self._reject_order(command, "unknown_client")
            return
        first = self._first_of_this_name(command)
        if first is not None:
            if _without_identity(command) == _without_identity(first.request):
                self._repeat(command, first)
            else:
                self._reject_order(command, "client_order_id_reused")
            return
        order = NaiveOrder(
            request=command,
            accepted=market.accepted + 1,
            maker_ppm=market.maker_ppm,
            taker_ppm=market.taker_ppm,
            open=command.quantity,
            price_e4=command.price_e4,
        )
        reason = self._why_not(order)
        if reason is not None:
            self._reject_order(command, reason)
            return
        market.accepted += 1
        market.orders.append(order)
        fields = fields_of(command, OrderAccepted)
        market.publish(OrderAccepted, **fields, unit_hold_e4=order.unit_hold_e4())
        enter(market, order)

    def _why_not(self, order: NaiveOrder) -> RejectReason | None:
        market, command = self._market, order.request
        client_id, security_id = command.client_id, command.security_id
        security = market.security(security_id)
        if security is None:
            return "unknown_security"
        if any(one.request.order_id == command.order_id for one in market.orders):
            return "order_id_in_use"
        if any(
            (price or 0) % security.tick_e4 for price in (command.price_e4, command.stop_price_e4)
        ):
            return "price_off_tick"
        if command.expires_us is not None and command.expires_us <= market.time_us:
            return "expired"
        if command.side == "sell":
            if market.available_shares(client_id, security_id) < command.quantity:
                return "insufficient_shares"
        elif market.available_cash_e4(client_id) < order.unit_hold_e4() * command.quantity:
            return "insufficient_funds"
        if command.post_only and market.to_trade_with(security_id, command.side, command.price_e4):
            return "would_take"
        return None

    def _first_of_this_name(self, command: NewOrder) -> NaiveOrder | None:
        account = self._market.account(command.client_id)
        assert account is not None
        for order in self._market.orders + account.finished:
            name = order.request.client_order_id
            own = order.request.client_id == command.client_id
            if own and name is not None and name == command.client_order_id:
                return order
        return None

    def _repeat(self, command: NewOrder, first: NaiveOrder) -> None:
        status = first.status()
        self._market.publish(
            OrderRepeated,
            request_id=command.order_id,
            order_id=first.request.order_id,
            client_id=command.client_id,
            client_order_id=command.client_order_id,
            security_id=command.security_id,
            status=status,
            filled_quantity=first.filled,
            remaining_quantity=0 if status in ("cancelled", "expired") else first.open,
            notional_e4=first.notional_e4,
        )

    def _replace_order(self, command: ReplaceOrder) -> None:
        market = self._market
        order = self._open_order(command)
        if order is None:
            reject(market, command, "unknown_order")
            return
        if order.where == "waiting":
            reject(market, command, "not_replaceable")
            return
        quantity = order.filled + order.open if command.quantity is None else command.quantity
        price_e4 = order.price_e4 if command.price_e4 is None else command.price_e4
        remaining = quantity - order.filled
        reason = self._why_not_replace(order, remaining, price_e4)
        if reason is not None:
            reject(market, command, reason)
            return
        keeps_place = price_e4 == order.price_e4 and remaining <= order.open
        order.open = remaining
        order.price_e4 = price_e4
        order.shown = min(order.shown, remaining)
        market.publish(
            OrderReplaced,
            request_id=command.request_id,
            order_id=command.order_id,
            client_id=command.client_id,
            security_id=order.request.security_id,
            quantity=quantity,
            price_e4=price_e4,
            remaining_quantity=remaining,
            unit_hold_e4=order.unit_hold_e4(),
            kept_priority=keeps_place,
        )
        if not keeps_place:
            order.where = "incoming"
            trade_and_trigger(market, order)

    def _why_not_replace(
        self, order: NaiveOrder, remaining: int, price_e4: int | None
    ) -> RejectReason | None:
        market, request = self._market, order.request
        assert price_e4 is not None, "an order without a limit rests"
        if remaining <= 0:
            return "quantity_filled"
        if price_e4 % market.security_of(order).tick_e4:
            return "price_off_tick"
        if request.side == "sell":
            more = remaining - order.open
            if more > market.available_shares(request.client_id, request.security_id):
                return "insufficient_shares"
        else:
            held_e4 = order.unit_hold_e4() * order.open
            more_e4 = order.unit_cost_e4(price_e4) * remaining - held_e4
            if more_e4 > market.available_cash_e4(request.client_id):
                return "insufficient_funds"
        if request.post_only and market.to_trade_with(request.security_id, request.side, price_e4):
            return "would_take"
        return None

    def _cancel_order(self, command: CancelOrder) -> None:
        market = self._market
        order = self._open_order(command)
        if order is None:
            reject(market, command, "unknown_order")
        else:
            market.cancel(order, "requested", command.request_id)

    def _open_order(self, command: CancelOrder | ReplaceOrder) -> NaiveOrder | None:
        for order in self._market.orders:
            named = order.request.order_id == command.order_id
            if named and order.request.client_id == command.client_id:
                return order
        return None

    def _mass_cancel(self, command: MassCancel) -> None:
        market = self._market
        if market.account(command.client_id) is None:
            reject(market, command, "unknown_client")
            return
        if command.security_id is not None and market.security(command.security_id) is None:
            reject(market, command, "unknown_security")
            return
        doomed = [
            order
            for order in market.orders
            if order.request.client_id == command.client_id
            and command.security_id in (None, order.request.security_id)
            and command.side in (None, order.request.side)
        ]
        for order in doomed:
            market.cancel(order, "requested", command.request_id)
        market.publish(MassCancelled, **fields_of(command, MassCancelled), count=len(doomed))

    def _reject_order(self, command: NewOrder, reason: RejectReason) -> None:
        fields = fields_of(command, OrderRejected)
        self._market.publish(OrderRejected, **fields, reason=reason, message="")


def _without_identity(order: NewOrder) -> dict[str, Any]:
    fields = {name: getattr(order, name) for name in order.__struct_fields__}
    del fields["order_id"], fields["time_us"]
    return fields
