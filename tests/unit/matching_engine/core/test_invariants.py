"""A state that contradicts itself is noticed: each invariant is broken once, and tells so."""

import ast
from collections.abc import Callable

import pytest

from matching_engine.core import Exchange
from matching_engine.core.accounts import Account, Position
from matching_engine.core.book.book_side import BookSide
from matching_engine.core.book.order import Order, PriceLevel
from matching_engine.core.book.order_book import OrderBook
from matching_engine.core.market import Market
from matching_engine.core.security import Security
from tests.support.paths import ROOT
from tests.support.tables import read_table

CORE = ROOT / "matching-engine" / "matching_engine" / "core"

TABLE = """
configure balance 100,000.00 maker 0 taker 0
list MSFT tick 0.01 reference 100.00 grant 100
list AAPL tick 0.01 reference 200.00 grant 100
list SHEL tick 0.01 reference 30.00 grant 0 margin 50%
open alice
open bob
alice buys 1 MSFT at 99.00 named first
alice buys 1 MSFT at 99.00 hidden
bob buys 9 MSFT at 99.00 display 3
bob buys 1 MSFT at 98.00 group one
bob sells 1 MSFT at 101.00
alice buys 1 MSFT at market stop 103.00
alice sells 1 MSFT at market stop 97.00
alice sells 5 SHEL at 30.00
bob buys 5 SHEL at 30.00
start_auction AAPL
alice buys 2 AAPL at 201.00
bob sells 1 AAPL at 200.00
bob sells 1 AAPL at 200.00 cls
"""
"""Something of everything; orders are numbered in the order in which they stand here."""

FIRST, HIDDEN, ICEBERG, GROUPED, ASK, STOP_BUY, STOP_SELL, _SOLD, _BOUGHT, BID_AT_AUCTION = range(
    1, 11
)
AT_CLOSE = 12


class Broken:
    """The market of the table, for a break of one thing in it."""

    def __init__(self) -> None:
        self.exchange = Exchange()
        for command in read_table(TABLE):
            self.exchange.apply(command)
        self.exchange.check_invariants()

    @property
    def market(self) -> Market:
        """All of it."""
        return self.exchange._market

    @property
    def alice(self) -> Account:
        """The account of alice."""
        return self.market.accounts["alice"]

    def order(self, order_id: int) -> Order:
        """An open order."""
        return self.market.orders[order_id]

    def book(self, security_id: str = "MSFT") -> OrderBook:
        """The book of a security."""
        return self.market.books[security_id]

    @property
    def bids(self) -> BookSide:
        """The side of MSFT with most in it."""
        return self.book().bids

    @property
    def level(self) -> PriceLevel:
        """The best bids: a plain one, an iceberg, and a hidden one."""
        level = self.bids.best
        assert level is not None
        return level

    def position(self, security_id: str = "MSFT") -> Position:
        """Shares of alice."""
        return self.alice.positions[security_id]


def set_to(owner: object, **values: object) -> None:
    for name, value in values.items():
        setattr(owner, name, value)


def forget_order(broken: Broken) -> None:
    del broken.market.orders[GROUPED]


def reorder(broken: Broken) -> None:
    orders = broken.market.orders
    orders[FIRST] = orders.pop(FIRST)


def end_a_group(broken: Broken) -> None:
    broken.market.groups["bob", "one"][FIRST] = Order(
        broken.order(FIRST).request, broken.alice, broken.position(), 1, 0, 0
    )


def rename_the_group(broken: Broken) -> None:
    groups = broken.market.groups
    groups["bob", "two"] = groups.pop(("bob", "one"))


def forget_short(broken: Broken) -> None:
    broken.alice.shorts.clear()


def unlink_all(broken: Broken) -> None:
    for order in list(broken.level):
        broken.level.unlink(order)


def hidden_first(broken: Broken) -> None:
    level, hidden = broken.level, broken.order(HIDDEN)
    level.unlink(hidden)
    first = level.first
    assert first is not None
    hidden.level, hidden.following, first.previous, level.first = level, first, hidden, hidden


def another_place(broken: Broken) -> None:
    broken.order(FIRST).place = broken.order(ICEBERG).place


def a_place_beyond(broken: Broken) -> None:
    broken.order(ICEBERG).place = broken.bids.places + 1


def hide_all_of_an_iceberg(broken: Broken) -> None:
    level, iceberg = broken.level, broken.order(ICEBERG)
    level.quantity -= 3
    level.undisplayed += 3
    iceberg.displayed_quantity = 0


def move_off_the_tick(broken: Broken) -> None:
    broken.book().security.terms = broken.book("AAPL").security.terms
    level = broken.level
    del broken.bids._levels[-level.price_e4]
    level.price_e4 += 1
    broken.bids._levels[-level.price_e4] = level
    broken.bids._heap[0] = -level.price_e4


def cross(broken: Broken) -> None:
    bid, ask = broken.level, broken.order(ASK).level
    assert ask is not None
    broken.bids._levels[-ask.price_e4] = broken.bids._levels.pop(-bid.price_e4)
    broken.bids._heap[0] = -ask.price_e4
    bid.price_e4 = ask.price_e4
    for order in bid:
        order.price_e4 = ask.price_e4


