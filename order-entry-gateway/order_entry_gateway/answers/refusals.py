"""Refusals that tell more than the error shape: the engine's, and those without a certain end."""

from typing import Any

from exchange_shared.http import ApiError
from exchange_shared.refusals import field_of, status_of


class EngineRefusal(ApiError):
    """The engine refused a command. The error shape, with the order's id and the event's `seq`."""

    def __init__(
        self, reason: str, message: str, seq: int, order_id: int | None, field: str | None = None
    ) -> None:
        """Without a `field` it is the one that the reason is usually about."""
        super().__init__(status_of(reason), reason, message, field or field_of(reason))
        self.seq = seq
        self.order_id = order_id

    def body(self) -> dict[str, Any]:
        """`{"error": {…}, "order_id", "seq"}`; without the id when no order was meant."""
        ids = {} if self.order_id is None else {"order_id": self.order_id}
        return {**super().body(), **ids, "seq": self.seq}


class OutcomeUnknown(ApiError):
    """Nobody can say yet whether the command is in the log; `details` help to ask again."""

    def __init__(self, message: str, details: dict[str, Any]) -> None:
        super().__init__(503, "outcome_unknown", message, retry_after_seconds=1)
        self.details = details

    def body(self) -> dict[str, Any]:
        """`{"error": {…}, …}`."""
        return {**super().body(), **self.details}
