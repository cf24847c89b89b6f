"""The operator's HTTP calls, `/admin/…`."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import msgspec
import structlog
from fastapi import APIRouter, Request, Response
from msgspec.structs import asdict
from pydantic import BaseModel

from exchange_shared.http import ApiError, read_json
from exchange_shared.market import to_us
from exchange_shared.messages import (
    AuctionKind,
    ConfirmTime,
    MarketState,
    SetClientLimits,
    SetMarketState,
    SuspendClient,
)
from exchange_shared.messages.commands import Contradiction
from exchange_shared.units import format_time, from_e4
from order_entry_gateway.answers.answers import (
    Amount,
    ClockAnswer,
    KillSwitchAnswer,
    LimitsAnswer,
    ListingAnswer,
    PendingAnswer,
    StateAnswer,
)
from order_entry_gateway.api.dependencies import Credentials, Gateway
from order_entry_gateway.api.openapi import responses, schema_of
from order_entry_gateway.api.responses import Waiter, json_of
from order_entry_gateway.requests.operator_schemas import (
    ClockRequest,
    KillSwitchRequest,
    LimitsRequest,
    SecurityRequest,
    StateRequest,
)
from order_entry_gateway.requests.parsing import parse
from order_entry_gateway.requests.schemas import ClientId, request_body
from order_entry_gateway.sequencing.order_entry import Request as Command

Wanted = TypeVar("Wanted", bound=BaseModel)

_PENDING = ("In the log, not answered yet.", schema_of(PendingAnswer))
_API_FIELDS = {"duration_us": "seconds"}

log = structlog.get_logger()


class SecurityState(msgspec.Struct):
    """A security's state; `until` is when it changes by itself, if it does."""

    security_id: str
    state: MarketState
    auction: AuctionKind | None
    until: str | None
    reference_price: Amount


class MarketStates(msgspec.Struct):
    """All listed securities."""

    securities: list[SecurityState]


def add_operator_calls(calls: APIRouter, gateway: Gateway) -> None:
    """Everything under `/admin`."""
    _add_securities(calls, gateway)
    _add_states(calls, gateway)
    _add_clock(calls, gateway)
    _add_clients(calls, gateway)


def _add_securities(calls: APIRouter, gateway: Gateway) -> None:
    @calls.post(
        "/admin/securities",
        tags=["operator"],
        summary="List a security, or give it other terms",
        openapi_extra=request_body(SecurityRequest),
        responses=responses(
            {200: ("It is listed on these terms.", schema_of(ListingAnswer)), 202: _PENDING},
            *(400, 401, 403, 413, 415, 422, 503),
        ),
    )
    async def list_security(request: Request, credentials: Credentials) -> Response:
        """The terms are those of a `[[securities]]` section of the market file.

        A security of that file gets the terms in it again when a gateway starts.
        """
        wanted = await _asked(gateway, request, credentials, SecurityRequest)
        return await _apply(gateway, partial(wanted.command, wanted.security_id))


def _add_states(calls: APIRouter, gateway: Gateway) -> None:
    @calls.post(
        "/admin/state",
        tags=["operator"],
        summary="Open, halt, resume, auction or close one security, or all",
        openapi_extra=request_body(StateRequest),
        responses=responses(
            {200: ("So many securities changed.", schema_of(StateAnswer)), 202: _PENDING},
            *(400, 401, 403, 404, 409, 413, 415, 422, 503),
        ),
    )
    async def set_state(request: Request, credentials: Credentials) -> Response:
        wanted = await _asked(gateway, request, credentials, StateRequest)
        make = partial(
            SetMarketState,
            action=wanted.action,
            security_id=wanted.security_id,
            auction=wanted.auction,
            duration_us=None if wanted.seconds is None else to_us(wanted.seconds),
        )
        return await _apply(gateway, make)

    @calls.get(
        "/admin/status",
        tags=["operator"],
        summary="The states of all securities",
        responses=responses(
            {200: ("As they are now.", schema_of(MarketStates))}, 401, 403, 422, 503
        ),
    )
    async def status(credentials: Credentials) -> Response:
        gateway.check_operator(credentials)
        gateway.readiness.check()
        states = [
            SecurityState(
                security_id=security.security_id,
                state=security.state,
                auction=security.auction,
                until=None if security.until_us is None else format_time(security.until_us),
                reference_price=from_e4(security.reference_price_e4),
            )
            for _, security in sorted(gateway.market.securities.items())
        ]
        return json_of(MarketStates(states), 200)


