"""The price of an auction, kept up to date with each order that comes or goes."""

from collections.abc import Iterable, Iterator

from sortedcontainers import SortedDict

from exchange_shared.messages import Side

Indicative = tuple[int | None, int, int]
"""The price of an auction, the quantity that would trade at it, and the surplus to buy."""

NO_INDICATIVE: Indicative = (None, 0, 0)


class Equilibrium:
    """Where demand and supply meet.

    With the price the demand (the shares wanted at that price or above) falls, and the supply
    (those offered at it or below) rises. So the greatest volume is where they cross: at the highest
    price of an order at which the demand is not below the supply, or between that and the prices of
    orders next to it. An order that comes or goes moves that point by little, so it is not looked
    for anew: `_price_e4` is where it was, and `_demand` and `_supply` are those at it.

    It begins with prices, each once, and the shares wanted and those offered at them.
    """

    __slots__ = ("_demand", "_levels", "_price_e4", "_supply")

    def __init__(self, bids: Iterable[tuple[int, int]], asks: Iterable[tuple[int, int]]) -> None:
        self._levels: SortedDict = SortedDict()
        self._price_e4 = 0
        self._demand = 0
        self._supply = 0
        for price_e4, quantity in bids:
            self.change("buy", price_e4, quantity)
        for price_e4, quantity in asks:
            self.change("sell", price_e4, quantity)

    def change(self, side: Side, price_e4: int, quantity: int) -> None:
        """Take note of so many more shares, or fewer if below zero, at a price."""
        wanted, offered = self._levels.get(price_e4, (0, 0))
        if side == "buy":
            wanted += quantity
            if price_e4 >= self._price_e4:
                self._demand += quantity
        else:
            offered += quantity
            if price_e4 <= self._price_e4:
                self._supply += quantity
        if wanted or offered:
            self._levels[price_e4] = (wanted, offered)
        else:
            del self._levels[price_e4]

    def indicative(self, tick_e4: int, mark_e4: int) -> Indicative:
        """What an uncross would do now: its price, the quantity that would trade, and the surplus.

        The price is that of the greatest volume, of these that of the least surplus, of these the
        one nearest the mark, of two the higher.
        """
        self._meet()
        best: tuple[int, int] | None = None
        nearest = surplus = 0
        for first_e4, last_e4, demand, supply in self._ranges_around(tick_e4):
            rank = (-min(demand, supply), abs(demand - supply))
            price_e4 = _nearest(tick_e4, mark_e4, first_e4, last_e4)
            if (
                best is None
                or rank < best
                or (rank == best and price_e4 - mark_e4 <= mark_e4 - nearest)
            ):
                best, nearest, surplus = rank, price_e4, demand - supply
        if best is None or best[0] == 0:
            return NO_INDICATIVE
        return nearest, -best[0], surplus

    def _meet(self) -> None:
        """Move to the highest price of an order at which the demand is not below the supply."""
        while self._demand < self._supply:
            below_e4 = self._below(self._price_e4)
            self._supply -= self._at(self._price_e4)[1]
            self._demand += self._at(below_e4)[0]
            self._price_e4 = below_e4
        while (above_e4 := self._above(self._price_e4)) is not None:
            demand = self._demand - self._at(self._price_e4)[0]
            supply = self._supply + self._at(above_e4)[1]
            if demand < supply:
                return
            self._price_e4, self._demand, self._supply = above_e4, demand, supply

    def _ranges_around(self, tick_e4: int) -> Iterator[tuple[int, int, int, int]]:
        """Ranges of prices with the same demand and supply where they meet, lowest first.

        Each is its first and its last price, the demand and the supply. They reach from the price
        of an order below to that of the second above: farther away one of demand and supply is
        less favourable, and the other not more.
        """
        first_e4 = self._below(self._price_e4)
        demand = self._demand + self._at(first_e4)[0]
        supply = self._supply - self._at(self._price_e4)[1]
        before_e4: int | None = None
        price_e4: int | None = first_e4
        for _ in range(4):
            if price_e4 is None:
                return
            if before_e4 and before_e4 + tick_e4 < price_e4:
                yield before_e4 + tick_e4, price_e4 - tick_e4, demand, supply
            if before_e4 is not None:
                supply += self._at(price_e4)[1]
            if price_e4:
                yield price_e4, price_e4, demand, supply
            demand -= self._at(price_e4)[0]
            before_e4, price_e4 = price_e4, self._above(price_e4)

    def _at(self, price_e4: int) -> tuple[int, int]:
        """The shares wanted and offered at exactly a price."""
        shares: tuple[int, int] = self._levels.get(price_e4, (0, 0))
        return shares

    def _below(self, price_e4: int) -> int:
        """The next lower price of an order; 0 when there is none."""
        index = self._levels.bisect_left(price_e4)
        below_e4: int = self._levels.peekitem(index - 1)[0] if index else 0
        return below_e4

    def _above(self, price_e4: int) -> int | None:
        """The next higher price of an order."""
        index = self._levels.bisect_right(price_e4)
        if index == len(self._levels):
            return None
        above_e4: int = self._levels.peekitem(index)[0]
        return above_e4


def _nearest(tick_e4: int, mark_e4: int, lowest_e4: int, highest_e4: int) -> int:
    """The multiple of the tick nearest the mark, within a range of such multiples."""
    half_up_e4 = (2 * mark_e4 + tick_e4) // (2 * tick_e4) * tick_e4
    return min(max(half_up_e4, lowest_e4), highest_e4)
