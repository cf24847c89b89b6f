"""`python -m tests.chaos`: a run of faults; exits with 1 when something did not hold."""

import argparse
import asyncio
import os
import secrets
import signal
import sys

from exchange_shared.logs import configure_logs
from tests.chaos.report import Report
from tests.chaos.run import Plan, run
from tests.chaos.schedule import SHORT, Durations


def main() -> int:
    """Read the command line and do it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--seed", type=int, default=None, help="of an earlier run: the same faults")
    parser.add_argument("--gateways", type=int, default=3)
    parser.add_argument("--traders", type=int, default=6)
    parser.add_argument("--short", action="store_true", help="faults as brief as in the tests")
    arguments = parser.parse_args()
    plan = Plan(
        seed=secrets.randbelow(1_000_000) if arguments.seed is None else arguments.seed,
        seconds=arguments.minutes * 60,
        durations=SHORT if arguments.short else Durations(),
        gateways=arguments.gateways,
        traders=arguments.traders,
    )
    configure_logs("warning", "text")
    load = os.getloadavg()[0]
    print(f"seed {plan.seed}, {arguments.minutes:g} minutes, load average {load:.1f}", flush=True)
    try:
        report = asyncio.run(_run_until_stopped(plan))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("stopped", file=sys.stderr)
        return 130
    print(f"load average {os.getloadavg()[0]:.1f}\n{report}", flush=True)
    return 1 if report.violations else 0


async def _run_until_stopped(plan: Plan) -> Report:
    """Do it; SIGTERM ends it like Ctrl-C, with all that was started."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await run(plan, lambda line: print(line, flush=True))


if __name__ == "__main__":
    sys.exit(main())
