"""The one shape in which every door of the exchange refuses."""

from typing import Any

from exchange_shared.problems import rule


class ApiError(Exception):
    """A refusal, in the one shape that every door of the exchange answers with."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        field: str | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.retry_after_seconds = retry_after_seconds

    def body(self) -> dict[str, Any]:
        """`{"error": {"code", "message", "field"}}`."""
        return {"error": {"code": self.code, "message": self.message, "field": self.field}}


def validation_error(problems: list[Any]) -> ApiError:
    """The refusal for the first of pydantic's problems: 422 `invalid_field`, naming the field."""
    problem = problems[0]
    path = [str(part) for part in problem["loc"] if part not in ("body", "query", "path")]
    field = ".".join(path) or None
    codes = {"missing": "missing_field", "extra_forbidden": "unknown_field"}
    code = codes.get(problem["type"], "invalid_field")
    return ApiError(422, code, f"{field or 'body'}: {rule(problem)}", field)