def _add_clock(calls: APIRouter, gateway: Gateway) -> None:
    @calls.post(
        "/admin/clock",
        tags=["operator"],
        summary="Confirm that this gateway's clock is right",
        openapi_extra=request_body(ClockRequest),
        responses=responses(
            {200: ("The market's clock now.", schema_of(ClockAnswer)), 202: _PENDING},
            *(400, 401, 403, 413, 415, 422, 503),
        ),
    )
    async def confirm_time(request: Request, credentials: Credentials) -> Response:
        """Sets the market's clock to this gateway's, ahead or back.

        Orders expire that it is time for; halts and auctions last for what is left of them.
        """
        await _asked(gateway, request, credentials, ClockRequest)
        return await _apply(gateway, ConfirmTime)


def _add_clients(calls: APIRouter, gateway: Gateway) -> None:
    errors = (400, 401, 403, 404, 413, 415, 422, 503)

    @calls.put(
        "/admin/clients/{client_id}/limits",
        tags=["operator"],
        summary="Limit a client otherwise than all others",
        openapi_extra=request_body(LimitsRequest),
        responses=responses(
            {200: ("The limits now.", schema_of(LimitsAnswer)), 202: _PENDING}, *errors
        ),
    )
    async def set_limits(
        client_id: ClientId, request: Request, credentials: Credentials
    ) -> Response:
        wanted = await _asked(gateway, request, credentials, LimitsRequest)
        make = partial(SetClientLimits, client_id=client_id, **asdict(wanted.limits))
        return await _apply(gateway, make)

    @calls.put(
        "/admin/clients/{client_id}/kill-switch",
        tags=["operator"],
        summary="Cancel all orders of a client and take no new ones, or take them again",
        openapi_extra=request_body(KillSwitchRequest),
        responses=responses(
            {200: ("How it is now.", schema_of(KillSwitchAnswer)), 202: _PENDING}, *errors
        ),
    )
    async def set_kill_switch(
        client_id: ClientId, request: Request, credentials: Credentials
    ) -> Response:
        wanted = await _asked(gateway, request, credentials, KillSwitchRequest)
        make = partial(SuspendClient, client_id=client_id, suspended=wanted.active)
        return await _apply(gateway, make)


async def _asked(
    gateway: Gateway, request: Request, credentials: Any, model: type[Wanted]
) -> Wanted:
    """What the operator, and nobody else, asks for; it is written to the log.

    Raises:
        ApiError: 401 or 403 for others; 400, 413 or 422 for the body.
    """
    gateway.check_operator(credentials)
    wanted = parse(model, await read_json(request))
    asked = wanted.model_dump(mode="json", exclude_unset=True)
    log.info("operator_request", call=f"{request.method} {request.url.path}", **asked)
    return wanted


async def _apply(gateway: Gateway, make: Callable[..., Command]) -> Response:
    """The answer to a command that `make` makes. Raises `ApiError`."""
    waiter = Waiter()
    try:
        gateway.order_entry.request(make, waiter.set)
    except Contradiction as contradiction:
        field = _API_FIELDS.get(contradiction.field, contradiction.field)
        message = f"{field}: {contradiction.message}"
        raise ApiError(422, "invalid_field", message, field) from None
    return await waiter.response()
