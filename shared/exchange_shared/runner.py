"""Runs services: opens what they need in order, waits for a signal, closes in reverse."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Any, Self

import structlog
import uvloop
from fastapi import FastAPI

from exchange_shared.bus import Bus, open_bus
from exchange_shared.http import HttpServer
from exchange_shared.invariants import MUST_STOP_CODE, MustStop, refuse_optimized
from exchange_shared.logs import configure_logs
from exchange_shared.settings import ServiceSettings
from exchange_shared.signals import stop_signal

log = structlog.get_logger()


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
                if failure is not None and task not in self._told:
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


OpenService = Callable[[Bus], AbstractAsyncContextManager[Service]]


@contextlib.asynccontextmanager
async def serving(
    service: Service, settings: ServiceSettings, tasks: BackgroundTasks
) -> AsyncIterator[HttpServer]:
    """Serve a service's application while the context is open."""
    server = HttpServer(service.app, settings.host, settings.port, settings.shutdown_seconds)
    serve = asyncio.create_task(server.serve(), name=f"{service.name}-http")
    tasks.start(_watch(serve), f"{service.name}-http")
    log.info("listening", service=service.name, host=settings.host, port=server.port)
    try:
        yield server
    finally:
        server.stop()
        await asyncio.wait([serve], timeout=settings.shutdown_seconds)


async def _watch(server: asyncio.Task[None]) -> None:
    """End when a server ends, but do not end it: cancelling this leaves it time to drain."""
    await asyncio.shield(server)


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


async def _run(settings: ServiceSettings, open_service: OpenService) -> None:
    stop = stop_signal()
    async with AsyncExitStack() as stack:
        bus = await open_bus(settings.bus_url)
        stack.push_async_callback(bus.close)
        service = await stack.enter_async_context(open_service(bus))
        http_tasks = await stack.enter_async_context(BackgroundTasks())
        await stack.enter_async_context(serving(service, settings, http_tasks))
        await until_stopped(stop, service.tasks, http_tasks)
        log.info("stopping", service=service.name)


def run_service(settings: ServiceSettings, open_service: OpenService) -> None:
    """Run one service as this process until SIGTERM or SIGINT.

    A failure exits with code 1, and what must not go on with `MUST_STOP_CODE`.
    """
    refuse_optimized()
    configure_logs(settings.log_level, settings.log_format)
    try:
        uvloop.run(_run(settings, open_service))
    except MustStop as error:
        log.critical("must_stop", kind=type(error).__name__, error=str(error), exc_info=error)
        raise SystemExit(MUST_STOP_CODE) from error
    except Exception as error:
        log.error("service_failed", exc_info=error)
        raise SystemExit(1) from error
