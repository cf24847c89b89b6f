"""The way of a request into the log, and of its answer back to whoever asked."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec
import structlog

from exchange_shared.auth import hash_api_key
from exchange_shared.bus import Bus, Publisher
from exchange_shared.http import ApiError
from exchange_shared.market import MAX_TIME_STEP_US, MarketConfig
from exchange_shared.messages import (
    AnyCommand,
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
from order_entry_gateway.answers.answers import Answer, PendingAnswer
from order_entry_gateway.answers.pending import Group, Pending, Slot
from order_entry_gateway.answers.refusals import OutcomeUnknown
from order_entry_gateway.market_status import MarketStatus
from order_entry_gateway.metrics import GatewayMetrics
from order_entry_gateway.rate_limits import RateLimit
from order_entry_gateway.readiness import Readiness
from order_entry_gateway.requests.parsing import new_orders
from order_entry_gateway.requests.schemas import MassCancelRequest, ReplaceRequest
from order_entry_gateway.sequencing.confirmations import Confirmations
from order_entry_gateway.sequencing.order_ids import OrderIds
from order_entry_gateway.sequencing.schedule import PhaseStart

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

log = structlog.get_logger()


class OrderEntry:
    """Checks, numbers and publishes requests; each is answered through its `on_answered`."""

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
        orders_limit: RateLimit,
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
        self._orders_limit = orders_limit
        self._answer_seconds = answer_seconds
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._clock_us = clock_us
        self._time_us = 0
        self._fences: dict[int, int] = {}
        """The fences that are on their way into the log, and their numbers there."""

    async def new_orders(self, client_id: str, values: list[Any], on_answered: OnAnswered) -> None:
        """Take in orders as decoded JSON; bad ones are answered with their refusal.

        Raises:
            ApiError: 429 or 503, of all of them: nothing was published.
        """
        try:
            await self._orders_limit.check(client_id, len(values))
        except ApiError as refusal:
            refusals = [(value, refusal) for value in values]
            await self._confirmations.denied(client_id, refusals, self._entry.pending)
            raise
        self._readiness.check_clock()
        self._check_open(len(values))
        ids, seen = self._ids.take(len(values)), self._market_status.seq
        requests = new_orders(values, client_id, ids, self._now_us(), seen)
        orders = [request for request in requests if isinstance(request, NewOrder)]
        answers = [request if isinstance(request, ApiError) else None for request in requests]
        group: Group[Answer] = Group([*answers], on_answered, self._loop.time())
        if orders:
            self._metrics.orders.inc(len(orders))
            self._send(group, orders)
        else:
            group.close()
        if len(orders) < len(values):
            refusals = [(value, no) for value, no in zip(values, answers, strict=True) if no]
            await self._confirmations.denied(client_id, refusals, self._entry.pending)

    async def replace(
        self, client_id: str, order_id: int, wanted: ReplaceRequest, on_answered: OnAnswered
    ) -> None:
        """Take in a replacement.

        Raises:
            ApiError: 429 or 503; nothing was published.
        """
        await self._orders_limit.check(client_id)
        self._readiness.check_clock()
        make = partial(
            ReplaceOrder,
            client_id=client_id,
            order_id=order_id,
            quantity=wanted.quantity,
            price_e4=wanted.price,
        )
        self.request(make, on_answered)

    async def cancel(self, client_id: str, order_id: int, on_answered: OnAnswered) -> None:
        """Take in a cancel; raises likewise."""
        await self._orders_limit.check(client_id)
        self.request(partial(CancelOrder, client_id=client_id, order_id=order_id), on_answered)

    async def mass_cancel(
        self, client_id: str, which: MassCancelRequest, on_answered: OnAnswered
    ) -> None:
        """Take in a mass cancel; raises likewise."""
        await self._orders_limit.check(client_id)
        make = partial(
            MassCancel, client_id=client_id, security_id=which.security_id, side=which.side
        )
        self.request(make, on_answered)

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
            self._entry.put([ClockTick(time_us=self._now_us())])

    def begin_phase(self, phase: PhaseStart) -> bool:
        """Tell the engine that a phase begins; returns whether it could be told."""
        if self._can_tell():
            self._entry.put([_begins(phase, self._now_us())])
            return True
        return False

    def configure(
        self, market: MarketConfig, phases: Sequence[PhaseStart], on_answered: OnAnswered
    ) -> None:
        """Publish the node's fence and the market's terms, however long the answers may take.

        The phases go first, so that new securities are listed in the state of the last.
        """
        now_us = self._now_us()
        self._entry.put([_begins(phase, now_us) for phase in phases])
        fence_id, *ids = self._ids.take(2 + len(market.securities))
        fence = FenceNode(time_us=now_us, request_id=fence_id)
        commands = [fence, *market.commands(ids, now_us)]
        group: Group[Answer] = Group([None] * len(commands), on_answered, self._loop.time())
        self._send(group, commands, expires=False)

    def take_node(self, on_answered: OnAnswered) -> bool:
        """Publish the fence of a new node likewise, if there is room."""
        if not self._entry.room_for(1) or not self._ids.room_for(1):
            return False
        fence = FenceNode(time_us=self._now_us(), request_id=self._ids.take(1)[0])
        self._send(Group([None], on_answered, self._loop.time()), [fence], expires=False)
        return True

    def fence(self, last_id: int) -> bool:
        """Publish the fence of a node that another gateway has lost; returns whether it is there.

        Nobody waits for its answer: when the node has a new holder, it is refused.
        """
        seq = self._fences.get(last_id)
        if seq is None and self._can_tell():
            fence = FenceNode(time_us=self._now_us(), request_id=last_id)
            self._fences[last_id] = self._entry.put([fence])
        if seq is None or self._entry.confirmed_seq < seq:
            return False
        del self._fences[last_id]
        return True

    def complete(self, group: Group[Answer]) -> None:
        """Hand over the answers of a group that the engine has answered in full."""
        self._metrics.answer_seconds.observe(self._loop.time() - group.began)
        group.close()

    def request(self, make: Callable[..., Request], on_answered: OnAnswered) -> None:
        """Take in any other request: `make` gets `request_id` and `time_us`.

        Raises:
            ApiError: 503; nothing was published.
        """
        self._check_open(1)
        (request_id,) = self._ids.take(1)
        command = make(request_id=request_id, time_us=self._now_us())
        self._send(Group([None], on_answered, self._loop.time()), [command])

    def _can_tell(self) -> bool:
        """Whether commands without an answer can be published now."""
        return (
            self._readiness.problem() is None
            and self._bus.unavailable_reason() is None
            and self._entry.room_for(1)
        )

    def _check_open(self, count: int) -> None:
        """Raises `ApiError` 503 when requests cannot be taken in now."""
        self._readiness.check()
        problem = self._bus.unavailable_reason()
        if problem is not None:
            message = f"nothing was sent: {problem}"
            raise ApiError(503, "bus_unavailable", message, retry_after_seconds=1)
        room = (
            self._pending.room_for(count)
            and self._entry.room_for(count)
            and self._confirmations.room_for(self._entry.pending + count)
        )
        if not room:
            message = "nothing was sent: too many requests wait already"
            raise ApiError(503, "overloaded", message, retry_after_seconds=1)
        if not self._ids.room_for(count):
            message = "the ids that are reserved for the gateway's node are used up"
            raise ApiError(503, "not_ready", message, retry_after_seconds=1)

    def _send(
        self,
        group: Group[Answer],
        commands: Sequence[AnyCommand],
        *,
        expires: bool = True,
    ) -> None:
        """Publish the commands for the group's empty places, and wait for their answers."""
        places = [place for place, answer in enumerate(group.answers) if answer is None]
        for place, command in zip(places, commands, strict=True):
            self._pending.add(_id_of(command), Slot(group, place, command))
        group.entry_seq = self._entry.put(commands)
        log.debug("sequenced", ids=group.ids, last_seq=group.entry_seq)
        if expires:
            group.timer = self._loop.call_later(self._answer_seconds, self._expire, group)

    def _expire(self, group: Group[Answer]) -> None:
        """Answer what the engine has not: pending when it is in the log, unknown otherwise."""
        confirmed = self._entry.confirmed_seq >= group.entry_seq
        for slot in self._pending.give_up(group):
            group.answer(slot.place, _late_answer(slot.command, confirmed))
        group.close()

    def _now_us(self) -> int:
        """The clock, but never back, unless it was set."""
        now_us = self._clock_us()
        if now_us > self._time_us or self._time_us - now_us > MAX_TIME_STEP_US:
            self._time_us = now_us
        return self._time_us


