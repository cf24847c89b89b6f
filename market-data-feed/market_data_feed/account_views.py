"""The JSON of accounts: cash, shares, and what they have made of them."""

from exchange_shared.units import PPM
from market_data_feed.projections import Account, Holding, Security
from market_data_feed.views import Json, amount, average_e4


def balance(account: Account, seq: int) -> Json:
    """Cash: what the ledger says, what open orders hold, and what a new order may use."""
    return {
        "client_id": account.client_id,
        "balance": amount(account.settled_cash_e4),
        "held": amount(account.held_e4),
        "available": amount(account.available_e4),
        "seq": seq,
    }


def holding(found: Holding, seq: int) -> Json:
    """Shares, likewise."""
    return {
        "security_id": found.security_id,
        "client_id": found.client_id,
        "quantity": found.settled_quantity,
        "held": found.held,
        "available": found.available,
        "average_cost": amount(average_e4(found.cost_e4, found.quantity)),
        "seq": seq,
    }


def equity_e4(account: Account, securities: dict[str, Security]) -> int:
    """Settled cash and settled shares, at the last trade's price or else the reference price."""
    total_e4 = account.settled_cash_e4
    for held in account.holdings.values():
        security = securities.get(held.security_id)
        if security is not None:
            total_e4 += security.mark_e4 * held.settled_quantity
    return total_e4


def performance(account: Account, securities: dict[str, Security]) -> Json:
    """Equity, profit since the account was opened, and what it has traded."""
    equity = equity_e4(account, securities)
    profit_e4 = equity - account.opening_equity_e4
    opening_e4 = account.opening_equity_e4
    return {
        "equity": amount(equity),
        "profit": amount(profit_e4),
        "return": profit_e4 * PPM // opening_e4 / PPM if opening_e4 else None,
        "trades": account.trades,
        "volume": account.volume,
    }


def holding_of(account: Account, security_id: str, seq: int) -> Json:
    """The shares of one security, also when there never were any."""
    found = account.holdings.get(security_id) or Holding(account.client_id, security_id)
    return holding(found, seq)


def holdings(account: Account, seq: int) -> list[Json]:
    """All shares that there are, or are in motion, by security."""
    return [
        holding(found, seq)
        for _, found in sorted(account.holdings.items())
        if found.quantity or found.settled_quantity
    ]
