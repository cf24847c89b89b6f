"""What can go wrong between a trader and the exchange."""

from collections.abc import Sequence
from typing import Any

import msgspec

from exchange_shared.refusals import status_of
from trading_bots.models import NewOrder


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
    status = status or status_of(code)
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
