"""A bot's own books, kept up to date from prices and execution reports."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from exchange_shared.units import to_e4
from trading_bots.models import Balance, Holding, OrderState, Price, Report, Security
from trading_bots.strategies import Account, OpenOrder, Quote, View


class Books:
    """Maintains the view that a strategy decides from."""

    def __init__(self, securities: Iterable[Security]) -> None:
        quotes = {
            security.security_id: Quote(
                security.security_id,
                tick_e4=to_e4(security.tick),
                reference_e4=to_e4(security.reference_price),
                lot=security.lot,
            )
            for security in securities
        }
        self.view = View(quotes, Account())
        self._seq = 0

    def price(self, price: Price) -> None:
        """Take in new prices; those of a security that is not traded here are passed over."""
        quote = self.view.quotes.get(price.security_id)
        if quote is not None:
            quote.bid_e4 = _optional_e4(price.bid)
            quote.ask_e4 = _optional_e4(price.ask)
            quote.last_e4 = _optional_e4(price.last)

    def reset(
        self, balance: Balance, holdings: Mapping[str, Holding], orders: Iterable[OrderState]
    ) -> None:
        """Begin again with what the exchange says.

        The three answers can be some events apart; what that spoils, the next reset repairs.
        """
        self._seq = balance.seq
        self.view.account = Account(
            cash_e4=to_e4(balance.available),
            shares={name: holding.available for name, holding in holdings.items()},
            open_orders={
                order.order_id: _open_order(order)
                for order in sorted(orders, key=lambda order: order.order_id)
            },
        )

    def report(self, report: Report) -> None:
        """Take in an execution report, unless the last `reset` knew of it already."""
        order_id, quantity = report.order_id, report.quantity
        if report.seq <= self._seq or order_id is None or quantity is None:
            return
        account = self.view.account
        if report.event == "accepted" and report.side and report.security_id:
            price_e4 = _optional_e4(report.price)
            account.opened(OpenOrder(order_id, report.security_id, report.side, quantity, price_e4))
        elif report.event == "trade" and report.price is not None:
            fee_e4 = _optional_e4(report.fee) or 0
            account.filled(order_id, to_e4(report.price), quantity, fee_e4)
        elif report.event == "cancelled":
            account.closed(order_id)
        elif report.event == "reduced":
            account.reduced(order_id, quantity)
        elif report.event == "replaced" and report.price is not None:
            account.replaced(order_id, report.remaining_quantity or 0, to_e4(report.price))

    def gone(self, order_id: int) -> None:
        """The exchange says that an order is not open any more."""
        self.view.account.closed(order_id)


def _open_order(order: OrderState) -> OpenOrder:
    assert order.side is not None, "an open order has a side"
    assert order.remaining_quantity is not None, "an open order has a rest"
    return OpenOrder(
        order.order_id,
        order.security_id,
        order.side,
        order.remaining_quantity,
        _optional_e4(order.price),
    )


def _optional_e4(price: Decimal | None) -> int | None:
    return None if price is None else to_e4(price)
