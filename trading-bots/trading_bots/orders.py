"""Sends orders until they are answered, with no risk that one is acted upon twice."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from trading_bots.errors import ExchangeError, OutcomeUnknown, problem_error
from trading_bots.links import pause_seconds
from trading_bots.models import NewOrder, Order
from trading_bots.sessions import OrderSession

ANSWER_SECONDS = 5.0
TRIES = 5

NOT_TAKEN_IN = (401, 429, 503)
"""Statuses that tell nothing about an earlier try: the gateway is starting, or busy."""


_FIELDS = msgspec.structs.fields(NewOrder)


class _Item(msgspec.Struct):
    status: str = ""
    error: dict[str, Any] | None = None


def with_id(order: NewOrder, make_id: Callable[[], str]) -> NewOrder:
    """The order with a `client_order_id`."""
    if order.client_order_id is not None:
        return order
    return msgspec.structs.replace(order, client_order_id=make_id())


async def send_orders(
    session: OrderSession, orders: Sequence[NewOrder], *, single: bool
) -> Sequence[Order | ExchangeError]:
    """The answers to orders that have a `client_order_id`; they are sent again while one is lost.

    Raises:
        ExchangeError: none of them was taken in.
        OutcomeUnknown: no answer after several tries.
    """
    contents = [content_of(order) for order in orders]
    message: dict[str, Any] = {"type": "batch", "orders": contents}
    if single:
        message = {"type": "new", "order": contents[0]}
    lost: ExchangeError | None = None
    for attempt in range(TRIES):
        if attempt:
            await asyncio.sleep(pause_seconds(attempt))
        try:
            raws = await session.request(message, ANSWER_SECONDS)
        except OutcomeUnknown as error:
            lost = error
            continue
        except ExchangeError as error:
            if lost is None or error.status not in NOT_TAKEN_IN:
                raise
            continue
        answers = [_answer(raw) for raw in raws]
        unknown = [answer for answer in answers if isinstance(answer, OutcomeUnknown)]
        if not unknown:
            return answers
        lost = unknown[0]
    raise OutcomeUnknown(f"no answer after {TRIES} tries", orders) from lost


def is_pending(raw: msgspec.Raw) -> bool:
    """Whether an answer says that the request is in the log, and nothing else yet."""
    return msgspec.json.decode(raw, type=_Item).status == "pending"


def content_of(order: NewOrder) -> dict[str, Any]:
    """The order as the exchange reads it, without the options that it does not use."""
    content = {
        field.name: value
        for field in _FIELDS
        if (value := getattr(order, field.name)) != field.default
    }
    content["type"] = order.order_type
    return content


def _answer(raw: msgspec.Raw) -> Order | ExchangeError:
    item = msgspec.json.decode(raw, type=_Item)
    if item.error is not None:
        return problem_error(item.error)
    if item.status == "pending":
        return OutcomeUnknown("the exchange has the order, but has not come to it yet")
    return msgspec.json.decode(raw, type=Order)
