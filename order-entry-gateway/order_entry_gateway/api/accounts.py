"""The HTTP calls about accounts."""

import msgspec
from fastapi import APIRouter, Request, Response

from exchange_shared.auth import new_api_key, weakness
from exchange_shared.http import ApiError, read_json
from exchange_shared.http.addresses import address_of
from exchange_shared.http.failed_keys import GivenKey
from order_entry_gateway.answers.answers import AccountAnswer, PendingAnswer
from order_entry_gateway.answers.refusals import OutcomeUnknown
from order_entry_gateway.api.dependencies import Gateway
from order_entry_gateway.api.openapi import responses, schema_of
from order_entry_gateway.api.responses import Waiter, json_of, response_of
from order_entry_gateway.requests.parsing import parse
from order_entry_gateway.requests.schemas import ClientRequest, request_body

_WRONG_KEY = frozenset({"client_id_taken", "api_key_in_use"})
"""Refusals that tell something of the key of somebody else's account."""


class AccountPending(msgspec.Struct):
    """The request for an account is in the log, but the engine has not answered in time."""

    client_id: str
    api_key: str
    status: str = "pending"


def add_accounts(calls: APIRouter, gateway: Gateway) -> None:
    """`POST /clients`."""
    opened = {
        "type": "object",
        "properties": {
            **schema_of(AccountAnswer)["properties"],
            "api_key": {"type": "string", "description": "Shown only here."},
        },
    }

    @calls.post(
        "/clients",
        tags=["accounts"],
        summary="Open an account",
        status_code=201,
        openapi_extra=request_body(ClientRequest),
        responses=responses(
            {
                200: ("The account was there already, with this key.", opened),
                201: ("The account is open.", opened),
                202: ("In the log, not answered yet.", schema_of(AccountPending)),
            },
            *(400, 409, 413, 415, 422, 429, 503),
        ),
    )
    async def open_account(request: Request) -> Response:
        address = address_of(request)
        gateway.new_clients_limit.check(address)
        wanted = parse(ClientRequest, await read_json(request))
        given = GivenKey(wanted.api_key, address)
        gateway.failed_keys.check(given)
        if wanted.api_key is not None:
            _check_chosen_key(gateway, wanted.api_key, wanted.client_id, address)
        api_key = wanted.api_key or new_api_key()

        waiter = Waiter()
        gateway.order_entry.open_account(wanted.client_id, api_key, waiter.set)
        (answer,) = await waiter.answers()
        if isinstance(answer, ApiError) and answer.code in _WRONG_KEY:
            gateway.failed_keys.failed(given)
        made_here = wanted.api_key is None and isinstance(answer, PendingAnswer)
        if made_here or isinstance(answer, AccountAnswer):
            gateway.failed_keys.passed(GivenKey(api_key, given.address))
        if isinstance(answer, AccountAnswer):
            content = {**msgspec.structs.asdict(answer), "api_key": api_key}
            return json_of(content, 201 if answer.opened else 200)
        if isinstance(answer, PendingAnswer):
            return json_of(AccountPending(wanted.client_id, api_key), 202)
        if isinstance(answer, OutcomeUnknown):
            answer.details = {"client_id": wanted.client_id, "api_key": api_key}
        return response_of(answer)


def _check_chosen_key(gateway: Gateway, api_key: str, client_id: str, address: str) -> None:
    """Refuse a chosen key that would be a danger to an account, unless the account has it.

    A key that is free is a guess at the keys of all others that was wrong, so that of those, too,
    an address has only so many.

    Raises:
        ApiError: 429 `rate_limited`; 409 `api_key_in_use` for the operator's, 422 `weak_api_key`;
            503 while accounts may still be missing here.
    """
    if gateway.keys.owner_of(api_key) == client_id:
        return
    gateway.readiness.check()
    gateway.chosen_keys_limit.check(address)
    if gateway.operator.has(api_key):
        message = "this API key belongs to another; choose another or leave it out"
        raise ApiError(409, "api_key_in_use", message, "api_key")
    weak = weakness(api_key, client_id)
    if weak is not None:
        message = f"api_key: {weak}; choose another, or leave it out"
        raise ApiError(422, "weak_api_key", message, "api_key")
