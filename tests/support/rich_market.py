"""Small markets in which everything collides: what streams of commands are made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from exchange_shared.messages import AnyCommand, ConfigureMarket, ListSecurity, OpenAccount

SECURITIES = ("MSFT", "AAPL", "SHEL")
TICK_E4 = 100
REFERENCE_E4 = 10_000
UNKNOWN = "GOOG"
"""A security that is not listed at first; new terms may list it."""
DAY_US = 24 * 60 * 60 * 1_000_000
STARTS_US = 20_000 * DAY_US - 2_000
"""Shortly before a midnight, so that `day` orders expire."""

Terms = Mapping[str, Any]
"""Fields of `list_security`, or the limits of `configure_market`."""


def some_terms(**fields: Any) -> Terms:
    """Terms that cannot be changed, so that shapes may share them."""
    return MappingProxyType(fields)


@dataclass(frozen=True)
class Shape:
    """What a stream is made of: weights of the kinds, and how likely each option is."""

    name: str
    clients: int = 4
    balance_e4: int = 1_500_000
    grant: int = 150
    tick_e4: int = TICK_E4
    reference_e4: int = REFERENCE_E4
    prices: int = 5
    apart: int = 0
    """By how many ticks limit prices are moved away from the market, so that more orders rest."""
    largest: int = 20
    lot: int = 1
    """All but mistaken quantities are multiples of this; `largest` counts them."""
    securities: int = 2
    listings: tuple[Terms, ...] = (some_terms(),)
    """What the securities are listed with at first, one after another, and anew at random."""
    limits: tuple[Terms, ...] = (some_terms(),)
    """The market's limits at first, and anew at random."""
    order_types: tuple[int, int, int, int, int] = (12, 2, 1, 1, 1)
    """Weights of limit, market, stop, stop-limit, trailing stop."""
    times_in_force: tuple[int, int, int, int, int, int, int] = (8, 1, 1, 2, 2, 0, 0)
    """Weights of gtc, day, gtd, ioc, fok, opg, cls."""
    cancels: int = 10
    replaces: int = 10
    mass_cancels: int = 1
    repeats: int = 3
    terms: int = 1
    actions: int = 0
    phases: int = 0
    risks: int = 0
    """Percent of these commands; `terms` are new fees, listings and accounts, `actions` change the
    state of a security, `phases` that of all, and `risks` limit or suspend clients."""
    gateways: int = 0
    """Percent of these: nodes that are fenced, and commands of who had them before."""
    post_only: float = 0.05
    display: float = 0.1
    hidden: float = 0.1
    group: float = 0.1
    groups: str = "ab"
    time_jumps: float = 0.02
    wrong_clocks: float = 0.0
    """How many commands come from a gateway with a clock that is wrong."""
    mistakes: float = 0.01


def opening(shape: Shape, time_us: int = STARTS_US) -> list[AnyCommand]:
    """The commands that open the market of a shape."""
    return [
        ConfigureMarket(
            time_us=time_us,
            request_id=1,
            initial_balance_e4=shape.balance_e4,
            maker_fee_ppm=1_000,
            taker_fee_ppm=2_500,
            **shape.limits[0],
        ),
        *(
            ListSecurity(
                time_us=time_us,
                request_id=2,
                security_id=security_id,
                tick_e4=shape.tick_e4,
                granted_quantity=shape.grant,
                **{"reference_price_e4": shape.reference_e4}
                | dict(shape.listings[number % len(shape.listings)]),
            )
            for number, security_id in enumerate(SECURITIES[: shape.securities])
        ),
        *(
            OpenAccount(
                time_us=time_us,
                request_id=3,
                client_id=f"client{number}",
                api_key_hash=f"{number}",
            )
            for number in range(shape.clients)
        ),
    ]
