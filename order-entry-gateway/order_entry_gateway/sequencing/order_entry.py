"""The way of a request into the log, and of its answer back to whoever asked."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from exchange_shared.auth import hash_api_key
from exchange_shared.bus import Bus, Publisher
from exchange_shared.http import ApiError
from exchange_shared.market import MarketConfig
from exchange_shared.messages import (
    BeginPhase,
    CancelOrder,
    ClockTick,
    ConfirmTime,
    FenceNode,
    ListSecurity,
    MassCancel,
    NewOrder,
    OpenAccount,
    ReplaceOrder,
    SetClientLimits,
    SetMarketState,
    SuspendClient,
)
from order_entry_gateway.answers.answers import Answer
from order_entry_gateway.answers.late import overloaded, withdrawn
from order_entry_gateway.answers.pending import Group, Pending
from order_entry_gateway.market_status import MarketStatus
from order_entry_gateway.metrics import GatewayMetrics
from order_entry_gateway.rate_limits import ClientRates, RateLimit
from order_entry_gateway.readiness import Readiness
from order_entry_gateway.requests.parsing import new_orders
from order_entry_gateway.requests.schemas import MassCancelRequest, ReplaceRequest
from order_entry_gateway.sequencing.batches import OpenBatches
from order_entry_gateway.sequencing.clock import AscendingClock
from order_entry_gateway.sequencing.confirmations import Confirmations
from order_entry_gateway.sequencing.order_ids import OrderIds
from order_entry_gateway.sequencing.schedule import PhaseStart
from order_entry_gateway.sequencing.sequencer import UNNUMBERED, Sequencer, is_about
from order_entry_gateway.sequencing.turns import RequestQueue

Request = (
    CancelOrder
    | ConfirmTime
    | MassCancel
    | OpenAccount
    | ReplaceOrder
    | ListSecurity
    | SetClientLimits
    | SetMarketState
    | SuspendClient
)
"""The commands of which each request makes one."""

OnAnswered = Callable[[list[Answer]], None]

PARSED_AT_ONCE = 20
"""Orders of a batch that are checked before others are served again."""


@dataclass(frozen=True, kw_only=True)
class OrderFlow:
    """How fast each client may send orders and cancels, and how many of all may be on their way.

    While the engine is later than `max_lag_seconds` no orders are taken in; with 0 they always are.
    """

    rates: ClientRates
    orders_limit: RateLimit
    cancels_limit: RateLimit
    max_queued: int
    max_unanswered: int
    max_lag_seconds: float


class OrderEntry:
    """Checks requests, and lets them into the log; each is answered through its `on_answered`.

    Orders, replacements and cancels wait for their turn; what the operator asks for, and accounts,
    goes at once.
    """

    def __init__(
        self,
        *,
        bus: Bus,
        entry: Publisher,
        confirmations: Confirmations,
        ids: OrderIds,
        pending: Pending[Answer],
        readiness: Readiness,
        market_status: MarketStatus,
        flow: OrderFlow,
        answer_seconds: float,
        metrics: GatewayMetrics,
        clock_us: Callable[[], int],
    ) -> None:
        self._bus = bus
        self._entry = entry
        self._confirmations = confirmations
        self._ids = ids
        self._pending = pending
        self._readiness = readiness
        self._market_status = market_status
        self._flow = flow
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._clock = AscendingClock(clock_us)
        self._queue = RequestQueue(flow.max_queued)
        self._sequencer = Sequencer(
            entry=entry,
            queue=self._queue,
            ids=ids,
            pending=pending,
            max_unanswered=flow.max_unanswered,
            answer_seconds=answer_seconds,
            clock=self._clock,
            on_complete=self.complete,
        )
        self._batches = OpenBatches()
        self._fences: dict[int, int] = {}
        """The fences that are on their way into the log, and their numbers there."""

    @property
    def queued(self) -> int:
        """How many requests wait for their turn."""
        return len(self._queue)

    async def new_orders(self, client_id: str, values: list[Any], on_answered: OnAnswered) -> None:
        """Take in orders as decoded JSON; bad ones are answered with their refusal.

        Raises:
            ApiError: 429 or 503, of all of them: nothing was published.
        """
        try:
            self._flow.orders_limit.check(client_id, len(values), self._flow.rates.of(client_id))
        except ApiError as refusal:
            self._deny(client_id, [(value, refusal) for value in values])
            raise
        requests, cancels = await self._checked(client_id, values)
        answers = [self._answer_at_once(request, cancels) for request in requests]
        orders = [
            request
            for request, answer in zip(requests, answers, strict=True)
            if answer is None and isinstance(request, NewOrder)
        ]
        group: Group[Answer] = Group(answers, on_answered, self._loop.time())
        if orders:
            self._metrics.orders.inc(len(orders))
            self._sequencer.take_in(client_id, group, orders)
        else:
            group.close()
        checked = zip(values, requests, strict=True)
        refusals = [(value, no) for value, no in checked if isinstance(no, ApiError)]
        if refusals:
            self._deny(client_id, refusals)

    def replace(
        self, client_id: str, order_id: int, wanted: ReplaceRequest, on_answered: OnAnswered
    ) -> None:
        """Take in a replacement.

        Raises:
            ApiError: 429 or 503; nothing was published.
        """
        self._flow.orders_limit.check(client_id, rate=self._flow.rates.of(client_id))
        self._check_orders(client_id, 1)
        command = ReplaceOrder(
            time_us=UNNUMBERED,
            request_id=UNNUMBERED,
            client_id=client_id,
            order_id=order_id,
            quantity=wanted.quantity,
            price_e4=wanted.price,
        )
        self._sequencer.take_in(client_id, Group([None], on_answered, self._loop.time()), [command])

    def cancel(self, client_id: str, order_id: int, on_answered: OnAnswered) -> None:
        """Take in a cancel, which goes before orders, also while no more of those are taken.

        Raises:
            ApiError: 429 or 503; nothing was published.
        """
        command = CancelOrder(
            time_us=UNNUMBERED, request_id=UNNUMBERED, client_id=client_id, order_id=order_id
        )
        self._overtake(client_id, command, on_answered)

    def mass_cancel(
        self, client_id: str, which: MassCancelRequest, on_answered: OnAnswered
    ) -> None:
        """Take in a mass cancel; likewise, and raises likewise."""
        command = MassCancel(
            time_us=UNNUMBERED,
            request_id=UNNUMBERED,
            client_id=client_id,
            security_id=which.security_id,
            side=which.side,
        )
        self._overtake(client_id, command, on_answered)
        self._batches.overtake(command)

    def open_account(self, client_id: str, api_key: str, on_answered: OnAnswered) -> None:
        """Take in a request for an account.

        Raises:
            ApiError: 503; nothing was published.
        """
        make = partial(
            OpenAccount, client_id=client_id, api_key_hash=hash_api_key(api_key), any_case=True
        )
        self.request(make, on_answered)

    def tick(self) -> None:
        """Let the engine's time pass, if it can be told; nobody waits for an answer."""
        if self._can_tell():
            self._entry.put([ClockTick(time_us=self._clock.now_us())])

    def begin_phase(self, phase: PhaseStart) -> bool:
        """Tell the engine that a phase begins; returns whether it could be told."""
        if self._can_tell():
            self._entry.put([_begins(phase, self._clock.now_us())])
            return True
        return False

    def configure(
        self, market: MarketConfig, phases: Sequence[PhaseStart], on_answered: OnAnswered
    ) -> None:
        """Publish the node's fence and the market's terms, however long the answers may take.

        The phases go first, so that new securities are listed in the state of the last.
        """
        now_us = self._clock.now_us()
        self._entry.put([_begins(phase, now_us) for phase in phases])
        fence_id, *ids = self._ids.take(2 + len(market.securities))
        fence = FenceNode(time_us=now_us, request_id=fence_id)
        commands = [fence, *market.commands(ids, now_us)]
        group: Group[Answer] = Group([None] * len(commands), on_answered, self._loop.time())
        self._sequencer.send(group, commands, expires=False)

    def take_node(self, on_answered: OnAnswered) -> bool:
        """Publish the fence of a new node likewise, if there is room."""
        if not self._entry.room_for(1) or not self._ids.room_for(1):
            return False
        fence = FenceNode(time_us=self._clock.now_us(), request_id=self._ids.take(1)[0])
        group: Group[Answer] = Group([None], on_answered, self._loop.time())
        self._sequencer.send(group, [fence], expires=False)
        return True

    def fence(self, last_id: int) -> bool:
        """Publish the fence of a node that another gateway has lost; returns whether it is there.

        Nobody waits for its answer: when the node has a new holder, it is refused.
        """
        seq = self._fences.get(last_id)
        if seq is None and self._can_tell():
            fence = FenceNode(time_us=self._clock.now_us(), request_id=last_id)
            self._fences[last_id] = self._entry.put([fence])
        if seq is None or self._entry.confirmed_seq < seq:
            return False
        del self._fences[last_id]
        return True

    def complete(self, group: Group[Answer]) -> None:
        """Hand over the answers of a group that has them all."""
        self._metrics.answer_seconds.observe(self._loop.time() - group.began)
        group.close()

    def answers_came(self) -> None:
        """The engine has answered some: others may follow them."""
        self._sequencer.answers_came()

    async def drain(self) -> None:
        """Publish all that was taken in; returns when it is durable."""
        await self._sequencer.drain()

    def request(self, make: Callable[..., Request], on_answered: OnAnswered) -> None:
        """Take in any other request: `make` gets `request_id` and `time_us`.

        Raises:
            ApiError: 503; nothing was published.
        """
        self._check_open(1)
        (request_id,) = self._ids.take(1)
        command = make(request_id=request_id, time_us=self._clock.now_us())
        self._sequencer.send(Group([None], on_answered, self._loop.time()), [command])

    async def _checked(
        self, client_id: str, values: list[Any]
    ) -> tuple[list[NewOrder | ApiError], list[MassCancel]]:
        """The orders or their refusals, and the mass cancels that came while they were checked.

        Raises:
            ApiError: 503: the orders cannot be taken in.
        """
        self._check_orders(client_id, len(values))
        seen_seq = self._market_status.seq
        requests = new_orders(values[:PARSED_AT_ONCE], client_id, seen_seq)
        with self._batches.open(client_id) as cancels:
            for first in range(PARSED_AT_ONCE, len(values), PARSED_AT_ONCE):
                await asyncio.sleep(0)  # others are served, and may fill the queue
                self._check_orders(client_id, len(values))
                requests += new_orders(values[first : first + PARSED_AT_ONCE], client_id, seen_seq)
        return requests, cancels

    def _answer_at_once(
        self, request: NewOrder | ApiError, cancels: list[MassCancel]
    ) -> Answer | None:
        """Why an order is not sent, if it is not; one that a cancel has overtaken is reported."""
        if isinstance(request, ApiError):
            return request
        if not any(is_about(cancel, request) for cancel in cancels):
            return None
        self._confirmations.withdrawn(request, withdrawn())
        return withdrawn()

    def _can_tell(self) -> bool:
        """Whether commands without an answer can be published now."""
        return (
            self._readiness.problem() is None
            and self._bus.unavailable_reason() is None
            and self._entry.room_for(1)
        )

    def _overtake(
        self, client_id: str, cancel: CancelOrder | MassCancel, on_answered: OnAnswered
    ) -> None:
        self._flow.cancels_limit.check(client_id, rate=self._flow.rates.of(client_id))
        self._check_open(1)
        group: Group[Answer] = Group([None], on_answered, self._loop.time())
        for order in self._sequencer.overtake(client_id, group, cancel):
            self._confirmations.withdrawn(order, withdrawn())

    def _check_orders(self, client_id: str, count: int) -> None:
        """Raises `ApiError` 503 when orders are better not taken in now: they would wait."""
        self._readiness.check_clock()
        self._check_open(count)
        most = self._flow.max_lag_seconds
        if most and self._sequencer.lag_seconds > most:
            reason = f"the matching engine is more than {most:g} s late; cancels go on"
        elif not self._queue.room_for_orders(client_id, count):
            reason = "too many orders, yours among them, wait for their turn; cancels go on"
        else:
            return
        self._metrics.refused.labels("overloaded").inc(count)
        raise overloaded(reason)

    def _check_open(self, count: int) -> None:
        """Raises `ApiError` 503 when requests cannot be taken in now."""
        self._readiness.check()
        problem = self._bus.unavailable_reason()
        if problem is not None:
            message = f"nothing was sent: {problem}"
            raise ApiError(503, "bus_unavailable", message, retry_after_seconds=1)
        count += len(self._queue)
        room = (
            self._pending.room_for(count)
            and self._entry.room_for(count)
            and self._confirmations.room_for(self._entry.pending + count)
        )
        if not room:
            raise overloaded("too many requests wait already")
        if not self._ids.room_for(count):
            message = "the ids that are reserved for the gateway's node are used up"
            raise ApiError(503, "not_ready", message, retry_after_seconds=1)

    def _deny(self, client_id: str, refusals: list[tuple[Any, ApiError]]) -> None:
        """Report orders that are refused here."""
        self._confirmations.denied(client_id, refusals, self._entry.pending + len(self._queue))


def _begins(phase: PhaseStart, time_us: int) -> BeginPhase:
    """The command for a phase: where there is a schedule, the day is the market's own."""
    return BeginPhase(time_us=time_us, **phase._asdict(), day_ends_at_close=bool(phase.schedule_id))
