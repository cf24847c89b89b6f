"""Runs services: opens what they need in order, waits for a signal, closes in reverse."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import structlog
import uvloop
from fastapi import FastAPI

from exchange_shared.bus import DATA_FEED, Bus, open_bus
from exchange_shared.garbage import collect_rarely
from exchange_shared.http import Health, HttpServer, ServerLimits
from exchange_shared.invariants import MUST_STOP_CODE, MustStop, refuse_optimized
from exchange_shared.logs import configure_logs
from exchange_shared.opening import Entrance
from exchange_shared.settings import ServiceSettings
from exchange_shared.signals import stop_signal

log = structlog.get_logger()

GRACE_SECONDS = 0.5
"""How much longer than its settings say a stopping process may take before it ends at once."""


class BackgroundTasks:
    """The tasks of a service that run for as long as it does. One that ends is a failure."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[Any]] = []
        self._told: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        """Run something in the background."""
        self._tasks.append(asyncio.create_task(work, name=name))

    async def failed(self) -> None:
        """Wait until a task ends; raises what ended it.

        Raises:
            RuntimeError: a task returned, which none of them should.
        """
        if not self._tasks:
            await asyncio.Event().wait()
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        task = done.pop()
        self._told.add(task)
        task.result()
        raise RuntimeError(f"the task {task.get_name()} ended")

    async def __aenter__(self) -> Self:
        """Start none."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Cancel them all, the latest first, and wait until each has ended.

        What one fails with that `failed` has not raised is logged: nobody else is told of it.
        """
        try:
            for task in reversed(self._tasks):
                task.cancel()
                await asyncio.wait([task])
                failure = None if task.cancelled() else task.exception()
                if failure is None or task in self._told:
                    continue
                if isinstance(failure, MustStop):
                    kind = type(failure).__name__
                    log.critical("must_stop", task=task.get_name(), kind=kind, error=str(failure))
                else:
                    log.error("task_failed", task=task.get_name(), exc_info=failure)
        finally:
            for task in self._tasks:
                task.cancel()


@dataclass(frozen=True)
class Service:
    """A service that has been wired up and runs."""

    name: str
    app: FastAPI
    tasks: BackgroundTasks


OpenService = Callable[[Bus, Health], AbstractAsyncContextManager[Service]]
"""Opens a service, which adds what it waits for to the health that it is given."""

Context = TypeVar("Context")


@contextlib.asynccontextmanager
async def serving(
    service: Service | Entrance, settings: ServiceSettings, tasks: BackgroundTasks
) -> AsyncIterator[HttpServer]:
    """Serve a service's application, or an entrance to it, while the context is open."""
    limits = ServerLimits(
        connections=settings.max_connections,
        connections_per_address=settings.max_connections_per_address,
        connections_per_client=settings.max_connections_per_client,
        head_seconds=settings.head_seconds,
        body_seconds=settings.body_seconds,
        keep_alive_seconds=settings.keep_alive_seconds,
        refusal_seconds=settings.refusal_seconds,
        websocket_frames_per_second=settings.websocket_frames_per_second,
    )
    server = HttpServer(
        service.app,
        settings.host,
        settings.port,
        settings.drain_seconds,
        limits,
        settings.trusted_proxies,
    )
    tasks.start(server.serve(), f"{service.name}-http")
    log.info("listening", service=service.name, host=settings.host, port=server.port)
    try:
        yield server
    finally:
        await server.close()


async def open_unless_stopped(
    stack: AsyncExitStack, context: AbstractAsyncContextManager[Context], stop: asyncio.Event
) -> Context | None:
    """Open something that may take for ever; `None` when it was given up to stop."""

    async def give_up() -> None:
        await stop.wait()
        limit.reschedule(asyncio.get_running_loop().time())

    try:
        async with asyncio.timeout(None) as limit:
            watch = asyncio.create_task(give_up())
            try:
                return await stack.enter_async_context(context)
            finally:
                watch.cancel()
    except TimeoutError:
        if not limit.expired():
            raise
        return None


async def until_stopped(stop: asyncio.Event, *groups: BackgroundTasks) -> None:
    """Wait for the stop event; raises what a background task fails with before that."""
    waits: list[asyncio.Task[Any]] = [asyncio.create_task(stop.wait())]
    waits += [asyncio.create_task(group.failed()) for group in groups]
    try:
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in waits:
            task.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


@contextlib.asynccontextmanager
async def _looked_for(bus: Bus) -> AsyncIterator[None]:
    """Try the bus meanwhile, so that it says what is wrong before anybody needs it."""
    look = asyncio.create_task(bus.last_position(DATA_FEED))
    try:
        yield
    finally:
        look.cancel()
        await asyncio.gather(look, return_exceptions=True)


async def _run(name: str, settings: ServiceSettings, open_service: OpenService) -> None:
    """Health first, then the service on the same port; the port closes before the service."""
    stop = stop_signal(settings.shutdown_seconds + GRACE_SECONDS)
    health = Health()
    entrance = Entrance(name, health)
    async with AsyncExitStack() as stack:
        http_tasks = await stack.enter_async_context(BackgroundTasks())
        server = await stack.enter_async_context(serving(entrance, settings, http_tasks))
        bus = await open_bus(settings.bus_url)
        stack.push_async_callback(bus.close)
        async with _looked_for(bus):
            service = await open_unless_stopped(stack, open_service(bus, health), stop)
        if service is not None:
            entrance.open(service.app)
            stack.push_async_callback(server.close)
            await until_stopped(stop, service.tasks, http_tasks)
        log.info("stopping", service=name)


def run_service(name: str, settings: ServiceSettings, open_service: OpenService) -> None:
    """Run one service as this process until SIGTERM, SIGINT or SIGHUP.

    A failure exits with code 1, and what must not go on with `MUST_STOP_CODE`.
    """
    refuse_optimized()
    configure_logs(settings.log_level, settings.log_format)
    collect_rarely()
    try:
        uvloop.run(_run(name, settings, open_service))
    except MustStop as error:
        log.critical("must_stop", kind=type(error).__name__, error=str(error), exc_info=error)
        raise SystemExit(MUST_STOP_CODE) from error
    except Exception as error:
        log.error("service_failed", exc_info=error)
        raise SystemExit(1) from error
