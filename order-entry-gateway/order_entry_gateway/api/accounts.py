"""The HTTP calls about accounts."""

import msgspec
from fastapi import APIRouter, Request, Response

from exchange_shared.auth import new_api_key
from exchange_shared.http import read_json
from order_entry_gateway.answers.answers import AccountAnswer, PendingAnswer
from order_entry_gateway.answers.refusals import OutcomeUnknown
from order_entry_gateway.api.dependencies import Gateway
from order_entry_gateway.api.openapi import responses, schema_of
from order_entry_gateway.api.responses import Waiter, json_of, response_of
from order_entry_gateway.requests.parsing import parse
from order_entry_gateway.requests.schemas import ClientRequest, request_body


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
            *(400, 409, 413, 422, 429, 503),
        ),
    )
    async def open_account(request: Request) -> Response:
        await gateway.new_clients_limit.check(request.client.host if request.client else "")
        wanted = parse(ClientRequest, await read_json(request))
        api_key = wanted.api_key or new_api_key()

        waiter = Waiter()
        gateway.order_entry.open_account(wanted.client_id, api_key, waiter.set)
        (answer,) = await waiter.answers()
        if isinstance(answer, AccountAnswer):
            content = {**msgspec.structs.asdict(answer), "api_key": api_key}
            return json_of(content, 201 if answer.opened else 200)
        if isinstance(answer, PendingAnswer):
            return json_of(AccountPending(wanted.client_id, api_key), 202)
        if isinstance(answer, OutcomeUnknown):
            answer.details = {"client_id": wanted.client_id, "api_key": api_key}
        return response_of(answer)
