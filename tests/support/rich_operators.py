"""Seeded commands of operators, who soon open again what they close."""

from random import Random
from typing import Any, get_args

from exchange_shared.messages import (
    AnyCommand,
    BeginPhase,
    ConfigureMarket,
    ConfirmTime,
    ListSecurity,
    OpenAccount,
    Phase,
    SetClientLimits,
    SetMarketState,
    SuspendClient,
)
from exchange_shared.messages.commands import TIMED_ACTIONS
from tests.support.rich_market import SECURITIES, UNKNOWN, Shape

PHASES: tuple[Phase, ...] = get_args(Phase)
ACTIONS = {
    "pre_open": 2,
    "start_auction": 6,
    "uncross": 2,
    "open": 2,
    "halt": 3,
    "resume": 2,
    "close": 1,
}
"""The actions of an operator, and their weights."""
NEXT = {"pre_open": "start_auction", "start_auction": "uncross", "halt": "resume", "close": "open"}
"""What an operator does some time after an action that has no end of its own."""

_Kind = (
    type[BeginPhase]
    | type[ConfigureMarket]
    | type[ConfirmTime]
    | type[ListSecurity]
    | type[OpenAccount]
    | type[SetClientLimits]
    | type[SetMarketState]
    | type[SuspendClient]
)
_Draft = tuple[_Kind, dict[str, Any]]


class Operators:
    """What the operators of a market of this shape send."""

    def __init__(self, random: Random, shape: Shape) -> None:
        self._random = random
        self._shape = shape
        self._plans: list[tuple[int, _Draft]] = []
        self._phase = PHASES.index("continuous")
        self._begins_us = 0

    def planned(self, number: int, time_us: int) -> AnyCommand | None:
        """The command that an earlier one asks for by now, if there is any."""
        for plan in self._plans:
            due, draft = plan
            if due <= number:
                self._plans.remove(plan)
                return self._command(draft, number, time_us)
        return None

    def any(self, number: int, time_us: int) -> AnyCommand:
        """One command, as often of each kind as the shape says."""
        shape = self._shape
        kinds = {
            self._terms: shape.terms,
            self._action: shape.actions,
            self._begin: shape.phases,
            self._risk: shape.risks,
        }
        kind = self._random.choices(list(kinds), list(kinds.values()))[0]
        return self._command(kind(number, time_us), number, time_us)

    def _command(self, draft: _Draft, number: int, time_us: int) -> AnyCommand:
        kind, fields = draft
        identity: dict[str, Any] = {} if kind is BeginPhase else {"request_id": number}
        return kind(time_us=time_us, **identity, **fields)

    def _plan(self, number: int, kind: _Kind, fields: dict[str, Any]) -> None:
        self._plans.append((number, (kind, fields)))

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def _action(self, number: int, _time_us: int) -> _Draft:
        random = self._random
        action = random.choices(list(ACTIONS), list(ACTIONS.values()))[0]
        known = SECURITIES[: self._shape.securities]
        security = UNKNOWN if self._chance(self._shape.mistakes) else random.choice(known)
        fields: dict[str, Any] = {"action": action}
        if self._chance(0.7):
            fields["security_id"] = security
        later = {"action": NEXT.get(action, "open"), **_only(fields, "security_id")}
        if action == "start_auction" and self._chance(0.7):
            fields["auction"] = random.choice(("opening", "opening", "closing", "reopening"))
        if action in TIMED_ACTIONS and self._chance(0.6):
            fields["duration_us"] = random.choice((0, 5, 10, 30))
        elif action in NEXT:
            self._plan(number + random.randint(3, 30), SetMarketState, later)
        if action not in ("open", "resume"):
            reopen = {**later, "action": "open"}
            self._plan(number + random.randint(30, 60), SetMarketState, reopen)
        return SetMarketState, fields

    def _begin(self, number: int, time_us: int) -> _Draft:
        random = self._random
        if self._chance(0.8):
            self._phase = (self._phase + 1) % len(PHASES)
        else:
            self._phase = random.randrange(len(PHASES))
        self._begins_us = random.choice((time_us, time_us, time_us, self._begins_us))
        fields = {
            "schedule_id": "nyse" if self._chance(0.9) else random.choice(("", "summer")),
            "begins_us": self._begins_us,
            "phase": PHASES[self._phase],
            "day_ends_at_close": self._chance(0.6),
        }
        if PHASES[self._phase] in ("closed", "pre_open"):
            soon = number + random.randint(3, 20)
            phase = PHASES[(self._phase + 1) % len(PHASES)]
            self._plan(soon, BeginPhase, {**fields, "begins_us": time_us + 1, "phase": phase})
        return BeginPhase, fields

    def _risk(self, number: int, _time_us: int) -> _Draft:
        random = self._random
        client_id = f"client{random.randrange(self._shape.clients)}"
        if self._chance(self._shape.mistakes * 4):
            client_id = "nobody"
        if self._chance(0.3):
            fields = {"client_id": client_id, "suspended": self._chance(0.8)}
            later = {"client_id": client_id, "suspended": False}
            self._plan(number + random.randint(3, 20), SuspendClient, later)
            return SuspendClient, fields
        return SetClientLimits, {
            "client_id": client_id,
            "max_open_orders": random.choice((None, None, 2, 6, 30)),
            "max_position": random.choice((None, None, 50, 200, 1_000)),
            "max_order_value_e4": random.choice((None, None, 80_000, 500_000)),
            "min_display_ppm": random.choice((None, None, 0, 100_000)),
            "orders_per_second": random.choice((None, 0, 50)),
        }

    def _terms(self, _number: int, _time_us: int) -> _Draft:
        shape, random = self._shape, self._random
        if shape.limits[0].get("max_time_step_us") and self._chance(0.2):
            return ConfirmTime, {}
        kind = random.randrange(3)
        if kind == 0:
            taker = random.choice((-300, 0, 1_000, 2_500, 100_000))
            makers = [rate for rate in (-2_000, -300, 0, 333, 50_000) if rate + taker >= 0]
            return ConfigureMarket, {
                "initial_balance_e4": shape.balance_e4,
                "maker_fee_ppm": random.choice(makers),
                "taker_fee_ppm": taker,
                **random.choice(shape.limits),
            }
        if kind == 1:
            half_ticks = random.randint(-shape.prices, shape.prices) * self._chance(0.7)
            return ListSecurity, {
                "security_id": random.choice((*SECURITIES[: shape.securities] * 2, UNKNOWN)),
                "tick_e4": random.choice((shape.tick_e4, shape.tick_e4, 50)),
                "reference_price_e4": max(shape.reference_e4 + half_ticks * shape.tick_e4 // 2, 1),
                "granted_quantity": random.choice((0, shape.grant)),
                **random.choice(shape.listings),
            }
        number = random.randrange(shape.clients + 3)
        return OpenAccount, {
            "client_id": f"client{number}",
            "api_key_hash": f"{random.choice((number, number, number + 1))}",
        }


def _only(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return {name: fields[name]} if name in fields else {}
