"""What can go wrong between a trader and the exchange."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from trading_bots.models import NewOrder

REFUSED = 422
"""The status of a refusal that does not say another one."""

_STATUS: Mapping[str, int] = {
    "malformed_json": 400,
    "no_api_key": 401,
    "not_logged_in": 401,
    "unknown_api_key": 401,
    "client_suspended": 403,
    "not_your_account": 403,
    "operator_only": 403,
    "unknown_client": 404,
    "unknown_order": 404,
    "unknown_security": 404,
    "api_key_in_use": 409,
    "auction_over": 409,
    "client_id_taken": 409,
    "client_order_id_reused": 409,
    "market_closed": 409,
    "no_continuous_trading": 409,
    "not_replaceable": 409,
    "quantity_filled": 409,
    "trading_halted": 409,
    "body_too_large": 413,
    "rate_limited": 429,
    "bus_unavailable": 503,
    "not_ready": 503,
    "outcome_unknown": 503,
    "overloaded": 503,
    "slow_consumer": 503,
    "too_many_streams": 503,
    "unavailable": 503,
}
"""What a WebSocket does not tell: the status that the same refusal has over HTTP."""


class ExchangeError(Exception):
    """The exchange refused a request, or could not be reached.

    Attributes:
        code: a stable name, such as `insufficient_funds`; `docs/errors.md` lists them. The client
            itself adds `unreachable`: nothing was done, because nobody answered, and those of
            `ReportsLost`.
        message: what is wrong, for people.
        field: the field of the request that is wrong, if it is one.
        status: the HTTP status, also for refusals that came over a WebSocket.
        retry_after_seconds: when to try again, where the exchange says so.
    """

    def __init__(
        self,
        code: str,
        message: str,
        field: str | None = None,
        status: int = 503,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.field = field
        self.status = status
        self.retry_after_seconds = retry_after_seconds


class OutcomeUnknown(ExchangeError):
    """The connection was lost before the answer came: the exchange may have acted, or not.

    Attributes:
        orders: what was sent, each order with its `client_order_id`. It is safe to send them again
            as they are: the exchange acts on each once, and answers with what became of it.
    """

    def __init__(self, message: str, orders: Sequence[NewOrder] = ()) -> None:
        super().__init__("outcome_unknown", message, status=503)
        self.orders = orders

    @property
    def client_order_id(self) -> str | None:
        """Under which id a single order can be repeated."""
        return self.orders[0].client_order_id if len(self.orders) == 1 else None


class ReportsLost(ExchangeError):
    """Execution reports may be missing after those that were read.

    The code is `connection_lost`, or `slow_consumer` when too many waited to be read. To go on,
    make a new reader first, then read the balance, the holdings and the open orders, and pass over
    the reports whose `seq` is not above theirs.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(code, f"{reason}; reports may be missing")


def problem_error(
    problem: Any, status: int | None = None, retry_after_seconds: float | None = None
) -> ExchangeError:
    """The exception for the `error` object of an answer, whatever it looks like."""
    fields = problem if isinstance(problem, dict) else {}
    code = str(fields.get("code", "refused"))
    message = str(fields.get("message", "the exchange gave no reason"))
    if code == "outcome_unknown":
        return OutcomeUnknown(message)
    status = status or _STATUS.get(code, REFUSED)
    return ExchangeError(code, message, fields.get("field"), status, retry_after_seconds)


def refusal(
    body: bytes, status: int | None = None, retry_after: str | None = None
) -> ExchangeError:
    """The exception for an answer that is not a success, whatever its body looks like."""
    seconds = float(retry_after) if retry_after and retry_after.isdecimal() else None
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        content = None
    if not isinstance(content, dict) or "error" not in content:
        content = {"error": {"message": f"status {status}: {body[:200].decode(errors='replace')}"}}
    return problem_error(content["error"], status, seconds)
