"""How securities change their state: by an operator, by the schedule, or when its time is over."""

from exchange_shared.messages import (
    AuctionKind,
    BeginPhase,
    MarketState,
    MarketStateSet,
    Phase,
    SetMarketState,
    StateReason,
)
from matching_engine.core.book.order_book import OrderBook
from matching_engine.core.commands.refusals import reject
from matching_engine.core.market import Market
from matching_engine.core.trading.auction import uncross
from matching_engine.core.trading.cancel import cancel, expire_orders
from matching_engine.core.trading.continuous import trigger_stops
from matching_engine.core.trading.gathering import gather
from matching_engine.core.trading.security_state import become

PHASE_STATES: dict[Phase, tuple[MarketState, AuctionKind | None]] = {
    "pre_open": ("pre_open", None),
    "opening_auction": ("auction", "opening"),
    "continuous": ("continuous", None),
    "closing_auction": ("auction", "closing"),
    "closed": ("closed", None),
}


def pass_time(market: Market) -> None:
    """Let happen what was to happen by itself until now."""
    expire_orders(market)
    while True:
        due = [book for book in market.books.values() if _is_due(market, book)]
        if not due:
            break
        book = min(due, key=lambda one: one.until_us or 0)
        if book.state == "halted":
            _change(market, book, "auction", "timer", "reopening", book.terms.auction_us)
        else:
            _change(market, book, _after_auction(book), "timer")
    market.find_next_due()


def _is_due(market: Market, book: OrderBook) -> bool:
    return book.until_us is not None and book.until_us <= market.clock_us


def set_market_state(market: Market, command: SetMarketState) -> None:
    """Change the state of one security, or of all, as an operator says."""
    security_id = command.security_id
    if security_id is None:
        books = [book for book in market.books.values() if _applies(command, book)]
    elif (book := market.books.get(security_id)) is None:
        reject(market, command, "unknown_security", f"{security_id} is not listed here")
        return
    elif not _applies(command, book):
        message = f"{security_id} is in the state {book.state}, which {command.action} is not for"
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


def _applies(command: SetMarketState, book: OrderBook) -> bool:
    match command.action:
        case "uncross":
            return book.state == "auction"
        case "resume":
            return book.state == "halted"
        case "start_auction":
            return book.state != "auction"
        case "open":
            return book.state != "continuous"
        case "halt":
            return book.state != "halted"
        case "close":
            return book.state != "closed"
        case "pre_open":
            return book.state != "pre_open"


def _act(market: Market, command: SetMarketState, book: OrderBook) -> None:
    lasts_us = command.duration_us
    match command.action:
        case "uncross":
            _change(market, book, _after_auction(book), "operator")
        case "resume":
            _change(market, book, "auction", "operator", "reopening", book.terms.auction_us)
        case "start_auction":
            kind = command.auction or _fitting_auction(book)
            _change(market, book, "auction", "operator", kind, lasts_us)
        case "open":
            _change(market, book, "continuous", "operator")
        case "halt":
            _change(market, book, "halted", "operator", lasts_us=lasts_us)
        case "close":
            _change(market, book, "closed", "operator")
        case "pre_open":
            _change(market, book, "pre_open", "operator")


def _fitting_auction(book: OrderBook) -> AuctionKind:
    return "reopening" if book.state in ("halted", "continuous") else "opening"


def _after_auction(book: OrderBook) -> MarketState:
    return "closed" if book.auction == "closing" else "continuous"


def begin_phase(market: Market, command: BeginPhase) -> None:
    """Begin a phase of the trading day, unless that or a later one was begun before."""
    if command.schedule_id == market.schedule_id and command.begins_us <= market.phase_begins_us:
        return
    market.schedule_id = command.schedule_id
    market.phase_begins_us = command.begins_us
    market.phase = command.phase
    state, auction = PHASE_STATES[command.phase]
    for book in market.books.values():
        stays = (book.state == "halted" or book.auction == "reopening") and state != "closed"
        if not stays and (book.state, book.auction) != (state, auction):
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
    if state == "continuous" or (state == "closed" and book.state == "auction"):
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
        waiting = list(book.closing.values())
        book.closing.clear()
        for order in waiting:
            gather(market, order, book)
