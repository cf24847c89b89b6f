"""Small markets in which everything collides: what streams of commands are made of."""

from dataclasses import dataclass

from exchange_shared.messages import AnyCommand, ConfigureMarket, ListSecurity, OpenAccount

SECURITIES = ("MSFT", "AAPL")
TICK_E4 = 100
REFERENCE_E4 = 10_000
UNKNOWN = "GOOG"
"""A security that is not listed at first; new terms may list it."""
DAY_US = 24 * 60 * 60 * 1_000_000
STARTS_US = 20_000 * DAY_US - 2_000
"""Shortly before a midnight, so that `day` orders expire."""


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
    securities: int = 2
    order_types: tuple[int, int, int, int, int] = (12, 2, 1, 1, 1)
    """Weights of limit, market, stop, stop-limit, trailing stop."""
    times_in_force: tuple[int, int, int, int, int] = (8, 1, 1, 2, 2)
    """Weights of gtc, day, gtd, ioc, fok."""
    cancels: int = 10
    replaces: int = 10
    mass_cancels: int = 1
    repeats: int = 3
    terms: int = 1
    """Percent of these commands; `terms` are new fees, listings and accounts."""
    post_only: float = 0.05
    display: float = 0.1
    hidden: float = 0.1
    group: float = 0.1
    groups: str = "ab"
    time_jumps: float = 0.02
    mistakes: float = 0.01


SHAPES = (
    Shape("mixed"),
    Shape("deep", prices=3, apart=2, clients=10, balance_e4=5_000_000, grant=500, largest=40),
    Shape(
        "wide",
        prices=25,
        apart=8,
        clients=6,
        balance_e4=5_000_000,
        grant=500,
        times_in_force=(8, 0, 0, 1, 2),
    ),
    Shape(
        "stops",
        prices=8,
        clients=8,
        securities=1,
        order_types=(8, 2, 4, 4, 5),
        grant=400,
        cancels=3,
    ),
    Shape(
        "icebergs",
        prices=3,
        apart=1,
        display=0.45,
        hidden=0.3,
        times_in_force=(8, 0, 1, 1, 3),
        largest=40,
    ),
    Shape(
        "groups",
        apart=2,
        clients=6,
        group=0.7,
        order_types=(10, 1, 2, 2, 1),
        times_in_force=(8, 1, 1, 1, 3),
    ),
    Shape("selves", clients=2, display=0.2, hidden=0.2, times_in_force=(8, 0, 0, 1, 4)),
    Shape("expiry", times_in_force=(2, 5, 8, 1, 1), time_jumps=0.15),
    Shape("replaces", apart=2, replaces=35, cancels=3, display=0.2, post_only=0.2),
    Shape(
        "all or nothing",
        clients=5,
        balance_e4=900_000,
        prices=2,
        largest=40,
        apart=2,
        securities=1,
        order_types=(10, 3, 0, 0, 0),
        times_in_force=(12, 0, 0, 0, 6),
        display=0.4,
        hidden=0.3,
        group=0.8,
        groups="a",
    ),
    Shape("poor", balance_e4=300_000, grant=30, clients=6, order_types=(8, 5, 2, 2, 2)),
    Shape(
        "terms",
        terms=10,
        order_types=(8, 2, 2, 3, 6),
        clients=3,
        mistakes=0.08,
    ),
    Shape(
        "cheap",
        tick_e4=1,
        reference_e4=3,
        prices=2,
        balance_e4=2_000,
        order_types=(10, 2, 2, 2, 3),
        mistakes=0.002,
    ),
)


def opening(shape: Shape, time_us: int = STARTS_US) -> list[AnyCommand]:
    """The commands that open the market of a shape."""
    return [
        ConfigureMarket(
            time_us=time_us,
            request_id=1,
            initial_balance_e4=shape.balance_e4,
            maker_fee_ppm=1_000,
            taker_fee_ppm=2_500,
        ),
        *(
            ListSecurity(
                time_us=time_us,
                request_id=2,
                security_id=security_id,
                tick_e4=shape.tick_e4,
                reference_price_e4=shape.reference_e4,
                granted_quantity=shape.grant,
            )
            for security_id in SECURITIES[: shape.securities]
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
