"""What the naive exchange tells of prices after each command."""

from exchange_shared.messages import IndicativeChanged, PriceChanged, Side
from tests.support.naive_auction import auction_outcome
from tests.support.naive_market import NaiveMarket
from tests.support.naive_records import NaiveSecurity


def publish_prices(market: NaiveMarket) -> None:
    """Tell what changed of the securities that the events of this command are about."""
    about = [getattr(event, "security_id", None) for event in market.events]
    for security_id in dict.fromkeys(about):
        security = market.security(security_id or "")
        if security is not None:
            _publish_best_prices(market, security)
            _publish_indicative(market, security)


def _publish_best_prices(market: NaiveMarket, security: NaiveSecurity) -> None:
    bid_e4, bid_quantity = _best(market, security, "buy")
    ask_e4, ask_quantity = _best(market, security, "sell")
    prices = (bid_e4, ask_e4, security.last_e4)
    if prices != security.published:
        security.published = prices
        market.publish(
            PriceChanged,
            security_id=security.security_id,
            bid_e4=bid_e4,
            bid_quantity=bid_quantity,
            ask_e4=ask_e4,
            ask_quantity=ask_quantity,
            last_e4=security.last_e4,
        )


def _best(market: NaiveMarket, security: NaiveSecurity, side: Side) -> tuple[int | None, int]:
    orders = market.resting(security.security_id, side)
    displayed = [order for order in orders if not order.is_hidden()]
    if security.state != "continuous" or not displayed:
        return None, 0
    best_e4 = displayed[0].price_e4
    return best_e4, sum(one.tradable() for one in displayed if one.price_e4 == best_e4)


def _publish_indicative(market: NaiveMarket, security: NaiveSecurity) -> None:
    if security.state != "auction":
        return
    outcome = auction_outcome(market, security)
    if outcome != security.indicative:
        security.indicative = outcome
        price_e4, quantity, surplus = outcome
        market.publish(
            IndicativeChanged,
            security_id=security.security_id,
            price_e4=price_e4,
            quantity=quantity,
            surplus=surplus,
        )
