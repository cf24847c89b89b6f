"""A Hypothesis strategy of short lists of commands of every kind; they shrink to plain ones."""

from itertools import chain
from typing import Any

from hypothesis import strategies as st

from exchange_shared.messages import (
    AnyCommand,
    BeginPhase,
    CancelOrder,
    ClockTick,
    ConfigureMarket,
    ConfirmTime,
    ListSecurity,
    MassCancel,
    NewOrder,
    ReplaceOrder,
    SetClientLimits,
    SetMarketState,
    SuspendClient,
)
from exchange_shared.messages.commands import TIMED_ACTIONS
from tests.support.rich_market import (
    DAY_US,
    REFERENCE_E4,
    SECURITIES,
    STARTS_US,
    TICK_E4,
    Shape,
    opening,
)
from tests.support.rich_operators import ACTIONS, PHASES

MARKET = Shape(
    "lists",
    clients=3,
    balance_e4=600_000,
    grant=40,
    listings=(
        {"dynamic_band_ppm": 10_000, "halt_us": 2, "auction_us": 3, "short_margin_ppm": 500_000},
        {},
    ),
)

_Draft = tuple[type[AnyCommand], dict[str, Any], int]

_clients = st.sampled_from([f"client{number}" for number in range(MARKET.clients)])
_securities = st.sampled_from([*(SECURITIES[0],) * 5, SECURITIES[1]])
_sides = st.sampled_from(["buy", "sell"])
_prices = st.integers(-2, 2).map(lambda ticks: REFERENCE_E4 + ticks * TICK_E4)
_quantities = st.integers(1, 12)
_orders = st.integers(1, 20)
_steps = st.sampled_from([*(1,) * 30, 0, 0, 20, 2_000, -3, DAY_US])


@st.composite
def _new_orders(draw: st.DrawFn) -> dict[str, Any]:
    order_type = draw(
        st.sampled_from([*("limit",) * 6, "market", "stop", "stop_limit", "trailing_stop"])
    )
    stops = order_type in ("stop", "stop_limit", "trailing_stop")
    times_in_force = ["gtc", "gtc", "gtc", "gtc", "day", "gtd", "ioc", "fok", "opg", "cls"]
    if stops:
        times_in_force = ["gtc", "gtc", "day", "gtd"]
    elif order_type == "market":
        times_in_force = ["gtc", "ioc", "fok", "opg", "cls"]
    quantity = draw(_quantities)
    fields: dict[str, Any] = {
        "client_id": draw(_clients),
        "security_id": draw(_securities),
        "side": draw(_sides),
        "order_type": order_type,
        "quantity": quantity,
        "time_in_force": draw(st.sampled_from(times_in_force)),
        "self_trade_prevention": draw(
            st.sampled_from(["cancel_newest", "cancel_oldest", "cancel_both", "decrement"])
        ),
        "oco_group": draw(st.sampled_from([None, None, "a", "b"])),
        "client_order_id": draw(st.sampled_from([*(None,) * 12, "x", "y"])),
    }
    if order_type in ("limit", "stop_limit"):
        fields["price_e4"] = draw(_prices)
    if order_type in ("stop", "stop_limit"):
        fields["stop_price_e4"] = draw(_prices)
    if order_type == "trailing_stop":
        trail = draw(st.sampled_from(["trail_e4", "trail_ppm"]))
        fields[trail] = draw(st.sampled_from([100, 200, 30_000]))
    if fields["time_in_force"] == "gtd":
        fields["expires_us"] = STARTS_US + draw(st.sampled_from([10, 30, 2_100]))
    if "price_e4" in fields and fields["time_in_force"] in ("gtc", "day", "gtd"):
        kind = draw(st.sampled_from(["", "", "display_quantity", "hidden"]))
        if kind == "display_quantity":
            fields[kind] = draw(st.integers(1, quantity))
        elif kind == "hidden":
            fields[kind] = True
        if order_type == "limit":
            fields["post_only"] = draw(st.sampled_from([False, False, False, True]))
    return fields


def _market_terms() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "initial_balance_e4": st.just(MARKET.balance_e4),
            "maker_fee_ppm": st.sampled_from([0, -2_500, 1_000, 100_000]),
            "taker_fee_ppm": st.sampled_from([2_500, 100_000]),
            "max_position": st.sampled_from([None, 50]),
            "min_display_ppm": st.sampled_from([None, 500_000]),
            "max_time_step_us": st.sampled_from([None, 6, 6, 30]),
        }
    )


