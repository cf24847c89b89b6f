"""Commands about the market's terms, securities, accounts, and what clients may do."""

from msgspec.structs import asdict, replace

from exchange_shared.messages import (
    AccountConfirmed,
    AccountOpened,
    ClientLimitsSet,
    ClientSuspended,
    ConfigureMarket,
    ListSecurity,
    MarketConfigured,
    OpenAccount,
    SecurityListed,
    SetClientLimits,
    SuspendClient,
)
from exchange_shared.units import MAX_TOTAL_E4, format_e4
from matching_engine.core.accounts import Account, Position
from matching_engine.core.book.order_book import OrderBook
from matching_engine.core.commands.market_clock import report_clock
from matching_engine.core.commands.refusals import Refusal, reject
from matching_engine.core.market import Market
from matching_engine.core.security import Security
from matching_engine.core.terms import Limits, Terms
from matching_engine.core.trading.cancel import cancel
from matching_engine.core.trading.security_state import PHASE_STATES


def configure_market(market: Market, command: ConfigureMarket) -> None:
    """Set what a new account starts with, the fee rates, and the limits of all clients."""
    market.initial_balance_e4 = command.initial_balance_e4
    market.maker_fee_ppm = command.maker_fee_ppm
    market.taker_fee_ppm = command.taker_fee_ppm
    market.limits = Limits.of(command)
    market.limit_steps(command.max_time_step_us)
    for account in market.accounts.values():
        account.limits = account.own_limits.over(market.limits)
    market.events.append(
        MarketConfigured(
            seq=market.next_seq(),
            time_us=command.time_us,
            request_id=command.request_id,
            initial_balance_e4=command.initial_balance_e4,
            maker_fee_ppm=command.maker_fee_ppm,
            taker_fee_ppm=command.taker_fee_ppm,
            **asdict(market.limits),
            max_time_step_us=command.max_time_step_us,
        )
    )
    if market.held_back_us:
        report_clock(market, "held_back")


def list_security(market: Market, command: ListSecurity) -> None:
    """List a security, or give a listed one other terms."""
    terms = Terms.of(command)
    book = market.books.get(command.security_id)
    if book is None:
        security = Security(command.security_id, terms)
        security.state, security.auction = PHASE_STATES[market.phase]
        book = market.books[security.security_id] = OrderBook(security)
    else:
        security = book.security
        refusal = _cannot_change(market, book, terms)
        if refusal is not None:
            reject(market, command, *refusal)
            return
        if terms.reference_price_e4 != security.terms.reference_price_e4:
            security.reference_price_e4 = terms.reference_price_e4
        security.set_terms(terms)
    market.touched[security.security_id] = book
    market.events.append(
        SecurityListed(
            seq=market.next_seq(),
            time_us=command.time_us,
            request_id=command.request_id,
            security_id=security.security_id,
            **asdict(replace(terms, reference_price_e4=security.reference_price_e4)),
            state=security.state,
            auction=security.auction,
        )
    )


def _cannot_change(market: Market, book: OrderBook, terms: Terms) -> Refusal | None:
    """Why a listed security may not have other terms, if it may not."""
    old, security_id = book.security.terms, book.security.security_id
    if old.tick_e4 != terms.tick_e4 and not book.is_empty:
        message = f"{security_id} has open orders at its tick of {format_e4(old.tick_e4)}"
        return "tick_in_use", message
    if old.lot_quantity != terms.lot_quantity and not book.is_empty:
        return "lot_in_use", f"{security_id} has open orders in its lot of {old.lot_quantity}"
    if old.short_margin_ppm is not None and terms.short_margin_ppm is None:
        for account in market.accounts.values():
            position = account.positions.get(security_id)
            if position is not None and position.held > max(0, position.quantity):
                return "short_positions_open", f"somebody is selling {security_id} short"
            if position is not None and position.quantity < 0:
                return "short_positions_open", f"somebody has sold {security_id} short"
    return None


def open_account(market: Market, command: OpenAccount) -> None:
    """Open an account, confirm that it is there, or refuse."""
    client_id = command.client_id
    account = market.accounts.get(client_id)
    if account is not None:
        _confirm(market, command, account)
        return
    namesake = market.names.get(client_id.lower())
    if command.any_case and namesake is not None:
        message = f"client {namesake} has an account; names that differ only by case are one"
        reject(market, command, "client_id_taken", message)
        return
    if command.api_key_hash in market.api_keys:
        message = "this API key belongs to another client; choose another or leave it out"
        reject(market, command, "api_key_in_use", message)
        return
    if market.issued_e4 + market.initial_balance_e4 >= MAX_TOTAL_E4:
        message = f"all accounts together may have {format_e4(MAX_TOTAL_E4)} at the most"
        reject(market, command, "account_limit", message)
        return
    account = Account(client_id, command.api_key_hash, market.initial_balance_e4)
    account.limits = account.own_limits.over(market.limits)
    for book in market.books.values():
        security = book.security
        if security.terms.granted_quantity:
            granted = Position(security, security.terms.granted_quantity)
            account.positions[security.security_id] = granted
    market.add_account(account)
    market.issued_e4 += market.initial_balance_e4
    market.events.append(
        AccountOpened(
            seq=market.next_seq(),
            execution_seq=market.next_execution_seq(),
            time_us=command.time_us,
            request_id=command.request_id,
            client_id=client_id,
            api_key_hash=command.api_key_hash,
            cash_e4=account.cash_e4,
            holdings=account.holdings(),
        )
    )


def _confirm(market: Market, command: OpenAccount, account: Account) -> None:
    """Tell that an account is there, if the key is the same."""
    if account.api_key_hash != command.api_key_hash:
        message = f"client {command.client_id} has an account, with another API key"
        reject(market, command, "client_id_taken", message)
        return
    market.events.append(
        AccountConfirmed(
            seq=market.next_seq(),
            time_us=command.time_us,
            request_id=command.request_id,
            client_id=command.client_id,
            cash_e4=account.cash_e4,
            holdings=account.holdings(),
        )
    )


def set_client_limits(market: Market, command: SetClientLimits) -> None:
    """Limit one client otherwise than the market does."""
    account = _known_account(market, command)
    if account is None:
        return
    account.own_limits = Limits.of(command)
    account.limits = account.own_limits.over(market.limits)
    market.events.append(
        ClientLimitsSet(
            seq=market.next_seq(),
            time_us=command.time_us,
            request_id=command.request_id,
            client_id=command.client_id,
            **asdict(account.own_limits),
        )
    )


def suspend_client(market: Market, command: SuspendClient) -> None:
    """Switch a client's kill switch on, which cancels all its orders, or off."""
    account = _known_account(market, command)
    if account is None:
        return
    account.suspended = command.suspended
    doomed = list(account.orders.values()) if command.suspended else []
    for order in doomed:
        cancel(market, order, "kill_switch", command.request_id)
    market.events.append(
        ClientSuspended(
            seq=market.next_seq(),
            time_us=command.time_us,
            request_id=command.request_id,
            client_id=command.client_id,
            suspended=command.suspended,
            count=len(doomed),
        )
    )


def _known_account(market: Market, command: SetClientLimits | SuspendClient) -> Account | None:
    """The account that a command is about; refuses the command when there is none."""
    account = market.accounts.get(command.client_id)
    if account is None:
        message = f"there is no client {command.client_id}"
        reject(market, command, "unknown_client", message)
    return account
