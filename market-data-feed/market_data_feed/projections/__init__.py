"""What the feed knows, as pure functions of the records it reads: books, accounts, orders, prices.

The records of one message are applied together; between messages the projections are consistent.
"""

from market_data_feed.projections.accounts import Account, Holding
from market_data_feed.projections.book import Book, Level
from market_data_feed.projections.changes import Changes
from market_data_feed.projections.market import Security
from market_data_feed.projections.orders import Order, OrderState
from market_data_feed.projections.projections import Projections

__all__ = [
    "Account",
    "Book",
    "Changes",
    "Holding",
    "Level",
    "Order",
    "OrderState",
    "Projections",
    "Security",
]
