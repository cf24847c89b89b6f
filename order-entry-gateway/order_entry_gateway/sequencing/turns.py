"""Whose requests go next: cancels before orders, and in both the clients by turns."""

from collections import deque

from order_entry_gateway.answers.answers import Answer
from order_entry_gateway.answers.pending import Slot

TURN = 10
"""How many requests of a client go before it is the next one's turn."""


class Turns:
    """Requests that wait, by client. One that was answered meanwhile is passed over."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Slot[Answer]]] = {}
        self._order: deque[str] = deque()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def of(self, client_id: str) -> deque[Slot[Answer]] | tuple[()]:
        """What of a client waits, the first that came first."""
        return self._queues.get(client_id, ())

    def add(self, client_id: str, requests: list[Slot[Answer]]) -> None:
        """Let requests of a client wait behind its others."""
        queue = self._queues.get(client_id)
        if queue is None:
            queue = self._queues[client_id] = deque()
            self._order.append(client_id)
        queue.extend(requests)
        self._count += len(requests)

    def take(self, room: int) -> list[Slot[Answer]]:
        """Up to `room` of those whose turn it is; the next call goes on with the next client."""
        taken: list[Slot[Answer]] = []
        while self._order and len(taken) < room:
            client_id = self._order.popleft()
            queue = self._queues[client_id]
            end = min(len(taken) + TURN, room)
            while queue and len(taken) < end:
                request = queue.popleft()
                self._count -= 1
                if request.group.answers[request.place] is None:
                    taken.append(request)
            if queue:
                self._order.append(client_id)
            else:
                del self._queues[client_id]
        return taken


class RequestQueue:
    """Requests on their way to the log. Orders are bounded; cancels by whoever lets them in."""

    def __init__(self, max_orders: int) -> None:
        self._max_orders = max_orders
        self._orders = Turns()
        self._cancels = Turns()

    def __len__(self) -> int:
        return len(self._orders) + len(self._cancels)

    def room_for_orders(self, client_id: str, count: int) -> bool:
        """Whether a client may let so many more wait.

        It may have as many waiting as places are free: so one alone gets half of them, many get
        equal parts, and whoever has none waiting finds room beside any number of others.
        """
        own, free = len(self._orders.of(client_id)), self._max_orders - len(self._orders)
        return own + count <= free or (not own and free > 0)

    def add_orders(self, client_id: str, orders: list[Slot[Answer]]) -> None:
        """Let new orders and replacements of a client wait for their turn."""
        self._orders.add(client_id, orders)

    def add_cancel(self, client_id: str, cancel: Slot[Answer]) -> None:
        """Let a cancel wait only behind cancels."""
        self._cancels.add(client_id, [cancel])

    def orders_of(self, client_id: str) -> list[Slot[Answer]]:
        """The orders and replacements of a client that wait."""
        return [one for one in self._orders.of(client_id) if one.group.answers[one.place] is None]

    def take(self, room: int, order_room: int) -> list[Slot[Answer]]:
        """Up to `room` of those whose turn it is, among them up to `order_room` orders."""
        taken = self._cancels.take(room)
        return taken + self._orders.take(min(room - len(taken), order_room))
