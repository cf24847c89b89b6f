"""The tasks of a service: what one fails with is raised, or at least logged, and never lost."""

import asyncio

import pytest
from structlog.testing import capture_logs

from exchange_shared.bus import LogTruncated
from exchange_shared.runner import BackgroundTasks


async def fail() -> None:
    raise LookupError("a bug")


async def fail_when_cancelled() -> None:
    try:
        await asyncio.Event().wait()
    finally:
        raise LookupError("a bug in the end")


async def test_a_task_that_fails_is_raised_and_not_told_again() -> None:
    with capture_logs() as logs:
        async with BackgroundTasks() as tasks:
            tasks.start(asyncio.Event().wait(), "waits")
            tasks.start(fail(), "fails")
            with pytest.raises(LookupError, match="a bug"):
                await tasks.failed()
    assert logs == []


async def test_a_task_that_returns_is_a_failure() -> None:
    async with BackgroundTasks() as tasks:
        tasks.start(asyncio.sleep(0), "short")
        with pytest.raises(RuntimeError, match="the task short ended"):
            await tasks.failed()


async def test_failures_that_nobody_waited_for_are_logged() -> None:
    with capture_logs() as logs:
        async with BackgroundTasks() as tasks:
            tasks.start(fail(), "fails")
            tasks.start(fail_when_cancelled(), "fails in the end")
            tasks.start(asyncio.Event().wait(), "waits")
            await asyncio.sleep(0)
    assert [(entry["event"], entry["task"], str(entry["exc_info"])) for entry in logs] == [
        ("task_failed", "fails in the end", "a bug in the end"),
        ("task_failed", "fails", "a bug"),
    ]


async def test_what_must_stop_is_logged_with_its_kind_and_no_traceback() -> None:
    async def contradict() -> None:
        raise LogTruncated("the end is missing")

    with capture_logs() as logs:
        async with BackgroundTasks() as tasks:
            tasks.start(contradict(), "reads")
            await asyncio.sleep(0)
    assert logs == [
        {
            "event": "must_stop",
            "log_level": "critical",
            "task": "reads",
            "kind": "LogTruncated",
            "error": "the end is missing",
        }
    ]
