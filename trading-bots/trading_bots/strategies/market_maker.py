"""A dealer: always quotes both sides, earns the spread, and leans against its own inventory."""

from random import Random

from exchange_shared.messages import Side
from trading_bots.strategies.chance import Norms, pause
from trading_bots.strategies.decision import Decision, Plan, on_tick
from trading_bots.strategies.view import Quote, View

HALF_SPREAD = 0.0008
"""Half the distance between its best bid and ask, as a share of the price."""

LEVEL_STEP = 0.0008
"""The distance between its quotes on one side, as a share of the price."""

LEVELS = 3

SKEW = 0.01
"""How far its fair price moves down when its inventory doubles, as a share of the price."""

SMOOTHING = 0.3
"""How fast its fair price follows the market."""

VALUE_PULL = 0.02
"""How much of its fair price is the reference price."""

STALE = 0.4
"""A quote is replaced when it is off by this share of the half spread."""

CASH_USED = 0.8
"""The share of its cash that it puts into bids; each security gets the same."""

MAX_QUANTITY = 10


class MarketMaker:
    """Keeps `LEVELS` bids and asks in every security around a fair price of its own."""

    def __init__(self, rng: Random, interval_seconds: float = 0.5) -> None:
        self._rng = rng
        self._interval_seconds = interval_seconds
        self._fair: dict[str, float] = {}
        self._norms = Norms()

    def decide(self, view: View) -> Decision:
        """Replaces the quotes that are missing, or no longer right."""
        plan = Plan(view, 2 * LEVELS * len(view.quotes))
        held_e4 = sum(
            order.price_e4 * order.remaining_quantity
            for order in view.account.open_orders.values()
            if order.side == "buy" and order.price_e4 is not None
        )
        cash_e4 = (view.account.cash_e4 + held_e4) * CASH_USED / (len(view.quotes) * LEVELS)
        for quote in view.quotes.values():
            owned = view.account.owned(quote.security_id)
            fair_e4 = self._fair_price(quote, owned)
            bid_quantity = int(max(1, min(MAX_QUANTITY, cash_e4 // fair_e4)))
            self._quote_side(plan, view, quote, "buy", fair_e4, bid_quantity)
            ask_quantity = max(1, min(MAX_QUANTITY, owned // LEVELS))
            self._quote_side(plan, view, quote, "sell", fair_e4, ask_quantity)
        return plan.decision(pause(self._rng, self._interval_seconds))

    def _fair_price(self, quote: Quote, owned: int) -> float:
        """The smoothed market price, moved against what it owns beyond what it began with."""
        follow = (1 - VALUE_PULL) * quote.market_e4 + VALUE_PULL * quote.reference_e4
        smooth = self._fair.get(quote.security_id, follow)
        smooth += SMOOTHING * (follow - smooth)
        self._fair[quote.security_id] = smooth
        return smooth * (1 - SKEW * self._norms.excess(quote.security_id, owned))

    def _quote_side(
        self, plan: Plan, view: View, quote: Quote, side: Side, fair_e4: float, quantity: int
    ) -> None:
        """Keeps each own order that is still near a wanted level; replaces the others."""
        sign = -1 if side == "buy" else 1
        tolerance_e4 = max(quote.tick_e4 // 2, STALE * HALF_SPREAD * fair_e4)
        wanted = [
            on_tick(quote, fair_e4 * (1 + sign * (HALF_SPREAD + level * LEVEL_STEP)))
            for level in range(LEVELS)
        ]
        for order in list(view.account.orders(quote.security_id)):
            if order.side != side or order.price_e4 is None:
                continue
            price_e4 = order.price_e4
            nearest = min(wanted, key=lambda level_e4: abs(level_e4 - price_e4), default=None)
            if nearest is None or abs(nearest - price_e4) > tolerance_e4:
                plan.cancel(order)
            else:
                wanted.remove(nearest)
        for price_e4 in wanted:
            plan.limit(quote.security_id, side, quantity, price_e4, post_only=True)
