"""What changed since the last transaction, collapsed: each row is to be written once."""

from dataclasses import dataclass, field

from exchange_shared.messages import (
    ClientLimitsSet,
    OrderRejected,
    OrderRepeated,
    OrderReport,
    PriceChanged,
    TradeExecuted,
    TradeSettled,
)
from market_data_feed.projections.accounts import Account, Holding
from market_data_feed.projections.market import Security
from market_data_feed.projections.orders import Order

OrderAnswer = OrderReport | OrderRejected | OrderRepeated


def repeated_message(record: OrderRepeated) -> str:
    """What a client is told whose order came a second time."""
    return f"the same order came before: it is order {record.order_id}"


@dataclass(slots=True)
class Changes:
    """Rows to append (with their report_seq), and things whose latest state is to be written."""

    clients: list[Account] = field(default_factory=list)
    limits: dict[str, ClientLimitsSet] = field(default_factory=dict)
    order_reports: list[tuple[int, OrderAnswer]] = field(default_factory=list)
    trades: list[tuple[int, TradeExecuted]] = field(default_factory=list)
    settlements: list[tuple[int, TradeSettled]] = field(default_factory=list)
    orders: dict[int, Order] = field(default_factory=dict)
    prices: dict[str, PriceChanged] = field(default_factory=dict)
    securities: list[Security] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    holdings: list[Holding] = field(default_factory=list)

    def __len__(self) -> int:
        """About how many rows these are; those that cannot become many are not counted."""
        return len(self.order_reports) + len(self.trades) + len(self.settlements) + len(self.orders)

    def account(self, account: Account) -> None:
        """This account's cash changed."""
        if not account.changed:
            account.changed = True
            self.accounts.append(account)

    def holding(self, holding: Holding) -> None:
        """These shares changed."""
        if not holding.changed:
            holding.changed = True
            self.holdings.append(holding)

    def security(self, security: Security) -> None:
        """This security changed."""
        if not security.changed:
            security.changed = True
            self.securities.append(security)

    def settle_flags(self) -> None:
        """Let what is in here be marked as changed again."""
        for account in self.accounts:
            account.changed = False
        for holding in self.holdings:
            holding.changed = False
        for security in self.securities:
            security.changed = False
