"""The market as plain data, and back."""

from msgspec.structs import asdict

from matching_engine.core.accounts import Account, Position
from matching_engine.core.book.order import Order
from matching_engine.core.book.order_book import OrderBook
from matching_engine.core.market import NEVER_US, Market
from matching_engine.core.security import Security
from matching_engine.core.snapshot.format import (
    AccountState,
    ClockState,
    ExchangeState,
    OrderState,
    SecurityState,
)
from matching_engine.core.terms import Terms


def dump(market: Market) -> ExchangeState:
    """The state of a market between two commands."""
    return ExchangeState(
        seq=market.seq,
        execution_seq=market.execution_seq,
        trade_id=market.trade_id,
        arrivals=market.arrivals,
        clock_us=market.clock_us,
        initial_balance_e4=market.initial_balance_e4,
        maker_fee_ppm=market.maker_fee_ppm,
        taker_fee_ppm=market.taker_fee_ppm,
        fees_e4=market.fees_e4,
        issued_e4=market.issued_e4,
        accounts=[_dump_account(account) for account in market.accounts.values()],
        securities=[_dump_book(book) for book in market.books.values()],
        orders=[_dump_order(order) for order in market.orders.values()],
        limits=market.limits,
        schedule_id=market.schedule_id,
        phase=market.phase,
        phase_begins_us=market.phase_begins_us,
        clock=_dump_clock(market),
        day_ends_at_close=market.day_ends_at_close,
        highest_ids=dict(sorted(market.highest_ids.items())),
    )


def load(state: ExchangeState) -> Market:
    """The market with this state."""
    market = Market()
    market.seq = state.seq
    market.execution_seq = state.execution_seq
    market.trade_id = state.trade_id
    market.arrivals = state.arrivals
    market.clock_us = state.clock_us
    market.initial_balance_e4 = state.initial_balance_e4
    market.maker_fee_ppm = state.maker_fee_ppm
    market.taker_fee_ppm = state.taker_fee_ppm
    market.fees_e4 = state.fees_e4
    market.issued_e4 = state.issued_e4
    market.limits = state.limits
    market.schedule_id = state.schedule_id
    market.phase = state.phase
    market.phase_begins_us = state.phase_begins_us
    market.day_ends_at_close = state.day_ends_at_close
    market.highest_ids = dict(state.highest_ids)
    _load_clock(state.clock, market)
    for security in state.securities:
        market.books[security.security_id] = _load_book(security)
    for account_state in state.accounts:
        account = _load_account(account_state, market)
        market.add_account(account)
    for order_state in state.orders:
        account = market.accounts[order_state.request.client_id]
        _let_in(market, _load_order(order_state, account, market))
    _fill_books(market, state.securities)
    market.find_next_due()
    return market


def _dump_clock(market: Market) -> ClockState:
    if not market.held_back_us:  # when there was something to hold back is forgotten
        return ClockState(None if market.max_step_us == NEVER_US else market.max_step_us)
    return ClockState(market.max_step_us, market.held_back_us, market.agreed_us, market.doubted_us)


def _load_clock(state: ClockState, market: Market) -> None:
    market.agreed_us, market.doubted_us = state.agreed_us, state.doubted_us
    market.held_back_us = state.held_back_us
    market.limit_steps(state.max_step_us)


def _dump_order(order: Order) -> OrderState:
    return OrderState(
        order.request,
        order.arrival,
        order.quantity,
        order.remaining_quantity,
        order.price_e4,
        order.displayed_quantity,
        order.stop_price_e4,
        order.unit_hold_e4,
        order.maker_fee_ppm,
        order.taker_fee_ppm,
        order.notional_e4,
        order.ended,
        order.place if order.level is not None else 0,
    )


