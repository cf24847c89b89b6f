"""The exchange as a state machine: `apply` takes the next command and returns what it caused.

Every command is checked first, in a ladder of early returns with a named reason each; below the
ladder nothing can fail. Cash and shares are held before an order may match, so every trade can be
settled. A broken invariant is an `AssertionError`, which must end the process.
"""

from collections.abc import Callable
from typing import Any

from exchange_shared.messages import (
    AnyCommand,
    AnyEvent,
    BeginPhase,
    CancelOrder,
    ClockTick,
    Command,
    ConfigureMarket,
    ConfirmTime,
    FenceNode,
    IndicativeChanged,
    ListSecurity,
    MassCancel,
    NewOrder,
    OpenAccount,
    PriceChanged,
    ReplaceOrder,
    SetClientLimits,
    SetMarketState,
    SuspendClient,
)
from matching_engine.core.book.order_book import OrderBook
from matching_engine.core.commands.administration import (
    configure_market,
    list_security,
    open_account,
    set_client_limits,
    suspend_client,
)
from matching_engine.core.commands.market_clock import confirm_time, keep_time
from matching_engine.core.commands.market_states import begin_phase, pass_time, set_market_state
from matching_engine.core.commands.nodes import comes_too_late, fence_node
from matching_engine.core.commands.orders import cancel_order, mass_cancel, new_order, replace_order
from matching_engine.core.market import Market
from matching_engine.core.snapshot.convert import dump, load
from matching_engine.core.snapshot.format import ExchangeState, canonical, encode_state, hash_state


class Exchange:
    """All accounts and all books. A pure function of the commands that were applied."""

    def __init__(self, state: ExchangeState | None = None) -> None:
        self._market = Market() if state is None else load(state)
        self._handlers: dict[type[Command], Callable[[Market, Any], None]] = {
            NewOrder: new_order,
            ReplaceOrder: replace_order,
            CancelOrder: cancel_order,
            MassCancel: mass_cancel,
            OpenAccount: open_account,
            ListSecurity: list_security,
            ConfigureMarket: configure_market,
            SetClientLimits: set_client_limits,
            SuspendClient: suspend_client,
            SetMarketState: set_market_state,
            BeginPhase: begin_phase,
            ConfirmTime: confirm_time,
            FenceNode: fence_node,
            ClockTick: lambda _market, _command: None,
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

    @property
    def held_back_us(self) -> int:
        """How far ahead of the market's clock a time is that it does not follow; below: behind."""
        return self._market.held_back_us

    def apply(self, command: AnyCommand) -> list[AnyEvent]:
        """Apply the next command; returns the events it caused, in order."""
        market = self._market
        events: list[AnyEvent] = []
        market.events = events
        time_us = market.time_us = command.time_us
        if 0 <= time_us - market.clock_us <= market.free_step_us:
            market.clock_us = time_us
        else:
            keep_time(market, time_us)
        if market.due_us <= market.clock_us:
            pass_time(market)
        if not market.highest_ids or not comes_too_late(market, command):
            self._handlers[type(command)](market, command)
        if market.touched:
            for book in market.touched.values():
                _publish_price(market, book)
                if book.security.auction is not None:
                    _publish_indicative(market, book)
            market.touched.clear()
        return events

    def state(self) -> ExchangeState:
        """The whole state as plain data: `Exchange(state)` goes on exactly where this one is."""
        return dump(self._market)

    def state_hash(self) -> str:
        """The same for any two exchanges that will always do the same, however they got there."""
        return hash_state(encode_state(canonical(self.state())))

    def check_invariants(self) -> None:
        """Raises `AssertionError` when money, shares, holds or books do not add up."""
        self._market.check_invariants()


def _publish_price(market: Market, book: OrderBook) -> None:
    """Report the best displayed prices and the last trade price, if any of them changed."""
    security = book.security
    last_e4 = security.last_e4
    bid, ask = book.quote()
    bid_e4 = None if bid is None else bid.price_e4
    ask_e4 = None if ask is None else ask.price_e4
    price = (bid_e4, ask_e4, last_e4)
    if price == book.published_price:
        return
    book.published_price = price
    market.seq += 1
    market.events.append(
        PriceChanged(
            market.seq,
            market.time_us,
            security.security_id,
            bid_e4,
            bid.quantity if bid else 0,
            ask_e4,
            ask.quantity if ask else 0,
            last_e4,
        )
    )


def _publish_indicative(market: Market, book: OrderBook) -> None:
    """Report what the auction would do if it ended now, if that changed."""
    now = book.indicative()
    if now == book.published_indicative:
        return
    book.published_indicative = now
    price_e4, quantity, surplus = now
    market.events.append(
        IndicativeChanged(
            seq=market.next_seq(),
            time_us=market.time_us,
            security_id=book.security.security_id,
            price_e4=price_e4,
            quantity=quantity,
            surplus=surplus,
        )
    )