def let_another_wait(broken: Broken) -> None:
    book = broken.book()
    book.stops.remove(broken.order(STOP_BUY))
    book.at_close[STOP_BUY] = broken.order(STOP_BUY)


def equilibrium_is_off(broken: Broken) -> None:
    book = broken.book("AAPL")
    assert book.bids.equilibrium is not None
    book.bids.equilibrium.change("sell", 2_000_000, 1)
    book.published_indicative = book.indicative()


def security(broken: Broken, security_id: str = "MSFT") -> Security:
    return broken.book(security_id).security


BREAKS: dict[str, Callable[[Broken], object]] = {
    # the market
    "the order index and the books differ": forget_order,
    "the order index is out of order": reorder,
    "an empty group was kept": lambda it: it.market.groups.update({("bob", "two"): {}}),
    "a group has an order that ended": end_a_group,
    "a wrong group": rename_the_group,
    "an order that ended is open": lambda it: set_to(it.order(FIRST), ended="filled"),
    "an account misses an order": lambda it: it.alice.orders.clear(),
    "a cash hold is off": lambda it: set_to(it.order(FIRST), unit_hold_e4=1),
    "more cash is held than there is": lambda it: set_to(it.alice, cash_e4=0),
    "a share hold is off": lambda it: set_to(it.position(), held=7),
    "the shares of buy orders are off": lambda it: set_to(it.position(), buying=7),
    "a position of nothing": lambda it: set_to(it.position(), security=security(it, "AAPL")),
    "more is held than there is": lambda it: set_to(it.position(), quantity=0),
    "a short is not known": forget_short,
    "an account has an order that is not open": lambda it: it.alice.orders.update(
        {99: it.order(FIRST)}
    ),
    "an order has a wrong name": lambda it: it.alice.named_orders.update(
        {"second": it.order(FIRST)}
    ),
    "a named order is not open": lambda it: it.alice.named_orders.update(
        first=Order(
            it.order(FIRST).request,
            it.alice,
            it.position(),
            1,
            0,
            0,
        )
    ),
    "cash was made or lost": lambda it: set_to(it.alice, cash_e4=it.alice.cash_e4 + 1),
    # a book
    "an auction's price is stale": lambda it: set_to(
        it.book("AAPL"), published_indicative=(2_000_000, 7, 0)
    ),
    "an auction's price is wrong": equilibrium_is_off,
    "an auction of no kind": lambda it: set_to(security(it, "AAPL"), auction=None),
    "an order waits for no auction": lambda it: set_to(
        security(it, "AAPL"), state="closed", auction=None
    ),
    "another order waits for the closing": let_another_wait,
    "a waiting order rests in the book": lambda it: set_to(
        it.order(AT_CLOSE), level=it.order(BID_AT_AUCTION).level
    ),
    "the book is crossed": cross,
    # a side of it
    "the best level is another": lambda it: set_to(it.bids, best=None),
    "the heap misses a level": lambda it: it.bids._heap.pop(),
    "an empty level was kept": unlink_all,
    "a hidden one is first": hidden_first,
    "the last order is another": lambda it: set_to(it.level, last=it.order(FIRST)),
    "out of order": another_place,
    "an unknown place": a_place_beyond,
    "the last displayed order is another": lambda it: set_to(
        it.level, last_displayed=it.order(FIRST)
    ),
    "an order rests off the tick": move_off_the_tick,
    "a level lost count of what it shows": lambda it: set_to(it.level, quantity=0),
    "a level lost count": lambda it: set_to(it.level, undisplayed=0),
    "nothing is shown": hide_all_of_an_iceberg,
    "an order rests elsewhere": lambda it: set_to(it.order(FIRST), level=it.order(ASK).level),
    "an order rests on the wrong side": lambda it: set_to(it.bids, _side="sell"),
    "an order rests at another price": lambda it: set_to(it.order(FIRST), price_e4=1_000_000),
    # waiting stops
    "a stop without a price waits": lambda it: set_to(it.order(STOP_BUY), stop_price_e4=None),
    "a waiting stop rests in the book": lambda it: set_to(it.order(STOP_BUY), level=it.level),
    "a buy stop was not set off": lambda it: set_to(security(it), last_e4=1_030_000),
    "a sell stop was not set off": lambda it: set_to(security(it), last_e4=970_000),
}


@pytest.mark.parametrize("message", BREAKS)
def test_a_broken_state_is_noticed(message: str) -> None:
    broken = Broken()
    BREAKS[message](broken)
    with pytest.raises(AssertionError) as raised:
        broken.exchange.check_invariants()
    assert str(raised.value).splitlines()[0] == message


def test_every_invariant_is_broken_here() -> None:
    invariants = [
        node
        for path in CORE.rglob("*.py")
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef) and function.name.lstrip("_").startswith("check_")
        for node in ast.walk(function)
        if isinstance(node, ast.Assert)
    ]
    messages = [str(node.msg.value) for node in invariants if isinstance(node.msg, ast.Constant)]
    assert sorted(messages) == sorted(BREAKS), "an invariant has no message of its own, or no break"
    assert len(messages) == len(invariants), "an invariant has no message"
