"""What can be said of a request that the engine has not answered in time."""

import msgspec

from exchange_shared.http import ApiError
from exchange_shared.messages import AnyCommand, CancelOrder, NewOrder, OpenAccount, ReplaceOrder
from order_entry_gateway.answers.answers import Answer, PendingAnswer
from order_entry_gateway.answers.refusals import OutcomeUnknown


def late_answer(command: AnyCommand, confirmed: bool) -> Answer:
    """Of a command that was published: pending when it is in the log, unknown otherwise."""
    order_id = None
    if isinstance(command, NewOrder | ReplaceOrder | CancelOrder):
        order_id = command.order_id
    if confirmed:
        return PendingAnswer(msgspec.UNSET if order_id is None else order_id, "pending")
    details = {} if order_id is None else {"order_id": order_id}
    message = f"the log has not confirmed the request in time; {_advice(command)}"
    return OutcomeUnknown(message, details)


def overloaded(reason: str) -> ApiError:
    """503 `overloaded`: the request was not published, and will not be."""
    return ApiError(503, "overloaded", f"nothing was sent: {reason}", retry_after_seconds=1)


def withdrawn() -> ApiError:
    """409 `withdrawn`: likewise, because a cancel of the same client went first."""
    message = "nothing was sent: your cancel came while this waited for its turn, and went first"
    return ApiError(409, "withdrawn", message)


def _advice(command: AnyCommand) -> str:
    match command:
        case OpenAccount():
            return "ask again with the same client_id and api_key"
        case NewOrder(client_order_id=None):
            return "see whether the order exists before you send another"
        case NewOrder():
            return f"repeat the order with the same client_order_id {command.client_order_id}"
        case ReplaceOrder():
            return "see what the order is now before you replace it again"
        case _:
            return "it is safe to repeat it"
