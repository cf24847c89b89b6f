"""The market as plain data, and back."""

from exchange_shared.messages import Side
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
        initial_balance_e4=market.initial_balance_e4,
        maker_fee_ppm=market.maker_fee_ppm,
        taker_fee_ppm=market.taker_fee_ppm,
        fees_e4=market.fees_e4,
        issued_e4=market.issued_e4,
        accounts=[_dump_account(account) for account in market.accounts.values()],
        securities=[_dump_book(book) for book in market.books.values()],
    )


def load(state: ExchangeState) -> Market:
    """The market with this state."""
    market = Market()
    market.seq = state.seq
    market.execution_seq = state.execution_seq
    market.trade_id = state.trade_id
    market.initial_balance_e4 = state.initial_balance_e4
    market.maker_fee_ppm = state.maker_fee_ppm
    market.taker_fee_ppm = state.taker_fee_ppm
    market.fees_e4 = state.fees_e4
    market.issued_e4 = state.issued_e4
    for account_state in state.accounts:
        account = _load_account(account_state)
        market.accounts[account.client_id] = account
        market.api_keys[account.api_key_hash] = account.client_id
    for security in state.securities:
        book = OrderBook(
            security.security_id,
            security.tick_e4,
            security.reference_price_e4,
            security.granted_quantity,
            security.last_e4,
        )
        market.books[security.security_id] = book
        _load_side(market, book, "buy", security.bids)
        _load_side(market, book, "sell", security.asks)
        book.published_price = book.price()
    return market


def _dump_order(order: Order) -> OrderState:
    return OrderState(
        order.request,
        order.remaining_quantity,
        order.unit_hold_e4,
        order.maker_fee_ppm,
        order.notional_e4,
        order.cancelled,
    )


def _load_order(state: OrderState) -> Order:
    return Order(
        state.request,
        state.remaining_quantity,
        state.unit_hold_e4,
        state.maker_fee_ppm,
        state.notional_e4,
        state.cancelled,
    )


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
        order = _load_order(order_state)
        assert order.client_order_id is not None, "an order without a name was remembered"
        account.finished_orders[order.client_order_id] = order
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


def _dump_side(side: BookSide) -> list[OrderState]:
    return [_dump_order(order) for level in side for order in level.orders.values()]


def _load_side(market: Market, book: OrderBook, side: Side, orders: list[OrderState]) -> None:
    for order_state in orders:
        order = _load_order(order_state)
        request = order.request
        assert request.price_e4 is not None, "a market order rested"
        book.side(side).add(order, request.price_e4)
        market.orders[request.order_id] = order
        if request.client_order_id is not None:
            account = market.accounts[request.client_id]
            account.open_orders[request.client_order_id] = order
