"""How answers are written."""

from exchange_shared.http import ApiError
from order_entry_gateway.answers.answers import (
    Fill,
    PendingAnswer,
    encode_answer,
)


def test_answers_are_exact_json() -> None:
    answers = [PendingAnswer(7, "pending"), ApiError(422, "code", "text"), Fill(1, 420.1, 3, -0.01)]
    assert encode_answer({"answers": answers}) == (
        b'{"answers":[{"order_id":7,"status":"pending"},'
        b'{"error":{"code":"code","message":"text","field":null}},'
        b'{"trade_id":1,"price":420.1,"quantity":3,"fee":-0.01}]}'
    )
