"""The market as plain data, and back."""

from matching_engine.core.accounts import Account, Position
from matching_engine.core.market import Market
from matching_engine.core.order import Order
from matching_engine.core.order_book import BookSide, OrderBook
from matching_engine.core.state import AccountState, ExchangeState, OrderState, SecurityState


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
    for account_state in state.accounts:
        account = _load_account(account_state)
        market.accounts[account.client_id] = account
        market.api_keys[account.api_key_hash] = account.client_id
    for order_state in state.orders:
        market.open(_load_order(order_state, market.accounts[order_state.request.client_id]))
    for security in state.securities:
        market.books[security.security_id] = _load_book(market, security)
    for order in market.orders.values():
        if order.stop_price_e4 is not None:
            market.books[order.request.security_id].stops.restore(order)
    return market


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
    )


def _load_order(state: OrderState, account: Account) -> Order:
    order = Order(state.request, account, state.arrival, state.maker_fee_ppm, state.taker_fee_ppm)
    order.quantity = state.quantity
    order.remaining_quantity = state.remaining_quantity
    order.price_e4 = state.price_e4
    order.displayed_quantity = state.displayed_quantity
    order.stop_price_e4 = state.stop_price_e4
    order.unit_hold_e4 = state.unit_hold_e4
    order.notional_e4 = state.notional_e4
    order.ended = state.ended
    return order


def _dump_account(account: Account) -> AccountState:
    return AccountState(
        account.client_id,
        account.api_key_hash,
        account.cash_e4,
        account.cash_held_e4,
        [(name, held.quantity, held.held) for name, held in account.positions.items()],
        [_dump_order(order) for order in account.finished_orders.values()],
    )


def _load_account(state: AccountState) -> Account:
    account = Account(state.client_id, state.api_key_hash, state.cash_e4, state.cash_held_e4)
    for security_id, quantity, held in state.positions:
        account.positions[security_id] = Position(quantity, held)
    for order_state in state.finished_orders:
        name = order_state.request.client_order_id
        assert name is not None, "an order without a name was remembered"
        account.finished_orders[name] = _load_order(order_state, account)
    return account


def _dump_book(book: OrderBook) -> SecurityState:
    return SecurityState(
        book.security_id,
        book.tick_e4,
        book.reference_price_e4,
        book.granted_quantity,
        book.last_e4,
        _dump_side(book.bids),
        _dump_side(book.asks),
    )


def _dump_side(side: BookSide) -> list[int]:
    return [order.order_id for level in side for order in level]


def _load_book(market: Market, security: SecurityState) -> OrderBook:
    book = OrderBook(
        security.security_id,
        security.tick_e4,
        security.reference_price_e4,
        security.granted_quantity,
        security.last_e4,
    )
    for order_id in security.bids:
        book.bids.add(market.orders[order_id])
    for order_id in security.asks:
        book.asks.add(market.orders[order_id])
    book.published_price = book.price()
    return book
