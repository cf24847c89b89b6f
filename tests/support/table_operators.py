"""The operators' commands in golden tables: read from words, and written as them."""

from decimal import Decimal
from typing import Any, get_args

from exchange_shared.messages import (
    AnyCommand,
    BeginPhase,
    ConfigureMarket,
    ConfirmTime,
    FenceNode,
    ListSecurity,
    SetClientLimits,
    SetMarketState,
    StateAction,
    SuspendClient,
)
from exchange_shared.units import format_e4, to_e4

ACTIONS = get_args(StateAction)
LIMITS = {
    "orders": "max_open_orders",
    "position": "max_position",
    "value": "max_order_value_e4",
    "display": "min_display_ppm",
    "rate": "orders_per_second",
    "burst": "order_burst",
}
"""How tables call the limits of a client."""
MARKET = {**LIMITS, "step": "max_time_step_us"}
"""How they call what the market's terms may leave out."""
DAY = "day_ends_at_close"
"""How they say so of a phase."""
TERMS = {
    "lot": "lot_quantity",
    "max_quantity": "max_order_quantity",
    "max_value": "max_order_value_e4",
    "static": "static_band_ppm",
    "dynamic": "dynamic_band_ppm",
    "halt": "halt_us",
    "auction": "auction_us",
    "margin": "short_margin_ppm",
}
"""How tables call the terms of a security that may be left out."""


def take(words: list[str], name: str) -> str | None:
    """Take the option `name value` out of the words; returns the value."""
    if name not in words:
        return None
    at = words.index(name)
    value = words[at + 1]
    del words[at : at + 2]
    return value


def e4(amount: str) -> int:
    """The amount that a table gives in whole units."""
    return to_e4(Decimal(amount.replace(",", "")))


def percent(ppm: int) -> str:
    """A rate as a percentage."""
    return f"{Decimal(ppm) / 10_000:f}%"


def ppm(text: str) -> int:
    """The rate that a percentage stands for."""
    return int(Decimal(text.removesuffix("%")) * 10_000)


def is_about_securities(words: list[str]) -> bool:
    """Whether `open MSFT` and the like is an action of an operator, and opens no account."""
    return words[0] in ACTIONS and (words[1] == "all" or words[1].isupper())


def read_operator(words: list[str], time_us: int, request_id: int) -> AnyCommand | None:
    """The operator's command that the words stand for, if they do."""
    identity = {"time_us": time_us, "request_id": request_id}
    match words:
        case ["configure", _, balance, _, maker, _, taker, *options]:
            return ConfigureMarket(
                **identity,
                initial_balance_e4=e4(balance),
                maker_fee_ppm=int(Decimal(maker) * 100),
                taker_fee_ppm=int(Decimal(taker) * 100),
                **_options(options, MARKET),
            )
        case ["list", security_id, _, tick, _, reference, _, grant, *options]:
            return ListSecurity(
                **identity,
                security_id=security_id,
                tick_e4=e4(tick),
                reference_price_e4=e4(reference),
                granted_quantity=int(grant),
                **_options(options, TERMS),
            )
        case ["limits", client_id, *options]:
            return SetClientLimits(**identity, client_id=client_id, **_options(options, LIMITS))
        case ["suspend" | "unsuspend" as verb, client_id]:
            return SuspendClient(**identity, client_id=client_id, suspended=verb == "suspend")
        case ["phase", phase, *options]:
            at_close = DAY in options
            if at_close:
                options.remove(DAY)
            return BeginPhase(
                time_us=time_us,
                schedule_id=take(options, "of") or "",
                begins_us=int(take(options, "at") or 0),
                phase=phase,  # type: ignore[arg-type]
                day_ends_at_close=at_close,
            )
        case ["confirm", "time"]:
            return ConfirmTime(**identity)
        case ["fence", "node", "at", id_]:
            return FenceNode(time_us=time_us, request_id=int(id_))
        case _ if is_about_securities(words):
            return _read_action(words, identity)
    return None


def _read_action(words: list[str], identity: dict[str, Any]) -> SetMarketState:
    duration = take(words, "for")
    action, security, *auction = words
    return SetMarketState(
        **identity,
        action=action,  # type: ignore[arg-type]
        security_id=None if security == "all" else security,
        auction=auction[0] if auction else None,  # type: ignore[arg-type]
        duration_us=None if duration is None else int(duration),
    )


def operator_text(command: AnyCommand) -> str | None:
    """The words of an operator's command, if it is one."""
    match command:
        case ConfigureMarket():
            return (
                f"configure balance {format_e4(command.initial_balance_e4)}"
                f" maker {_basis_points(command.maker_fee_ppm)}"
                f" taker {_basis_points(command.taker_fee_ppm)}{market_text(command)}"
            )
        case FenceNode():
            return f"fence node at {command.request_id}"
        case ConfirmTime():
            return "confirm time"
        case ListSecurity():
            return (
                f"list {command.security_id} tick {format_e4(command.tick_e4)}"
                f" reference {format_e4(command.reference_price_e4)}"
                f" grant {command.granted_quantity}{terms_text(command)}"
            )
        case SetClientLimits():
            return f"limits {command.client_id}{limits_text(command)}"
        case SuspendClient():
            return f"{'suspend' if command.suspended else 'unsuspend'} {command.client_id}"
        case BeginPhase():
            schedule = f" of {command.schedule_id}" if command.schedule_id else ""
            day = f" {DAY}" if command.day_ends_at_close else ""
            return f"phase {command.phase}{schedule} at {command.begins_us}{day}"
        case SetMarketState():
            text = f"{command.action} {command.security_id or 'all'}"
            if command.auction is not None:
                text += f" {command.auction}"
            return text if command.duration_us is None else f"{text} for {command.duration_us}"
    return None


def limits_text(message: Any) -> str:
    """The limits that a command or an event names, each with a blank before it."""
    return _options_text(message, LIMITS)


def market_text(message: Any) -> str:
    """What the market's terms name beside the balance and the fees, likewise."""
    return _options_text(message, MARKET)


def terms_text(message: Any) -> str:
    """The terms of a security that are not usual, each with a blank before it."""
    return _options_text(message, TERMS)


def _options(words: list[str], fields: dict[str, str]) -> dict[str, Any]:
    """The fields that `name value` pairs stand for."""
    options: dict[str, Any] = {}
    for name, value in zip(words[::2], words[1::2], strict=True):
        field = fields[name]
        if field.endswith("_e4"):
            options[field] = e4(value)
        else:
            options[field] = ppm(value) if field.endswith("_ppm") else int(value)
    return options


def _options_text(message: Any, fields: dict[str, str]) -> str:
    text = ""
    usual = {"lot_quantity": 1, "halt_us": 0, "auction_us": 0}
    for name, field in fields.items():
        value = getattr(message, field)
        if value == usual.get(field):
            continue
        if field.endswith("_e4"):
            value = format_e4(value)
        elif field.endswith("_ppm"):
            value = percent(value)
        text += f" {name} {value}"
    return text


def _basis_points(rate_ppm: int) -> str:
    return f"{Decimal(rate_ppm) / 100:f}"
