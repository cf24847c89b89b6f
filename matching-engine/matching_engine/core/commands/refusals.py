"""How commands are refused."""

from exchange_shared.messages import (
    CancelOrder,
    ConfigureMarket,
    ConfirmTime,
    FenceNode,
    ListSecurity,
    MassCancel,
    NewOrder,
    OpenAccount,
    OrderRejected,
    RejectReason,
    ReplaceOrder,
    RequestRejected,
    SetClientLimits,
    SetMarketState,
    SuspendClient,
)
from matching_engine.core.market import Market

Refusal = tuple[RejectReason, str]
"""Why a command is refused: a code, and words with the numbers."""

Request = (
    CancelOrder
    | ConfigureMarket
    | ConfirmTime
    | ListSecurity
    | MassCancel
    | OpenAccount
    | ReplaceOrder
    | SetClientLimits
    | SetMarketState
    | SuspendClient
    | FenceNode
)


def reject(market: Market, command: Request, reason: RejectReason, message: str) -> None:
    """Report that a command other than a new order was refused."""
    market.events.append(
        RequestRejected(
            market.next_seq(),
            command.time_us,
            command.request_id,
            reason,
            message,
            getattr(command, "client_id", None),
            getattr(command, "order_id", None),
        )
    )


def reject_order(market: Market, command: NewOrder, reason: RejectReason, message: str) -> None:
    """Report that a new order was refused, and remember it, so that no older copy is accepted."""
    seq = market.next_seq()
    account = market.accounts.get(command.client_id)
    if account is not None:
        account.note_refusal(command, seq)
    market.events.append(
        OrderRejected(
            seq=seq,
            time_us=command.time_us,
            order_id=command.order_id,
            client_id=command.client_id,
            security_id=command.security_id,
            side=command.side,
            order_type=command.order_type,
            quantity=command.quantity,
            price_e4=command.price_e4,
            client_order_id=command.client_order_id,
            reason=reason,
            message=message,
        )
    )
