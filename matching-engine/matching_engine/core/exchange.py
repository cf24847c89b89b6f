"""The exchange as a state machine: `apply` takes the next command and returns what it caused.

Every command is checked first, in a ladder of early returns with a named reason each; below the
ladder nothing can fail. Cash and shares are held before an order may match, so every trade can be
settled. A broken invariant is an `AssertionError`, which must end the process.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from exchange_shared.messages import (
    AccountConfirmed,
    AccountOpened,
    AnyCommand,
    AnyEvent,
    CancelOrder,
    ClockTick,
    ConfigureMarket,
    ListSecurity,
    MarketConfigured,
    MassCancel,
    NewOrder,
    OpenAccount,
    PriceChanged,
    RejectReason,
    ReplaceOrder,
    RequestRejected,
    SecurityListed,
)
from exchange_shared.messages.commands import Command
from exchange_shared.units import MAX_TOTAL_E4, format_e4
from matching_engine.core.accounts import Account, Position
from matching_engine.core.closing import expire_orders
from matching_engine.core.market import Market
from matching_engine.core.order_book import OrderBook
from matching_engine.core.orders import cancel_order, mass_cancel, new_order, replace_order
from matching_engine.core.snapshotting import dump, load
from matching_engine.core.state import ExchangeState, encode_state, hash_state


class Exchange:
    """All accounts and all books. A pure function of the commands that were applied."""

    def __init__(self, state: ExchangeState | None = None) -> None:
        self._market = market = Market() if state is None else load(state)
        self._handlers: dict[type[Command], Callable[[Any], None]] = {
            NewOrder: partial(new_order, market),
            ReplaceOrder: partial(replace_order, market),
            CancelOrder: partial(cancel_order, market),
            MassCancel: partial(mass_cancel, market),
            OpenAccount: self._open_account,
            ListSecurity: self._list_security,
            ConfigureMarket: self._configure_market,
            ClockTick: lambda _command: None,
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
        """How many orders are open, waiting stops included."""
        return len(self._market.orders)

    def apply(self, command: AnyCommand) -> list[AnyEvent]:
        """Apply the next command; returns the events it caused, in order."""
        market = self._market
        events: list[AnyEvent] = []
        market.events = events
        market.time_us = command.time_us
        if command.time_us > market.clock_us:
            market.clock_us = command.time_us
        expire_orders(market)
        self._handlers[type(command)](command)
        if market.touched:
            for book in market.touched.values():
                _publish_price(market, book)
            market.touched.clear()
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
        elif book.tick_e4 != command.tick_e4 and not book.is_empty:
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

    def _reject_request(
        self,
        command: OpenAccount | ListSecurity,
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
            )
        )


def _publish_price(market: Market, book: OrderBook) -> None:
    """Report the best displayed prices and the last trade price, if any of them changed."""
    bid, ask = book.bids.best_displayed(), book.asks.best_displayed()
    price = (bid.price_e4 if bid else None, ask.price_e4 if ask else None, book.last_e4)
    if price == book.published_price:
        return
    book.published_price = price
    market.events.append(
        PriceChanged(
            seq=market.next_seq(),
            time_us=market.time_us,
            security_id=book.security_id,
            bid_e4=price[0],
            bid_quantity=bid.quantity if bid else 0,
            ask_e4=price[1],
            ask_quantity=ask.quantity if ask else 0,
            last_e4=price[2],
        )
    )
