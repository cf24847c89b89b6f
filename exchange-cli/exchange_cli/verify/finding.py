"""What a check found."""

from dataclasses import dataclass

MAX_PROBLEMS = 5
"""Problems told of one check; the rest is counted."""


@dataclass(frozen=True)
class Finding:
    """The outcome of one check: what was looked at, and what is wrong (nothing, if it holds).

    `behind` tells what is yet to be done of what is in the log: a running exchange does it within
    moments, a stopped one when it starts again.
    """

    check: str
    looked_at: str
    problems: list[str]
    behind: str | None = None

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def shorten(problems: list[str]) -> list[str]:
    """The first problems, and how many there are besides."""
    if len(problems) <= MAX_PROBLEMS:
        return problems
    return [*problems[:MAX_PROBLEMS], f"and {len(problems) - MAX_PROBLEMS} more"]
