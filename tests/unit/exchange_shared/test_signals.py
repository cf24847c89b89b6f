"""The signals that end a program in order."""

import asyncio
import os
import signal

import pytest

from exchange_shared.signals import stop_signal


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_a_signal_stops_in_order(number: signal.Signals) -> None:
    stop = stop_signal()
    try:
        os.kill(os.getpid(), number)
        async with asyncio.timeout(5):
            await stop.wait()
    finally:
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            asyncio.get_running_loop().remove_signal_handler(each)


@pytest.mark.parametrize(
    ("number", "echo_seconds", "times"),
    [(signal.SIGHUP, 0.0, 0), (signal.SIGTERM, 0.0, 1), (signal.SIGTERM, 60.0, 0)],
)
async def test_only_a_closing_terminal_or_an_echo_may_say_so_twice(
    number: signal.Signals, echo_seconds: float, times: int
) -> None:
    hurried: list[str] = []

    def at_last() -> None:
        hurried.append("end at once")
        raise InterruptedError  # else the process, which is pytest's, would end

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, _context: None)
    stop = stop_signal(at_last=at_last, echo_seconds=echo_seconds)
    try:
        os.kill(os.getpid(), number)
        async with asyncio.timeout(5):
            await stop.wait()
        os.kill(os.getpid(), number)
        for _ in range(10):
            await asyncio.sleep(0)
    finally:
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(each)
    assert len(hurried) == times
