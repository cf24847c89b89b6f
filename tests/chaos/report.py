"""What a run did and saw, for people."""

from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median

from tests.chaos.schedule import Fault


@dataclass(frozen=True)
class Recovery:
    """How an exchange got over a fault. Times count from the end of the fault, in seconds."""

    fault: Fault
    lasted: float
    accepting: float
    """Until an order was accepted that was sent after the fault began; 0: during the fault."""

    ready: float
    """Until every service said that it was ready."""

    def __str__(self) -> str:
        accepting = "went on accepting orders"
        if self.accepting:
            accepting = f"orders were accepted again after {self.accepting:.1f} s"
        ready = f"all ready after {self.ready:.1f} s"
        return f"{self.fault} for {self.lasted:.1f} s: {accepting}, {ready}"


@dataclass
class Report:
    """The figures of a run."""

    seed: int
    seconds: float = 0.0
    recoveries: list[Recovery] = field(default_factory=list)
    checks: int = 0
    accepted: int = 0
    refused: int = 0
    doubts: int = 0
    reports_heard: int = 0
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        by_kind: defaultdict[str, list[Recovery]] = defaultdict(list)
        for recovery in self.recoveries:
            by_kind[recovery.fault.kind].append(recovery)
        lines = ["fault          times   accepting again p50  max   all ready p50  max"]
        for kind, those in [*sorted(by_kind.items()), ("all", self.recoveries)]:
            accepting = _p50_max([one.accepting for one in those])
            ready = _p50_max([one.ready for one in those])
            lines.append(f"{kind:<14} {len(those):5}   {accepting:>25}   {ready:>18}")
        lines.append(
            f"{self.seconds:.0f} s: {self.accepted} orders acknowledged, {self.refused} refused,"
            f" {self.doubts} requests repeated in doubt, {self.reports_heard} reports heard;"
            f" checked {self.checks} times"
        )
        lines += [f"VIOLATION {one}" for one in self.violations]
        verdict = "violated" if self.violations else "all held"
        lines.append(f"seed {self.seed}: {verdict}")
        return "\n".join(lines)


def _p50_max(seconds: list[float]) -> str:
    return f"{median(seconds):.1f} {max(seconds):5.1f}" if seconds else "-"
