"""Lists in parts: which part is asked for, and where the one after it is."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from fastapi import Request, Response

from exchange_shared.http import json_response

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Window:
    """The entries numbered above `after` and below `before`, `limit` of them at the most.

    They are the oldest of these and ascend if it is `forward`, else the newest, and descend.
    """

    after: int
    before: int
    limit: int
    forward: bool

    @property
    def bounds(self) -> tuple[int, int, int]:
        """Above, below, and how many to look for: one more tells whether there is a next part."""
        return self.after, self.before, self.limit + 1

    def among(self, entries: Iterable[T], number_of: Callable[[T], int]) -> list[T]:
        """Those to look at among entries that ascend as the window does, or descend."""
        inside = (one for one in entries if self.after < number_of(one) < self.before)
        return list(islice(inside, self.limit + 1))


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """A part of a list. `next` says which parameter with which value asks for the next part."""

    entries: list[T]
    next: tuple[str, int] | None

    @classmethod
    def of(cls, found: list[T], window: Window, number_of: Callable[[T], int]) -> "Part[T]":
        """What was found for a window, less the one that only tells that there is more."""
        entries = found[: window.limit]
        if len(found) == len(entries):
            return cls(entries, None)
        return cls(entries, ("after" if window.forward else "before", number_of(entries[-1])))

    def response(self, request: Request) -> Response:
        """The entries as an array, and the next part as a link (RFC 8288), if there is one now."""
        response = json_response(self.entries)
        if self.next is not None:
            name, number = self.next
            query = urlencode({**request.query_params, name: number})
            response.headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
        return response


LINKED: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": {
            "Link": {
                "description": '`<…>; rel="next"`: the next part of the list, if there is one now.',
                "schema": {"type": "string"},
            }
        }
    }
}
"""What the API page says of the answers that are a part of a list."""
