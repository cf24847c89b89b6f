"""The naive exchange's market terms, listings and accounts, and how it refuses."""

from typing import Any

from exchange_shared.messages import (
    AccountConfirmed,
    AccountOpened,
    AnyCommand,
    ConfigureMarket,
    ListSecurity,
    MarketConfigured,
    OpenAccount,
    RejectReason,
    RequestRejected,
    SecurityListed,
    SetClientLimits,
)
from exchange_shared.units import MAX_TOTAL_E4
from tests.support.naive_cash import open_shares
from tests.support.naive_clock import tell_clock
from tests.support.naive_market import NaiveMarket
from tests.support.naive_records import NaiveAccount, NaiveSecurity, state_of_phase


def configure_market(market: NaiveMarket, command: ConfigureMarket) -> None:
    """Set what new accounts and new orders go by."""
    market.terms = command
    market.publish(MarketConfigured, **fields_of(command, MarketConfigured))
    if command.max_time_step_us is None:
        market.held_back_us = 0
    elif market.held_back_us:
        tell_clock(market, "held_back")


def list_security(market: NaiveMarket, command: ListSecurity) -> None:
    """List a security, or change its terms."""
    security = market.security(command.security_id)
    if security is None:
        state, auction = state_of_phase(market.phase.phase)
        security = NaiveSecurity(command, command.reference_price_e4, state, auction)
        market.securities.append(security)
    else:
        reason = _why_not_listed(market, security, command)
        if reason is not None:
            reject(market, command, reason)
            return
        if command.reference_price_e4 != security.terms.reference_price_e4:
            security.reference_price_e4 = command.reference_price_e4
        security.terms = command
    fields = fields_of(command, SecurityListed)
    fields["reference_price_e4"] = security.reference_price_e4
    market.publish(SecurityListed, **fields, state=security.state, auction=security.auction)


def _why_not_listed(
    market: NaiveMarket, security: NaiveSecurity, command: ListSecurity
) -> RejectReason | None:
    terms, has_orders = security.terms, bool(market.orders_of(security))
    if has_orders and command.tick_e4 != terms.tick_e4:
        return "tick_in_use"
    if has_orders and command.lot_quantity != terms.lot_quantity:
        return "lot_in_use"
    if terms.short_margin_ppm is not None and command.short_margin_ppm is None:
        for account in market.accounts:
            position = account.shares.get(security.security_id, 0)
            if position < 0 or open_shares(market, account, security, "sell") > position:
                return "short_positions_open"
    return None


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
    names = [one.client_id.lower() for one in market.accounts]
    if command.any_case and command.client_id.lower() in names:
        reject(market, command, "client_id_taken")
        return
    if any(one.api_key_hash == command.api_key_hash for one in market.accounts):
        reject(market, command, "api_key_in_use")
        return
    cash_e4 = market.terms.initial_balance_e4
    issued_e4 = sum(one.granted_e4 for one in market.accounts)
    if issued_e4 + cash_e4 >= MAX_TOTAL_E4:
        reject(market, command, "account_limit")
        return
    grants = {
        one.security_id: one.terms.granted_quantity
        for one in market.securities
        if one.terms.granted_quantity
    }
    market.accounts.append(
        NaiveAccount(
            client_id=command.client_id,
            api_key_hash=command.api_key_hash,
            cash_e4=cash_e4,
            shares=dict(grants),
            granted_e4=cash_e4,
            limits=SetClientLimits(time_us=0, request_id=1, client_id=command.client_id),
        )
    )
    market.publish(
        AccountOpened, **fields, api_key_hash=command.api_key_hash, cash_e4=cash_e4, holdings=grants
    )


def reject(market: NaiveMarket, command: AnyCommand, reason: RejectReason) -> None:
    """Refuse a command that is no new order."""
    fields = fields_of(command, RequestRejected)
    market.publish(RequestRejected, **fields, reason=reason, message="")


def fields_of(command: AnyCommand, event_type: type[Any]) -> dict[str, Any]:
    """The fields of a command that an event has too, but for the time."""
    common = set(command.__struct_fields__) & set(event_type.__struct_fields__) - {"time_us"}
    return {name: getattr(command, name) for name in common}
