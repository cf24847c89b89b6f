"""An answer to an order reads the same as it happens and from its row, whatever kind it is of."""

from typing import Any

import pytest

from exchange_shared.messages import OrderRejected, OrderRepeated, OrderReport
from market_data_feed.projections import Projections
from market_data_feed.projections.changes import OrderAnswer
from market_data_feed.storage.rows import ORDER_REPORT_COLUMNS, Rows, order_report_of
from market_data_feed.views import orders as order_views

ORDER: dict[str, Any] = {
    "client_id": "bob",
    "security_id": "MSFT",
    "side": "buy",
    "quantity": 7,
    "price_e4": 1_000_000,
    "client_order_id": "mine",
}
CONFIRMED = OrderReport(time_us=5_000, order_id=11, status="confirmed", **ORDER)
REJECTED = OrderRejected(
    seq=5,
    time_us=5_000,
    order_id=11,
    order_type="limit",
    reason="insufficient_funds",
    message="no",
    **ORDER,
)
REPEATED = OrderRepeated(
    seq=5,
    time_us=5_000,
    request_id=12,
    order_id=11,
    client_id="bob",
    client_order_id="mine",
    security_id="MSFT",
    status="filled",
    filled_quantity=7,
    remaining_quantity=0,
    notional_e4=7_000_000,
)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (CONFIRMED, (11, "confirmed", "buy", 7, 100.0, None, None)),
        (REJECTED, (11, "denied", "buy", 7, 100.0, "insufficient_funds", "no")),
        (
            REPEATED,
            (12, "denied", None, None, None, "order_repeated",
             "the same order came before: it is order 11"),
        ),
    ],
)  # fmt: skip
def test_an_answer_is_told_the_same_live_and_from_its_row(
    answer: OrderAnswer, told: tuple[object, ...]
) -> None:
    projections = Projections()
    projections.apply(answer)
    changes = projections.take_changes()
    (row,) = Rows.of(changes).order_reports

    ((number, record),) = changes.order_reports
    live = dict(order_views.order_report(number, record))
    stored = order_report_of(dict(zip(ORDER_REPORT_COLUMNS, row, strict=True)))

    names = ("order_id", "status", "side", "quantity", "price", "reason", "message")
    assert tuple(live[name] for name in names) == told
    assert order_views.order_report(number, stored) == live
