"""What a process does that can no longer be right: it ends, and says why."""

import sys


class MustStop(Exception):
    """What was found cannot be: whoever goes on would make it worse. A matter for people.

    Nobody catches this to go on. The process ends with the exit code `MUST_STOP_CODE`, and its log
    names the kind of the contradiction under `must_stop`.
    """


MUST_STOP_CODE = 3
"""The exit code of a process that must not be started again before somebody has looked."""


def refuse_optimized() -> None:
    """End the program when Python leaves out `assert`, on which the services' checks rest."""
    if not __debug__:
        sys.exit(
            "exchange: Python runs with -O or PYTHONOPTIMIZE, which leaves out the checks that"
            " nothing is lost or made out of nothing; start it without"
        )
