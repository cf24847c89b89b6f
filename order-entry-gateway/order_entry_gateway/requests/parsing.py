"""From decoded JSON to checked requests, or to the refusal that names what is wrong."""

from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from exchange_shared.http import ApiError, validation_error
from exchange_shared.messages import NewOrder, OrderOptions, Side
from exchange_shared.messages.commands import Contradiction
from order_entry_gateway.requests.schemas import (
    ClientOrderId,
    OrderRequest,
    PriceE4,
    Quantity,
    ReplaceRequest,
    SecurityId,
)

_MAX_NAME = 64
_API_NAMES = {
    "price_e4": "price",
    "stop_price_e4": "stop_price",
    "trail_e4": "trail_amount",
    "trail_ppm": "trail_percent",
    "expires_us": "expires_at",
}
"""Of those fields of the command that the API calls otherwise."""

_OPTIONS = {_API_NAMES.get(field, field): field for field in OrderOptions.__struct_fields__}
"""What most orders do not have, with the names of the command's fields."""

_OPTION_NAMES = frozenset(_OPTIONS)

Model = TypeVar("Model", bound=BaseModel)
Replace = TypeVar("Replace", bound=ReplaceRequest)

_orders: TypeAdapter[list[OrderRequest]] = TypeAdapter(list[OrderRequest])
_reported_fields: dict[str, tuple[str, TypeAdapter[Any]]] = {
    "security_id": ("security_id", TypeAdapter(SecurityId)),
    "side": ("side", TypeAdapter(Side)),
    "quantity": ("quantity", TypeAdapter(Quantity)),
    "price": ("price_e4", TypeAdapter(PriceE4)),
    "client_order_id": ("client_order_id", TypeAdapter(ClientOrderId)),
}


def parse(model: type[Model], value: Any) -> Model:
    """A request from decoded JSON.

    Raises:
        ApiError: 422 with the field's name.
    """
    if not isinstance(value, dict):
        raise ApiError(422, "invalid_field", "a JSON object is expected")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _named(error) from None


def new_orders(values: list[Any], client_id: str, seen_seq: int) -> list[NewOrder | ApiError]:
    """The command for each order, still without its id and its time, or why it is refused.

    `seen_seq` is the last event that this gateway has seen. A refusal is 422 for its shape, and 403
    for somebody else's `client_id`.
    """
    try:
        requests: list[OrderRequest | ApiError] = [*_orders.validate_python(values)]
    except ValidationError:
        requests = [_parse_order(value) for value in values]
    return [
        request if isinstance(request, ApiError) else _new_order(request, client_id, seen_seq)
        for request in requests
    ]


def parse_replace(model: type[Replace], value: Any) -> Replace:
    """A replacement from decoded JSON, which must have something new.

    Raises:
        ApiError: 422 with the field's name.
    """
    request = parse(model, value)
    if request.quantity is None and request.price is None:
        message = "quantity: a new quantity, a new price, or both are expected"
        raise ApiError(422, "missing_field", message, "quantity")
    return request


def well_formed_fields(value: Any) -> dict[str, Any]:
    """Those fields of an order that can be shown in a report, whatever is wrong with the rest."""
    fields: dict[str, Any] = {}
    for name, (report_name, adapter) in _reported_fields.items():
        if isinstance(value, dict) and value.get(name) is not None:
            try:
                fields[report_name] = adapter.validate_python(value[name], strict=True)
            except ValidationError:
                continue
    return fields


def _parse_order(value: Any) -> OrderRequest | ApiError:
    try:
        return parse(OrderRequest, value)
    except ApiError as refusal:
        return refusal


def _new_order(request: OrderRequest, client_id: str, seen_seq: int) -> NewOrder | ApiError:
    if request.client_id is not None and request.client_id != client_id:
        message = f"the API key belongs to {client_id}, not to {request.client_id}"
        return ApiError(403, "not_your_account", message, "client_id")
    used = request.model_fields_set & _OPTION_NAMES
    options = {_OPTIONS[name]: getattr(request, name) for name in used}
    try:
        return NewOrder(
            time_us=0,
            order_id=0,
            client_id=client_id,
            security_id=request.security_id,
            side=request.side,
            order_type=request.type,
            quantity=request.quantity,
            price_e4=request.price,
            time_in_force=request.time_in_force,
            client_order_id=request.client_order_id,
            after_seq=None if request.client_order_id is None else seen_seq,
            **options,
        )
    except Contradiction as contradiction:
        return _contradictory(request, contradiction)


def _contradictory(request: OrderRequest, contradiction: Contradiction) -> ApiError:
    """The refusal in the names of the API: of a field that is missing, or should not be there."""
    field = _API_NAMES.get(contradiction.field, contradiction.field)
    if field == "trail_amount" and request.trail_amount is None and request.trail_percent:
        field = "trail_percent"
    code = "missing_field" if getattr(request, field) is None else "invalid_field"
    return ApiError(422, code, f"{field}: {contradiction.message}", field)


def _named(error: ValidationError) -> ApiError:
    """The refusal for the first problem. No request nests, so its field is the first of the path.

    What follows in the path is an index, or the choice of a union.
    """
    problem = error.errors(include_url=False, include_input=False)[0]
    field = tuple(str(part)[:_MAX_NAME] for part in problem["loc"][:1])
    return validation_error([{**problem, "loc": field}])
