"""Events held against those of a replay, also when an earlier version wrote them."""

from typing import Any

import msgspec
import pytest

from exchange_cli.verify.checks import check_same, check_trading, without
from exchange_shared.messages import AnyEvent, Event, OrderRepeated, OrderReplaced
from exchange_shared.messages.events import LATER_FIELDS
from matching_engine.core import Exchange
from tests.support.rich_flow import SHAPES, rich_flow
from tests.support.tables import read_table

CHANGED = """\
configure balance 10,000.00 maker 0 taker 0
list MSFT tick 0.01 reference 100.00 grant 100
open alice
open bob
alice sells 10 MSFT at 100.00 named first
bob buys 4 MSFT at 100.00
alice replaces #1 quantity 8 price 101.00
alice sells 10 MSFT at 100.00 named first
"""


@pytest.fixture(scope="module")
def events() -> list[AnyEvent]:
    """What an engine does in a market of many kinds of orders."""
    exchange = Exchange()
    return [
        event for command in rich_flow(3, 3_000, SHAPES[0]) for event in exchange.apply(command)
    ]


def first(events: list[AnyEvent], kind: type[Event]) -> Any:
    """The first of a type; where it tells what an order's fills are worth, of one with fills."""
    return next(
        event for event in events if isinstance(event, kind) and getattr(event, "notional_e4", True)
    )


@pytest.mark.parametrize("kind", LATER_FIELDS, ids=lambda kind: kind.__name__)
def test_later_fields_stand_at_the_end_and_have_a_default(kind: type[Event]) -> None:
    """So records without them can be read."""
    names = LATER_FIELDS[kind]
    fields = msgspec.structs.fields(kind)
    assert tuple(field.name for field in fields[-len(names) :]) == names
    assert not any(field.required for field in fields[-len(names) :])


def test_the_events_of_an_earlier_version_are_those_that_the_log_causes(
    events: list[AnyEvent],
) -> None:
    earlier = [without(event, LATER_FIELDS.get(type(event), ())) for event in events]
    assert check_same("events", events, earlier, len(events)).problems == []
    changed = {type(old) for old, new in zip(earlier, events, strict=True) if old != new}
    assert changed == set(LATER_FIELDS)


def test_no_event_of_this_version_could_be_an_earlier_one(events: list[AnyEvent]) -> None:
    """Otherwise what it tells would not be compared."""
    for event in events:
        if type(event) in LATER_FIELDS:
            assert without(event, LATER_FIELDS[type(event)]) != event


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, names in LATER_FIELDS.items() for name in names]
)
def test_a_later_field_that_is_told_must_be_right(
    events: list[AnyEvent], kind: type[Event], name: str
) -> None:
    event = first(events, kind)
    wrong = msgspec.structs.replace(event, **{name: getattr(event, name) + 1})
    assert len(check_same("events", [event], [wrong], 1).problems) == 1


@pytest.mark.parametrize("kind", [kind for kind, names in LATER_FIELDS.items() if len(names) > 1])
def test_later_fields_are_told_together(events: list[AnyEvent], kind: type[Event]) -> None:
    event = first(events, kind)
    half = without(event, LATER_FIELDS[kind][1:])
    assert len(check_same("events", [event], [half], 1).problems) == 1


@pytest.mark.parametrize("kind", LATER_FIELDS, ids=lambda kind: kind.__name__)
def test_an_earlier_event_that_tells_something_else_is_another(
    events: list[AnyEvent], kind: type[Event]
) -> None:
    event = first(events, kind)
    other = msgspec.structs.replace(without(event, LATER_FIELDS[kind]), time_us=1)
    assert len(check_same("events", [event], [other], 1).problems) == 1


@pytest.mark.parametrize(
    ("kind", "changes", "problem"),
    [
        (OrderReplaced, {"notional_e4": 1}, "its fills are worth "),
        (OrderRepeated, {"notional_e4": 1}, "its fills are worth "),
        (OrderRepeated, {"quantity": 1}, "but was repeated as "),
        (OrderRepeated, {"price_e4": 1}, "but was repeated as "),
        (OrderRepeated, {"filled_quantity": 0}, "but was repeated as "),
    ],
)
def test_an_order_that_is_told_wrongly_is_found(
    kind: type[Event], changes: dict[str, int], problem: str
) -> None:
    exchange = Exchange()
    events = [event for command in read_table(CHANGED) for event in exchange.apply(command)]
    event = first(events, kind)
    assert check_trading(events)[0].problems == []
    wrong = msgspec.structs.replace(event, **changes)
    found = check_trading([wrong if each is event else each for each in events])[0]
    assert [problem in each for each in found.problems] == [True]