def _load_order(state: OrderState, account: Account, market: Market) -> Order:
    security_id = state.request.security_id
    position = account.positions.get(security_id) or Position(market.books[security_id].security)
    order = Order(
        state.request,
        account,
        position,
        state.arrival,
        state.maker_fee_ppm,
        state.taker_fee_ppm,
    )
    order.quantity = state.quantity
    order.remaining_quantity = state.remaining_quantity
    order.price_e4 = state.price_e4
    order.displayed_quantity = state.displayed_quantity
    order.stop_price_e4 = state.stop_price_e4
    order.unit_hold_e4 = state.unit_hold_e4
    order.notional_e4 = state.notional_e4
    order.ended = state.ended
    order.place = state.place
    return order


def _dump_account(account: Account) -> AccountState:
    return AccountState(
        account.client_id,
        account.api_key_hash,
        account.cash_e4,
        account.cash_held_e4,
        [(name, held.quantity, held.held) for name, held in account.positions.items()],
        [_dump_order(order) for order in account.finished_orders.values()],
        account.suspended,
        account.own_limits,
        list(account.refusals.items()),
        account.refused_until,
    )


def _load_account(state: AccountState, market: Market) -> Account:
    account = Account(state.client_id, state.api_key_hash, state.cash_e4, state.cash_held_e4)
    account.suspended = state.suspended
    account.own_limits = state.own_limits
    account.refusals, account.refused_until = dict(state.refusals), state.refused_until
    account.limits = state.own_limits.over(market.limits)
    for security_id, quantity, held in state.positions:
        position = Position(market.books[security_id].security, quantity, held)
        account.positions[security_id] = position
        if held > max(0, quantity) or quantity < 0:
            account.shorts[security_id] = position
    for order_state in state.finished_orders:
        name = order_state.request.client_order_id
        assert name is not None, "an order without a name was remembered"
        account.finished_orders[name] = _load_order(order_state, account, market)
    return account


def _dump_book(book: OrderBook) -> SecurityState:
    security = book.security
    return SecurityState(
        security_id=security.security_id,
        last_e4=security.last_e4,
        bids=book.bids.places,
        asks=book.asks.places,
        present_reference_e4=security.reference_price_e4,
        state=security.state,
        auction=security.auction,
        until_us=security.until_us,
        **asdict(security.terms),
    )


def _load_book(state: SecurityState) -> OrderBook:
    """The book without its orders."""
    security = Security(state.security_id, Terms.of(state))
    security.last_e4 = state.last_e4
    if state.present_reference_e4 is not None:
        security.reference_price_e4 = state.present_reference_e4
    security.state = state.state
    security.auction = state.auction
    security.until_us = state.until_us
    return OrderBook(security)


def _let_in(market: Market, order: Order) -> None:
    """Know an open order, whose holds are in its account's state but for the shares it buys."""
    order.account.positions[order.request.security_id] = order.position
    if order.buys:
        order.position.buying += order.remaining_quantity
    market.open(order)


def _fill_books(market: Market, securities: list[SecurityState]) -> None:
    """Put open orders where they were: at their places in a book, or waiting."""
    for security in securities:
        for ids in (security.bids, security.asks):
            if not isinstance(ids, int):
                for place, order_id in enumerate(ids, 1):
                    market.orders[order_id].place = place
    for order in sorted(market.orders.values(), key=lambda order: order.place):
        book = market.books[order.request.security_id]
        if order.place:
            side = book.bids if order.buys else book.asks
            side.places = order.place - 1
            side.add(order)
        elif order.stop_price_e4 is not None:
            book.stops.restore(order)
        else:
            book.at_close[order.order_id] = order
    for security in securities:
        book = market.books[security.security_id]
        if isinstance(security.bids, int) and isinstance(security.asks, int):
            book.bids.places, book.asks.places = security.bids, security.asks
        bid, ask = book.quote()
        bid_e4 = None if bid is None else bid.price_e4
        ask_e4 = None if ask is None else ask.price_e4
        book.published_price = (bid_e4, ask_e4, book.security.last_e4)
        book.follow_equilibrium()
        if book.security.auction is not None:
            book.published_indicative = book.indicative()
