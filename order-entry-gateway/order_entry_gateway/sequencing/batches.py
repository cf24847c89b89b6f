"""Batches of which the orders are still being checked, and so are in no queue yet."""

import contextlib
from collections.abc import Iterator

from exchange_shared.messages import MassCancel


class OpenBatches:
    """Remembers, while batches of a client are checked, the mass cancels that came meanwhile.

    A batch that the gateway has begun to check was sent before such a cancel, by whatever
    connection either came: its orders must not come into the book after it.
    """

    def __init__(self) -> None:
        self._cancels: dict[str, list[list[MassCancel]]] = {}

    @contextlib.contextmanager
    def open(self, client_id: str) -> Iterator[list[MassCancel]]:
        """While a batch is checked: the list gets the mass cancels that are about it."""
        cancels: list[MassCancel] = []
        batches = self._cancels.setdefault(client_id, [])
        batches.append(cancels)
        try:
            yield cancels
        finally:
            batches[:] = [one for one in batches if one is not cancels]
            if not batches:
                del self._cancels[client_id]

    def overtake(self, cancel: MassCancel) -> None:
        """Let a mass cancel be about all batches of its client that are being checked."""
        for cancels in self._cancels.get(cancel.client_id, ()):
            cancels.append(cancel)
