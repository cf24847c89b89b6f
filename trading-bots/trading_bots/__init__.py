"""Trade on the exchange from Python: the client, and bots that use it."""

from trading_bots.bot import run_bot
from trading_bots.client import ExchangeClient
from trading_bots.errors import ExchangeError, OutcomeUnknown, ReportsLost
from trading_bots.models import MassCancelled, NewOrder, Order, Price, Replaced, Report
from trading_bots.settings import BotSettings

__all__ = [
    "BotSettings",
    "ExchangeClient",
    "ExchangeError",
    "MassCancelled",
    "NewOrder",
    "Order",
    "OutcomeUnknown",
    "Price",
    "Replaced",
    "Report",
    "ReportsLost",
    "run_bot",
]
