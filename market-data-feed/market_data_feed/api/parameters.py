"""The parameters of requests, checked; those that nobody knows are refused."""

import re
from typing import Annotated, Literal

from fastapi import Depends, Header, Path, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from exchange_shared.auth import bearer_key
from exchange_shared.http.addresses import address_of
from exchange_shared.http.failed_keys import GivenKey
from market_data_feed.api.paging import Window

_DIGITS = re.compile(r"[0-9]{1,16}")


def _digits(value: object) -> object:
    """Only plain digits are a number: not `1_0`, `+1` or `1.0`."""
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        raise PydanticCustomError("digits", "a whole number of at most 16 digits is expected")
    return value


Digits = BeforeValidator(_digits)
Number = Annotated[int, Digits, Field(ge=0, lt=2**53)]
OrderId = Annotated[int, Digits, Path(ge=1, lt=2**53)]


async def _given_key(
    request: Request,
    authorization: Annotated[
        str | None, Header(alias="Authorization", description="`Bearer <api_key>`")
    ] = None,
) -> GivenKey:
    return GivenKey(bearer_key(authorization), address_of(request))


Key = Annotated[GivenKey, Depends(_given_key)]
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

    depth: Annotated[
        int, Digits, Field(ge=1, le=1_000, description="Price levels of each side.")
    ] = 10


class Page(Read):
    """Which part of a list."""

    before: Annotated[
        Number | None,
        Field(description="Only what is older than this id: the newest of it, descending."),
    ] = None
    after: Annotated[
        Number | None,
        Field(
            description="Only what is newer than this id: the oldest of it, ascending; with"
            " `before`, only what is between the two."
        ),
    ] = None
    limit: Annotated[
        int,
        Field(ge=1, le=1_000, description="How many; the header `Link` leads to the next ones."),
    ] = 100

    @property
    def window(self) -> Window:
        """Which entries these are."""
        return Window(
            after=0 if self.after is None else self.after,
            before=2**53 if self.before is None else self.before,
            limit=self.limit,
            forward=self.after is not None,
        )


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

    limit: Annotated[int, Digits, Field(ge=1, le=1_000)] = 100
