"""How a process is told to stop."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable

import structlog

ECHO_SECONDS = 1.0
"""A second signal within so long is taken for the first one again."""

log = structlog.get_logger()


def stop_signal(
    end_within_seconds: float | None = None,
    at_last: Callable[[], None] = lambda: None,
    echo_seconds: float = ECHO_SECONDS,
) -> asyncio.Event:
    """An event that SIGTERM, SIGINT and SIGHUP (of a closed terminal) set.

    A second one ends the process at once, after `at_last`; not a second SIGHUP, nor one that comes
    within `echo_seconds`: who signals a group reaches a program twice, itself and through make.

    With a limit the process ends so long after the first one, whatever still keeps it.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    began = 0.0

    def take(number: int) -> None:
        nonlocal began
        if stop.is_set():
            if number == signal.SIGHUP or loop.time() - began < echo_seconds:
                return
            at_last()
            os._exit(128 + number)
        began = loop.time()
        stop.set()
        if end_within_seconds is not None:
            _end_within(end_within_seconds)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, take, number)
    return stop


def _end_within(seconds: float) -> None:
    """End this process after so long, whatever still keeps it, and say so."""

    def end() -> None:
        log.warning("ended_unfinished", seconds=seconds)
        os._exit(0)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
