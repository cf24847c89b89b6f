"""Trade on the exchange from Python: the client, and bots that use it."""

from trading_bots.bot import run_bot
from trading_bots.client import ExchangeClient
from trading_bots.errors import ExchangeError, OutcomeUnknown
from trading_bots.models import NewOrder, Order, Price, Report
from trading_bots.settings import BotSettings

__all__ = [
    "BotSettings",
    "ExchangeClient",
    "ExchangeError",
    "NewOrder",
    "Order",
    "OutcomeUnknown",
    "Price",
    "Report",
    "run_bot",
]
