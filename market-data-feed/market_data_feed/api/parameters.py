"""The parameters of requests, checked; those that nobody knows are refused."""

from typing import Annotated, Literal

from fastapi import Header, Path
from pydantic import BaseModel, ConfigDict, Field

Number = Annotated[int, Field(ge=0, lt=2**53)]
OrderId = Annotated[int, Path(ge=1, lt=2**53)]
Key = Annotated[str | None, Header(alias="Authorization", description="`Bearer <api_key>`")]
ClientId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]


class Read(BaseModel):
    """What every read takes."""

    model_config = ConfigDict(extra="forbid")

    min_seq: Annotated[
        Number | None,
        Field(description="Answer once the engine's event with this `seq` is applied and settled."),
    ] = None


class BookRead(Read):
    """How much of a book."""

    depth: Annotated[int, Field(ge=1, le=1_000, description="Price levels of each side.")] = 10


class Page(Read):
    """Which part of a list."""

    before: Annotated[Number | None, Field(description="Only what is older than this id.")] = None
    after: Annotated[Number, Field(description="Only what is newer than this id.")] = 0
    limit: Annotated[int, Field(ge=1, le=1_000)] = 100

    @property
    def bounds(self) -> tuple[int, int, int]:
        """Above, below, and how many."""
        return self.after, 2**53 if self.before is None else self.before, self.limit


class OrdersPage(Page):
    """Whose orders, and which. The ids are those of orders."""

    status: Literal["open"] | None = None
    client_id: ClientId | None = None


class ReportsPage(Page):
    """Whose reports, and which. The ids are `report_seq`."""

    event_type: Literal["order", "trade", "settlement"] | None = None
    client_id: ClientId | None = None


class LeaderboardRead(Read):
    """How many of the best."""

    limit: Annotated[int, Field(ge=1, le=1_000)] = 100
