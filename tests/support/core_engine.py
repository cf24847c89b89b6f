"""The real matching core where `FakeEngine` stands: for tests that need all of its rules."""

from typing import Any

from exchange_shared.messages import AnyEvent
from matching_engine.core import Exchange
from tests.support.fake_engine import FakeEngine


class CoreEngine(FakeEngine):
    """Answers commands as the matching engine does, but keeps nothing on disk."""

    def __init__(self) -> None:
        super().__init__()
        self.exchange = Exchange()

    def apply(self, command: Any) -> list[AnyEvent]:
        """The events that a command causes."""
        self.commands.append(command)
        events = self.exchange.apply(command)
        self.seq = self.exchange.seq
        return events
