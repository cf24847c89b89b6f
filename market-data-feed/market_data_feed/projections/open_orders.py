"""What open orders hold of the accounts, and what the books display of them."""

from collections.abc import Callable, Mapping

from market_data_feed.projections.accounts import Account
from market_data_feed.projections.market import Security
from market_data_feed.projections.orders import Order


class OpenOrders:
    """Keeps accounts and books right as orders come, change and go.

    A security that is not known has no book to display anything.
    """

    def __init__(
        self, account: Callable[[str], Account], securities: Mapping[str, Security]
    ) -> None:
        self._account = account
        self._securities = securities

    def enter(self, order: Order) -> None:
        """An order is open, and displays `order.displayed_quantity`."""
        account = self._account(order.client_id)
        account.open_orders[order.order_id] = order
        account.hold(order, order.remaining_quantity)
        displayed, order.displayed_quantity = order.displayed_quantity, 0
        self.display(order, displayed)

    def leave(self, order: Order, quantity: int, *, displayed: int) -> None:
        """So many shares of an order are no longer open, nor held; so many are displayed now."""
        account = self._account(order.client_id)
        account.hold(order, -quantity)
        if not order.remaining_quantity:
            account.open_orders.pop(order.order_id, None)
        self.display(order, displayed)

    def display(self, order: Order, displayed: int) -> None:
        """Let the book display so many shares of an order."""
        before = order.displayed_quantity
        if displayed == before:
            return
        order.displayed_quantity = displayed
        security = self._securities.get(order.security_id)
        if security is not None:
            assert order.price_e4 is not None, "an order without a limit is displayed"
            orders = (displayed > 0) - (before > 0)
            security.book.change(order.side, order.price_e4, displayed - before, orders)