def _begins(phase: PhaseStart, time_us: int) -> BeginPhase:
    """The command for a phase: where there is a schedule, the day is the market's own."""
    return BeginPhase(time_us=time_us, **phase._asdict(), day_ends_at_close=bool(phase.schedule_id))


def _id_of(command: AnyCommand) -> int:
    """The id under which the engine answers a command."""
    assert not isinstance(command, ClockTick | BeginPhase), "the passing of time has no answer"
    return command.order_id if isinstance(command, NewOrder) else command.request_id


def _late_answer(command: AnyCommand, confirmed: bool) -> Answer:
    """What can be said of a command that the engine has not answered in time."""
    order_id = None
    if isinstance(command, NewOrder | ReplaceOrder | CancelOrder):
        order_id = command.order_id
    if confirmed:
        return PendingAnswer(msgspec.UNSET if order_id is None else order_id, "pending")
    details = {} if order_id is None else {"order_id": order_id}
    message = f"the log has not confirmed the request in time; {_advice(command)}"
    return OutcomeUnknown(message, details)


def _advice(command: AnyCommand) -> str:
    match command:
        case OpenAccount():
            return "ask again with the same client_id and api_key"
        case NewOrder(client_order_id=None):
            return "see whether the order exists before you send another"
        case NewOrder():
            return f"repeat the order with the same client_order_id {command.client_order_id}"
        case ReplaceOrder():
            return "see what the order is now before you replace it again"
        case _:
            return "it is safe to repeat it"
