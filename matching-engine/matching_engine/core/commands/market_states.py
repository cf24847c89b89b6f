"""How securities change their state: by an operator, by the schedule, or when its time is over."""

from exchange_shared.messages import (
    AuctionKind,
    BeginPhase,
    MarketState,
    MarketStateSet,
    SetMarketState,
    StateAction,
    StateReason,
)
from matching_engine.core.book.order_book import OrderBook
from matching_engine.core.commands.refusals import reject
from matching_engine.core.market import NEVER_US, Market
from matching_engine.core.security import Security
from matching_engine.core.trading.auction import gather, uncross
from matching_engine.core.trading.cancel import cancel, expire_orders
from matching_engine.core.trading.continuous import trigger_stops
from matching_engine.core.trading.security_state import PHASE_STATES, become

STATES_AFTER: dict[StateAction, MarketState] = {
    "start_auction": "auction",
    "open": "continuous",
    "halt": "halted",
    "close": "closed",
    "pre_open": "pre_open",
}
"""What an action leads to from every other state."""


def pass_time(market: Market) -> None:
    """Let happen what was to happen by itself until now."""
    expire_orders(market)
    while True:
        due = [book for book in market.books.values() if _is_due(market, book)]
        if not due:
            break
        book = min(due, key=lambda one: one.security.until_us or 0)
        security = book.security
        if security.state == "halted":
            _change(market, book, "auction", "timer", "reopening", security.terms.auction_us)
        else:
            _change(market, book, _after_auction(book.security), "timer")
    market.find_next_due()


def _is_due(market: Market, book: OrderBook) -> bool:
    until_us = book.security.until_us
    return until_us is not None and until_us <= market.clock_us


def set_market_state(market: Market, command: SetMarketState) -> None:
    """Change the state of one security, or of all, as an operator says."""
    security_id = command.security_id
    if security_id is None:
        books = [book for book in market.books.values() if _applies(command, book.security)]
    elif (book := market.books.get(security_id)) is None:
        reject(market, command, "unknown_security", f"{security_id} is not listed here")
        return
    elif not _applies(command, book.security):
        state = book.security.state
        message = f"{security_id} is in the state {state}, which {command.action} is not for"
        reject(market, command, "wrong_state", message)
        return
    else:
        books = [book]
    for book in books:
        _act(market, command, book)
    market.events.append(
        MarketStateSet(
            seq=market.next_seq(),
            time_us=command.time_us,
            request_id=command.request_id,
            count=len(books),
        )
    )


def _applies(command: SetMarketState, security: Security) -> bool:
    """Whether a security is in a state that the action is for."""
    match command.action:
        case "uncross":
            return security.state == "auction"
        case "resume":
            return security.state == "halted"
        case action:
            return security.state != STATES_AFTER[action]


def _act(market: Market, command: SetMarketState, book: OrderBook) -> None:
    security, lasts_us = book.security, command.duration_us
    match command.action:
        case "uncross":
            _change(market, book, _after_auction(security), "operator")
        case "resume":
            auction_us = security.terms.auction_us
            _change(market, book, "auction", "operator", "reopening", auction_us)
        case "start_auction":
            kind = command.auction or _fitting_auction(security)
            _change(market, book, "auction", "operator", kind, lasts_us)
        case action:
            _change(market, book, STATES_AFTER[action], "operator", lasts_us=lasts_us)


def _fitting_auction(security: Security) -> AuctionKind:
    return "reopening" if security.state in ("halted", "continuous") else "opening"


def _after_auction(security: Security) -> MarketState:
    return "closed" if security.auction == "closing" else "continuous"


def begin_phase(market: Market, command: BeginPhase) -> None:
    """Begin a phase of the trading day, unless that or a later one was begun before.

    Where the clock does not follow every time, neither does the day.
    """
    if command.schedule_id == market.schedule_id and command.begins_us <= market.phase_begins_us:
        return
    if market.max_step_us != NEVER_US and command.begins_us > market.clock_us:
        return
    market.schedule_id = command.schedule_id
    market.phase_begins_us = command.begins_us
    market.phase = command.phase
    market.end_days_at_close(command.day_ends_at_close)
    state, auction = PHASE_STATES[command.phase]
    for book in market.books.values():
        now, kind = book.security.state, book.security.auction
        stays = (now == "halted" or kind == "reopening") and state != "closed"
        if not stays and (now, kind) != (state, auction):
            _change(market, book, state, "schedule", auction)


def _change(
    market: Market,
    book: OrderBook,
    state: MarketState,
    reason: StateReason,
    auction: AuctionKind | None = None,
    lasts_us: int | None = None,
) -> None:
    """Put a security into a state, and do what follows from it for its orders."""
    if state == "continuous" or (state == "closed" and book.security.state == "auction"):
        uncross(market, book)
    become(market, book, state, reason, auction, lasts_us)
    if state == "continuous":
        for order in book.orders():
            if order.level is not None and order.is_for_auctions:
                cancel(market, order, "auction_over")
        trigger_stops(market, book)
    elif state == "closed":
        for order in book.orders():
            if order.is_for_auctions:
                cancel(market, order, "auction_over")
            elif order.request.time_in_force == "day":
                cancel(market, order, "expired")
    elif auction == "closing":
        waiting = list(book.at_close.values())
        book.at_close.clear()
        for order in waiting:
            gather(market, order, book)
