"""The naive exchange's market terms, listings and accounts, and how it refuses."""

from typing import Any

from exchange_shared.messages import (
    AccountConfirmed,
    AccountOpened,
    AnyCommand,
    CancelOrder,
    ConfigureMarket,
    ListSecurity,
    MarketConfigured,
    MassCancel,
    OpenAccount,
    RejectReason,
    ReplaceOrder,
    RequestRejected,
    SecurityListed,
)
from exchange_shared.units import MAX_TOTAL_E4
from tests.support.naive_market import NaiveAccount, NaiveMarket, NaiveSecurity


def configure_market(market: NaiveMarket, command: ConfigureMarket) -> None:
    """Set what new accounts and new orders go by."""
    market.initial_balance_e4 = command.initial_balance_e4
    market.maker_ppm = command.maker_fee_ppm
    market.taker_ppm = command.taker_fee_ppm
    market.publish(MarketConfigured, **fields_of(command, MarketConfigured))


def list_security(market: NaiveMarket, command: ListSecurity) -> None:
    """List a security, or change its terms."""
    security = market.security(command.security_id)
    if security is None:
        market.securities.append(
            NaiveSecurity(
                command.security_id,
                command.tick_e4,
                command.reference_price_e4,
                command.granted_quantity,
            )
        )
    else:
        has_orders = any(
            order.request.security_id == command.security_id for order in market.orders
        )
        if has_orders and security.tick_e4 != command.tick_e4:
            reject(market, command, "tick_in_use")
            return
        security.tick_e4 = command.tick_e4
        security.reference_price_e4 = command.reference_price_e4
        security.granted_quantity = command.granted_quantity
    market.publish(SecurityListed, **fields_of(command, SecurityListed))


def open_account(market: NaiveMarket, command: OpenAccount) -> None:
    """Open an account, or tell what it has."""
    account = market.account(command.client_id)
    fields: dict[str, Any] = {
        "request_id": command.request_id,
        "client_id": command.client_id,
    }
    if account is not None:
        if account.api_key_hash != command.api_key_hash:
            reject(market, command, "client_id_taken")
            return
        holdings = {name: count for name, count in account.shares.items() if count}
        market.publish(AccountConfirmed, **fields, cash_e4=account.cash_e4, holdings=holdings)
        return
    if any(one.api_key_hash == command.api_key_hash for one in market.accounts):
        reject(market, command, "api_key_in_use")
        return
    issued_e4 = sum(one.granted_e4 for one in market.accounts)
    if issued_e4 + market.initial_balance_e4 >= MAX_TOTAL_E4:
        reject(market, command, "account_limit")
        return
    grants = {
        one.security_id: one.granted_quantity for one in market.securities if one.granted_quantity
    }
    account = NaiveAccount(
        client_id=command.client_id,
        api_key_hash=command.api_key_hash,
        cash_e4=market.initial_balance_e4,
        shares=dict(grants),
        granted_e4=market.initial_balance_e4,
    )
    market.accounts.append(account)
    market.publish(
        AccountOpened,
        **fields,
        api_key_hash=command.api_key_hash,
        cash_e4=market.initial_balance_e4,
        holdings=grants,
    )


def reject(
    market: NaiveMarket,
    command: OpenAccount | ListSecurity | CancelOrder | ReplaceOrder | MassCancel,
    reason: RejectReason,
) -> None:
    """Refuse a command that is no new order."""
    fields = fields_of(command, RequestRejected)
    market.publish(RequestRejected, **fields, reason=reason, message="")


def fields_of(command: AnyCommand, event_type: type[Any]) -> dict[str, Any]:
    """The fields of a command that an event has too, but for the time."""
    common = set(command.__struct_fields__) & set(event_type.__struct_fields__) - {"time_us"}
    return {name: getattr(command, name) for name in common}
