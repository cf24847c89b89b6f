"""The exchange as a state machine: `apply` takes the next command and returns what it caused.

Every command is checked first, in a ladder of early returns with a named reason each; below the
ladder nothing can fail. Cash and shares are held before an order may match, so every trade can be
settled. A broken invariant is an `AssertionError`, which must end the process.
"""

from collections.abc import Callable
from typing import Any

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
    OrderRejected,
    OrderRepeated,
    RejectReason,
    RequestRejected,
    SecurityListed,
)
from exchange_shared.messages.commands import Command
from exchange_shared.units import MAX_TOTAL_E4, format_e4
from matching_engine.core.accounts import Account, Position
from matching_engine.core.market import Market
from matching_engine.core.matching import cancel, match, publish_price
from matching_engine.core.order import Order
from matching_engine.core.order_book import OrderBook
from matching_engine.core.snapshotting import dump, load
from matching_engine.core.state import ExchangeState, encode_state, hash_state


class Exchange:
    """All accounts and all books. A pure function of the commands that were applied."""

    def __init__(self, state: ExchangeState | None = None) -> None:
        self._market = Market() if state is None else load(state)
        self._handlers: dict[type[Command], Callable[[Any], None]] = {
            NewOrder: self._new_order,
            CancelOrder: self._cancel_order,
            OpenAccount: self._open_account,
            ListSecurity: self._list_security,
            ConfigureMarket: self._configure_market,
        }

    @property
    def seq(self) -> int:
        """The number of the last event."""
        return self._market.seq

    @property
    def execution_seq(self) -> int:
        """The number of the last event that moved assets."""
        return self._market.execution_seq

    @property
    def open_orders(self) -> int:
        """How many orders rest in the books."""
        return len(self._market.orders)

    def apply(self, command: AnyCommand) -> list[AnyEvent]:
        """Apply the next command; returns the events it caused, in order, at least one."""
        market = self._market
        events: list[AnyEvent] = []
        market.events = events
        market.time_us = command.time_us
        self._handlers[type(command)](command)
        return events

    def state(self) -> ExchangeState:
        """The whole state as plain data: `Exchange(state)` goes on exactly where this one is."""
        return dump(self._market)

    def state_hash(self) -> str:
        """The same for any two exchanges with the same state, however they got there."""
        return hash_state(encode_state(self.state()))

    def check_invariants(self) -> None:
        """Raises `AssertionError` when money, shares, holds or books do not add up."""
        self._market.check_invariants()

    def _configure_market(self, command: ConfigureMarket) -> None:
        self._market.initial_balance_e4 = command.initial_balance_e4
        self._market.maker_fee_ppm = command.maker_fee_ppm
        self._market.taker_fee_ppm = command.taker_fee_ppm
        self._market.events.append(
            MarketConfigured(
                seq=self._market.next_seq(),
                time_us=command.time_us,
                request_id=command.request_id,
                initial_balance_e4=command.initial_balance_e4,
                maker_fee_ppm=command.maker_fee_ppm,
                taker_fee_ppm=command.taker_fee_ppm,
            )
        )

    def _list_security(self, command: ListSecurity) -> None:
        book = self._market.books.get(command.security_id)
        if book is None:
            self._market.books[command.security_id] = OrderBook(
                command.security_id,
                command.tick_e4,
                command.reference_price_e4,
                command.granted_quantity,
            )
        elif book.tick_e4 != command.tick_e4 and (book.bids or book.asks):
            self._reject_request(
                command,
                "tick_in_use",
                f"{command.security_id} has open orders at its tick of {format_e4(book.tick_e4)}",
            )
            return
        else:
            book.tick_e4 = command.tick_e4
            book.reference_price_e4 = command.reference_price_e4
            book.granted_quantity = command.granted_quantity
        self._market.events.append(
            SecurityListed(
                seq=self._market.next_seq(),
                time_us=command.time_us,
                request_id=command.request_id,
                security_id=command.security_id,
                tick_e4=command.tick_e4,
                reference_price_e4=command.reference_price_e4,
                granted_quantity=command.granted_quantity,
            )
        )

    def _open_account(self, command: OpenAccount) -> None:
        client_id = command.client_id
        account = self._market.accounts.get(client_id)
        if account is not None:
            if account.api_key_hash != command.api_key_hash:
                message = f"client {client_id} has an account, with another API key"
                self._reject_request(command, "client_id_taken", message)
                return
            self._market.events.append(
                AccountConfirmed(
                    seq=self._market.next_seq(),
                    time_us=command.time_us,
                    request_id=command.request_id,
                    client_id=client_id,
                    cash_e4=account.cash_e4,
                    holdings=account.holdings(),
                )
            )
            return
        if command.api_key_hash in self._market.api_keys:
            message = "this API key belongs to another client; choose another or leave it out"
            self._reject_request(command, "api_key_in_use", message)
            return
        if self._market.issued_e4 + self._market.initial_balance_e4 >= MAX_TOTAL_E4:
            message = f"all accounts together may have {format_e4(MAX_TOTAL_E4)} at the most"
            self._reject_request(command, "account_limit", message)
            return
        account = Account(client_id, command.api_key_hash, self._market.initial_balance_e4)
        for book in self._market.books.values():
            if book.granted_quantity:
                account.positions[book.security_id] = Position(book.granted_quantity)
        self._market.accounts[client_id] = account
        self._market.api_keys[command.api_key_hash] = client_id
        self._market.issued_e4 += self._market.initial_balance_e4
        self._market.events.append(
            AccountOpened(
                seq=self._market.next_seq(),
                execution_seq=self._market.next_execution_seq(),
                time_us=command.time_us,
                request_id=command.request_id,
                client_id=client_id,
                api_key_hash=command.api_key_hash,
                cash_e4=account.cash_e4,
                holdings=account.holdings(),
            )
        )

    def _new_order(self, command: NewOrder) -> None:
        account = self._market.accounts.get(command.client_id)
        if account is None:
            message = f"there is no client {command.client_id}"
            self._reject_order(command, "unknown_client", message)
            return
        name = command.client_order_id
        if name is not None and (first := account.named_order(name)) is not None:
            if first.asks_the_same(command):
                self._repeat(command, first)
            else:
                message = f"client_order_id {name} names another order; give this one a new name"
                self._reject_order(command, "client_order_id_reused", message)
            return
        book = self._market.books.get(command.security_id)
        if book is None:
            message = f"{command.security_id} is not listed here"
            self._reject_order(command, "unknown_security", message)
            return
        if command.order_id in self._market.orders:
            message = f"order id {command.order_id} is in use"
            self._reject_order(command, "order_id_in_use", message)
            return
        price_e4 = command.price_e4
        if price_e4 is not None and price_e4 % book.tick_e4:
            message = f"{format_e4(price_e4)} is not a multiple of {format_e4(book.tick_e4)}"
            self._reject_order(command, "price_off_tick", message)
            return
        order = Order(command, command.quantity, maker_fee_ppm=self._market.maker_fee_ppm)
        if command.side == "sell":
            position = account.positions.get(command.security_id)
            if position is None or position.available < command.quantity:
                message = (
                    f"{command.quantity} shares of {command.security_id} are needed,"
                    f" {position.available if position else 0} are available"
                )
                self._reject_order(command, "insufficient_shares", message)
                return
            position.held += command.quantity
        elif price_e4 is not None:
            order.unit_hold_e4 = self._market.unit_cost_e4(price_e4)
            cost_e4 = order.unit_hold_e4 * command.quantity
            if account.available_e4 < cost_e4:
                message = (
                    f"{format_e4(cost_e4)} with the highest fee is needed,"
                    f" {format_e4(account.available_e4)} is available"
                )
                self._reject_order(command, "insufficient_funds", message)
                return
            account.cash_held_e4 += cost_e4
        self._accept(order, account, book)

    def _accept(self, order: Order, account: Account, book: OrderBook) -> None:
        request = order.request
        if request.client_order_id is not None:
            account.open_orders[request.client_order_id] = order
        self._market.events.append(
            OrderAccepted(
                seq=self._market.next_seq(),
                time_us=request.time_us,
                order_id=request.order_id,
                client_id=request.client_id,
                security_id=request.security_id,
                side=request.side,
                order_type=request.order_type,
                quantity=request.quantity,
                price_e4=request.price_e4,
                time_in_force=request.time_in_force,
                client_order_id=request.client_order_id,
                unit_hold_e4=order.unit_hold_e4,
            )
        )
        stopped = match(self._market, order, account, book)
        if order.remaining_quantity == 0:
            account.finish(order)
        elif stopped is not None:
            cancel(self._market, order, account, stopped)
        else:
            assert request.price_e4 is not None, "a market order cannot rest"
            book.side(request.side).add(order, request.price_e4)
            self._market.orders[request.order_id] = order
        publish_price(self._market, book)

    def _cancel_order(self, command: CancelOrder) -> None:
        order = self._market.orders.get(command.order_id)
        if order is None or order.request.client_id != command.client_id:
            message = f"you have no open order {command.order_id}"
            self._reject_request(command, "unknown_order", message)
            return
        request = order.request
        assert request.price_e4 is not None, "a market order rested"
        account = self._market.accounts[command.client_id]
        book = self._market.books[request.security_id]
        del self._market.orders[command.order_id]
        book.side(request.side).remove(order, request.price_e4)
        cancel(self._market, order, account, "requested", command.request_id)
        publish_price(self._market, book)

    def _repeat(self, command: NewOrder, first: Order) -> None:
        assert command.client_order_id is not None
        self._market.events.append(
            OrderRepeated(
                seq=self._market.next_seq(),
                time_us=command.time_us,
                request_id=command.order_id,
                order_id=first.order_id,
                client_id=command.client_id,
                client_order_id=command.client_order_id,
                security_id=command.security_id,
                status=first.status,
                filled_quantity=first.filled_quantity,
                remaining_quantity=0 if first.cancelled else first.remaining_quantity,
                notional_e4=first.notional_e4,
            )
        )

    def _reject_order(self, command: NewOrder, reason: RejectReason, message: str) -> None:
        self._market.events.append(
            OrderRejected(
                seq=self._market.next_seq(),
                time_us=command.time_us,
                order_id=command.order_id,
                client_id=command.client_id,
                security_id=command.security_id,
                side=command.side,
                order_type=command.order_type,
                quantity=command.quantity,
                price_e4=command.price_e4,
                client_order_id=command.client_order_id,
                reason=reason,
                message=message,
            )
        )

    def _reject_request(
        self,
        command: OpenAccount | ListSecurity | CancelOrder,
        reason: RejectReason,
        message: str,
    ) -> None:
        self._market.events.append(
            RequestRejected(
                seq=self._market.next_seq(),
                time_us=command.time_us,
                request_id=command.request_id,
                reason=reason,
                message=message,
                client_id=None if isinstance(command, ListSecurity) else command.client_id,
                order_id=command.order_id if isinstance(command, CancelOrder) else None,
            )
        )
