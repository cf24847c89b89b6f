"""From decoded JSON to checked requests, or to the refusal that names what is wrong."""

from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from exchange_shared.http import ApiError, validation_error
from exchange_shared.messages import NewOrder, Side
from order_entry_gateway.schemas import (
    ClientOrderId,
    OrderRequest,
    PriceE4,
    Quantity,
    SecurityId,
)

_MAX_NAME = 64

Model = TypeVar("Model", bound=BaseModel)

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


def parse_orders(values: list[Any], client_id: str) -> list[OrderRequest | ApiError]:
    """Each order, or why it is refused: 422 for its shape, 403 for somebody else's `client_id`."""
    try:
        orders: list[OrderRequest | ApiError] = [*_orders.validate_python(values)]
    except ValidationError:
        orders = [_parse_order(value) for value in values]
    for index, order in enumerate(orders):
        if isinstance(order, OrderRequest):
            if (order.price is None) != (order.type == "market"):
                orders[index] = _contradiction(order)
            elif order.client_id is not None and order.client_id != client_id:
                message = f"the API key belongs to {client_id}, not to {order.client_id}"
                orders[index] = ApiError(403, "not_your_account", message, "client_id")
    return orders


def new_order(request: OrderRequest, client_id: str, order_id: int, time_us: int) -> NewOrder:
    """The command for a checked order."""
    return NewOrder(
        time_us=time_us,
        order_id=order_id,
        client_id=client_id,
        security_id=request.security_id,
        side=request.side,
        order_type=request.type,
        quantity=request.quantity,
        price_e4=request.price,
        time_in_force=request.time_in_force,
        client_order_id=request.client_order_id,
    )


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


def _contradiction(order: OrderRequest) -> ApiError:
    if order.price is None:
        return ApiError(422, "missing_field", "price: a limit order needs a price", "price")
    return ApiError(422, "invalid_field", "price: a market order has no price", "price")


def _named(error: ValidationError) -> ApiError:
    """The refusal for the first problem. No request nests, so its field is the first of the path.

    What follows in the path is an index, or the choice of a union.
    """
    problem = error.errors(include_url=False, include_context=False, include_input=False)[0]
    field = tuple(str(part)[:_MAX_NAME] for part in problem["loc"][:1])
    return validation_error([{**problem, "loc": field}])
