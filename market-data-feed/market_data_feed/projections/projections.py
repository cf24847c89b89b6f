"""All projections together: one record in, everything it changes changed."""

from collections.abc import Callable, Sequence
from typing import Any

from exchange_shared.messages import (
    AccountConfirmed,
    AccountFunded,
    AccountOpened,
    AnyFeedRecord,
    ClientLimitsSet,
    ClientSuspended,
    Heartbeat,
    IndicativeChanged,
    MarketClockChanged,
    MarketConfigured,
    MarketStateChanged,
    MarketStateSet,
    MassCancelled,
    NodeFenced,
    OrderAccepted,
    OrderCancelled,
    OrderReduced,
    OrderRejected,
    OrderRepeated,
    OrderReplaced,
    OrderReport,
    OrderTriggered,
    PriceChanged,
    RequestRejected,
    SecurityListed,
    TradeExecuted,
    TradeSettled,
)
from market_data_feed.projections.accounts import Account
from market_data_feed.projections.changes import Changes, OrderAnswer
from market_data_feed.projections.market import Security, terms_of
from market_data_feed.projections.open_orders import OpenOrders
from market_data_feed.projections.orders import Order, accepted_order, rejected_order

_WITHOUT_EFFECT = (
    MarketConfigured,
    AccountConfirmed,
    RequestRejected,
    MassCancelled,
    ClientSuspended,
    MarketStateSet,
    MarketClockChanged,
    NodeFenced,
    Heartbeat,
)
"""Records that change nothing that the feed tells about."""