def _listings() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "security_id": _securities,
            "tick_e4": st.sampled_from([TICK_E4, TICK_E4, TICK_E4 // 2]),
            "reference_price_e4": _prices | _prices.map(lambda price_e4: price_e4 + TICK_E4 // 2),
            "granted_quantity": st.just(MARKET.grant),
            "lot_quantity": st.sampled_from([1, 1, 1, 2]),
            "max_order_value_e4": st.sampled_from([None, 90_000]),
            "static_band_ppm": st.sampled_from([None, 10_000]),
            "dynamic_band_ppm": st.sampled_from([None, 10_000]),
            "halt_us": st.sampled_from([0, 2]),
            "auction_us": st.sampled_from([0, 3]),
            "short_margin_ppm": st.sampled_from([None, 0, 500_000, 500_000]),
        }
    )


def _actions() -> st.SearchStrategy[dict[str, Any]]:
    """Actions that end or do not; half of them make an opening or closing auction, or end one."""
    fields = st.fixed_dictionaries(
        {
            "action": st.sampled_from([*ACTIONS, *("start_auction", "uncross", "open") * 2]),
            "security_id": st.none() | _securities,
            "auction": st.sampled_from([None, "opening", "closing"]),
            "duration_us": st.sampled_from([None, 0, 4]),
        }
    )

    def without_contradiction(action: dict[str, Any]) -> dict[str, Any]:
        if action["action"] != "start_auction":
            action["auction"] = None
        if action["action"] not in TIMED_ACTIONS:
            action["duration_us"] = None
        return action

    return fields.map(without_contradiction)


def _phases() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "schedule_id": st.sampled_from(["nyse", "nyse", "nyse", ""]),
            "begins_us": st.integers(1, 20),
            "phase": st.sampled_from(PHASES),
            "day_ends_at_close": st.booleans(),
        }
    )


def _limits() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            "client_id": _clients,
            "max_open_orders": st.sampled_from([None, 2]),
            "max_position": st.sampled_from([None, 45]),
            "max_order_value_e4": st.sampled_from([None, 80_000]),
        }
    )


def _switches() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"client_id": _clients, "suspended": st.booleans()})


def _drafts() -> st.SearchStrategy[_Draft]:
    orders = st.tuples(st.just(NewOrder), _new_orders(), _steps)
    replaces = st.fixed_dictionaries(
        {
            "client_id": _clients,
            "order_id": _orders,
            "quantity": st.none() | st.integers(1, 15),
            "price_e4": st.none() | _prices,
        }
    )
    mass_cancels = st.fixed_dictionaries(
        {
            "client_id": _clients,
            "security_id": st.none() | _securities,
            "side": st.none() | _sides,
        }
    )
    cancels = st.fixed_dictionaries({"client_id": _clients, "order_id": _orders})
    kinds = {
        NewOrder: (orders, 16),
        ReplaceOrder: (st.tuples(st.just(ReplaceOrder), replaces, _steps), 4),
        CancelOrder: (st.tuples(st.just(CancelOrder), cancels, _steps), 2),
        MassCancel: (st.tuples(st.just(MassCancel), mass_cancels, _steps), 1),
        ClockTick: (st.tuples(st.just(ClockTick), st.just({}), _steps), 1),
        ConfigureMarket: (st.tuples(st.just(ConfigureMarket), _market_terms(), _steps), 1),
        ConfirmTime: (st.tuples(st.just(ConfirmTime), st.just({}), _steps), 1),
        ListSecurity: (st.tuples(st.just(ListSecurity), _listings(), _steps), 1),
        SetMarketState: (st.tuples(st.just(SetMarketState), _actions(), _steps), 3),
        BeginPhase: (st.tuples(st.just(BeginPhase), _phases(), _steps), 1),
        SetClientLimits: (st.tuples(st.just(SetClientLimits), _limits(), _steps), 1),
        SuspendClient: (st.tuples(st.just(SuspendClient), _switches(), _steps), 1),
    }
    weighted = [kind for kind, (_, weight) in kinds.items() for _ in range(weight)]
    return st.sampled_from(weighted).flatmap(lambda kind: kinds[kind][0])


def command_lists() -> st.SearchStrategy[list[AnyCommand]]:
    """The opening of a small market, and some forty commands, or fewer when that is enough."""
    bursts = st.lists(_drafts(), max_size=20)  # lists of lists: Hypothesis prefers short lists
    return st.lists(bursts, min_size=5, max_size=20).map(
        lambda lists: _numbered(list(chain(*lists)))
    )


def _numbered(drafts: list[_Draft]) -> list[AnyCommand]:
    """Give the commands their times and numbers; only orders count for `order_id`."""
    commands = opening(MARKET)
    time_us, orders = STARTS_US, 0
    for command_type, draft, step_us in drafts:
        time_us += step_us
        fields = {**draft, "time_us": time_us}
        if command_type is NewOrder:
            orders += 1
            fields["order_id"] = orders
        elif command_type not in (ClockTick, BeginPhase):
            fields["request_id"] = len(commands)
        commands.append(command_type(**fields))
    return commands
