"""The JSON of accounts: cash, shares, and what they have made of them.

Every figure is the engine's after its event `seq`; what is settled is no part of any answer.
"""

from exchange_shared.units import PPM, average_e4, half_even
from market_data_feed.projections import Account, Holding, Security
from market_data_feed.views import shapes
from market_data_feed.views.numbers import amount

Securities = dict[str, Security]


def short_margin_e4(account: Account, securities: Securities) -> int:
    """The cash kept back for shares that are sold short, or offered and not there."""
    return sum(
        securities[security_id].short_margin_e4(held.quantity, held.held)
        for security_id, held in account.holdings.items()
        if (held.quantity < 0 or held.available < 0) and security_id in securities
    )


def balance(account: Account, securities: Securities, seq: int) -> shapes.Balance:
    """Cash: what there is, what is kept back, and what a new order may use.

    `held` is what open buy orders hold and the `short_margin` together.
    """
    margin_e4 = short_margin_e4(account, securities)
    held_e4 = account.held_e4 + margin_e4
    return {
        "client_id": account.client_id,
        "balance": amount(account.cash_e4),
        "held": amount(held_e4),
        "available": amount(account.cash_e4 - held_e4),
        "short_margin": amount(margin_e4),
        "seq": seq,
    }


def holding(found: Holding, seq: int) -> shapes.Holding:
    """Shares, likewise; those that are sold short, or offered and not there, are below zero."""
    return {
        "security_id": found.security_id,
        "client_id": found.client_id,
        "quantity": found.quantity,
        "held": found.held,
        "available": found.available,
        "average_cost": amount(average_e4(found.cost_e4, found.quantity)),
        "seq": seq,
    }


def equity_e4(account: Account, securities: Securities) -> int:
    """Cash and shares, at the last trade's price or else the reference price."""
    total_e4 = account.cash_e4
    for held in account.holdings.values():
        security = securities.get(held.security_id)
        if security is not None:
            total_e4 += security.mark_e4 * held.quantity
    return total_e4


def performance(account: Account, securities: Securities) -> shapes.Performance:
    """Equity, profit since the account was opened, and what it has traded."""
    equity = equity_e4(account, securities)
    profit_e4 = equity - account.opening_equity_e4
    opening_e4 = account.opening_equity_e4
    return {
        "equity": amount(equity),
        "profit": amount(profit_e4),
        "return": half_even(profit_e4 * PPM, opening_e4) / PPM if opening_e4 else None,
        "trades": account.trades,
        "volume": account.volume,
    }


def results(account: Account, securities: Securities) -> shapes.Results:
    """Its performance, and what of the profit is realised, with what it has paid in fees.

    What is realised is the cash and the cost of the shares that are there, less what the account
    was opened with. The two make the profit.
    """
    cost_e4 = unrealised_e4 = 0
    for security_id, held in account.holdings.items():
        cost_e4 += held.cost_e4
        if security_id in securities:
            unrealised_e4 += securities[security_id].mark_e4 * held.quantity - held.cost_e4
    return {
        **performance(account, securities),
        "realised_profit": amount(account.cash_e4 + cost_e4 - account.opening_equity_e4),
        "unrealised_profit": amount(unrealised_e4),
        "fees": amount(account.fees_e4),
    }


def holding_of(account: Account, security_id: str, seq: int) -> shapes.Holding:
    """The shares of one security, also when there never were any."""
    found = account.holdings.get(security_id) or Holding(account.client_id, security_id)
    return holding(found, seq)


def holdings(account: Account, seq: int) -> list[shapes.Holding]:
    """All shares that there are, or that are offered, by security."""
    return [
        holding(found, seq)
        for _, found in sorted(account.holdings.items())
        if found.quantity or found.held
    ]


def whole_account(account: Account, securities: Securities, seq: int) -> shapes.WholeAccount:
    """Cash, shares and results together."""
    return {
        **balance(account, securities, seq),
        **results(account, securities),
        "holdings": holdings(account, seq),
    }