class Projections:
    """What the feed knows.

    `orders` has every open order and, until `stored` is told, every changed one. `execution_seq`
    and `report_seq` are the last numbers of the engine's executions and of the feed's reports.
    `orphans` counts records about an order or a security whose own record could not be read.
    """

    def __init__(self) -> None:
        self.securities: dict[str, Security] = {}
        self.accounts: dict[str, Account] = {}
        self.clients_by_key: dict[str, str] = {}
        self.orders: dict[int, Order] = {}
        self.execution_seq = 0
        self.report_seq = 0
        self.orphans = 0
        self.changes = Changes()
        self._open_orders = OpenOrders(self.account, self.securities)
        self._handlers: dict[type[Any], Callable[[Any], None]] = {
            **dict.fromkeys(_WITHOUT_EFFECT, self._nothing),
            SecurityListed: self._security_listed,
            AccountOpened: self._account_opened,
            ClientLimitsSet: self._client_limits_set,
            OrderAccepted: self._order_accepted,
            OrderRejected: self._order_rejected,
            OrderRepeated: self._order_answered,
            TradeExecuted: self._trade_executed,
            OrderCancelled: self._order_cancelled,
            OrderTriggered: self._order_triggered,
            OrderReplaced: self._order_replaced,
            OrderReduced: self._order_reduced,
            MarketStateChanged: self._security_changed,
            IndicativeChanged: self._security_changed,
            PriceChanged: self._price_changed,
            OrderReport: self._order_answered,
            AccountFunded: self._account_funded,
            TradeSettled: self._trade_settled,
        }

    def apply(self, record: AnyFeedRecord) -> None:
        """Take in the next record of `data_feed`."""
        self._handlers[type(record)](record)

    def take_changes(self) -> Changes:
        """What changed since the last call."""
        changes, self.changes = self.changes, Changes()
        changes.settle_flags()
        return changes

    def stored(self, orders: Sequence[Order]) -> None:
        """Forget those of these orders that are closed: they can now be found in the database."""
        changed_again = self.changes.orders
        for order in orders:
            order_id = order.order_id
            if (
                not order.remaining_quantity
                and order_id not in changed_again
                and self.orders.get(order_id) is order
            ):
                del self.orders[order_id]

    def account(self, client_id: str) -> Account:
        """The account of a client, which need not be opened yet."""
        account = self.accounts.get(client_id)
        if account is None:
            account = self.accounts[client_id] = Account(client_id)
        return account

    def know_client(self, account: Account) -> None:
        """The account has been opened, and its key works."""
        account.opened = True
        self.clients_by_key[account.api_key_hash] = account.client_id

    def know_open_order(self, order: Order) -> None:
        """An order is open: it holds cash or shares, and the book displays what it should."""
        self.orders[order.order_id] = order
        if order.security_id not in self.securities:
            self.orphans += 1
        self._open_orders.enter(order)

    def _nothing(self, record: AnyFeedRecord) -> None:
        """Nothing that the feed tells about changed."""

    def _security_listed(self, event: SecurityListed) -> None:
        security = self.securities.get(event.security_id)
        if security is None:
            security = self.securities[event.security_id] = Security(
                event.security_id,
                terms_of(event),
                seq=event.seq,
                time_us=event.time_us,
            )
        security.listed(event)
        self.changes.security(security)

    def _account_opened(self, event: AccountOpened) -> None:
        self.execution_seq = event.execution_seq
        account = self.account(event.client_id)
        account.opened_us = event.time_us
        account.api_key_hash = event.api_key_hash
        account.cash_e4 = account.opening_equity_e4 = event.cash_e4
        for security_id, quantity in event.holdings.items():
            security = self.securities.get(security_id)
            value_e4 = security.mark_e4 * quantity if security else 0
            account.opening_equity_e4 += value_e4
            holding = account.holding(security_id)
            holding.change(quantity, value_e4)
            self.changes.holding(holding)
        self.know_client(account)
        self.changes.clients.append(account)
        self.changes.account(account)

    def _client_limits_set(self, event: ClientLimitsSet) -> None:
        self.changes.limits[event.client_id] = event

    def _account_funded(self, report: AccountFunded) -> None:
        account = self.account(report.client_id)
        account.settled_cash_e4 = report.cash_e4
        for security_id, quantity in report.holdings.items():
            holding = account.holding(security_id)
            holding.settled_quantity = quantity
            self.changes.holding(holding)
        self.changes.account(account)

    def _order_accepted(self, event: OrderAccepted) -> None:
        order = accepted_order(event)
        order.displayed_quantity = order.part()
        self.know_open_order(order)
        self.changes.orders[event.order_id] = order

    def _order_rejected(self, event: OrderRejected) -> None:
        self._order_answered(event)
        if event.order_id in self.orders:
            return
        order = rejected_order(event)
        self.orders[event.order_id] = self.changes.orders[event.order_id] = order

    def _order_answered(self, record: OrderAnswer) -> None:
        self.report_seq += 1
        self.changes.order_reports.append((self.report_seq, record))

    def _order_cancelled(self, event: OrderCancelled) -> None:
        order = self._changed(event)
        if order is not None:
            order.remaining_quantity = 0
            self._open_orders.leave(order, event.quantity, displayed=0)
            order.status = "expired" if event.reason == "expired" else "cancelled"
            order.reason = event.reason

    def _order_triggered(self, event: OrderTriggered) -> None:
        order = self._changed(event)
        if order is not None:
            order.status = "new"
            self._open_orders.display(order, order.part())

    def _order_replaced(self, event: OrderReplaced) -> None:
        order = self._changed(event)
        if order is not None:
            displayed = order.displayed_quantity
            self._open_orders.leave(order, order.remaining_quantity, displayed=0)
            order.replace(event)
            kept = min(displayed, order.remaining_quantity)
            self.account(order.client_id).hold(order, order.remaining_quantity)
            self._open_orders.display(order, kept if event.kept_priority else order.part())

    def _order_reduced(self, event: OrderReduced) -> None:
        order = self._changed(event)
        if order is not None:
            order.quantity -= event.quantity
            order.remaining_quantity = event.remaining_quantity
            displayed = min(order.displayed_quantity, event.remaining_quantity)
            self._open_orders.leave(order, event.quantity, displayed=displayed)

    def _changed(
        self, event: OrderCancelled | OrderTriggered | OrderReplaced | OrderReduced
    ) -> Order | None:
        """The order that an event changes; `None` if its own record could not be read."""
        order = self.orders.get(event.order_id)
        if order is None:
            self.orphans += 1
            return None
        order.seq = event.seq
        order.updated_us = event.time_us
        self.changes.orders[event.order_id] = order
        return order

    def _trade_executed(self, event: TradeExecuted) -> None:
        self.execution_seq = event.execution_seq
        self.report_seq += 1
        changes = self.changes
        changes.trades.append((self.report_seq, event))
        security = self.securities.get(event.security_id)
        if security is None:
            self.orphans += 1
        else:
            security.trade(event)
            changes.security(security)
        self._fill(event.buy_order_id, event.buy_remaining_quantity, event)
        self._fill(event.sell_order_id, event.sell_remaining_quantity, event)
        for client_id, quantity, fee_e4 in (
            (event.buyer_id, event.quantity, event.buyer_fee_e4),
            (event.seller_id, -event.quantity, event.seller_fee_e4),
        ):
            account = self.account(client_id)
            changes.account(account)
            changes.holding(
                account.trade(event.security_id, quantity, event.price_e4 * quantity, fee_e4)
            )

    def _fill(self, order_id: int, remaining_quantity: int, event: TradeExecuted) -> None:
        order = self.orders.get(order_id)
        if order is None:
            self.orphans += 1
            return
        order.trade(event, remaining_quantity, self.report_seq)
        self._open_orders.leave(order, event.quantity, displayed=order.part_after(event))
        self.changes.orders[order_id] = order

    def _trade_settled(self, report: TradeSettled) -> None:
        self.report_seq += 1
        changes = self.changes
        changes.settlements.append((self.report_seq, report))
        for client_id, quantity, cash_e4 in (
            (report.buyer_id, report.buyer_shares, report.buyer_cash_e4),
            (report.seller_id, report.seller_shares, report.seller_cash_e4),
        ):
            account = self.account(client_id)
            changes.account(account)
            changes.holding(account.settle(report.security_id, quantity, cash_e4))
        for order_id in (report.buy_order_id, report.sell_order_id):
            order = self.orders.get(order_id)
            if order is not None and order.last_trade_id == report.trade_id:
                order.latest_report = (self.report_seq, report)

    def _price_changed(self, event: PriceChanged) -> None:
        self.changes.prices[event.security_id] = event
        self._security_changed(event)

    def _security_changed(
        self, event: PriceChanged | MarketStateChanged | IndicativeChanged
    ) -> None:
        security = self.securities.get(event.security_id)
        if security is None:
            self.orphans += 1
        else:
            security.change(event)
            self.changes.security(security)
