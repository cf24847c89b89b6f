"""One security's order book by price level: what its orders display."""

import heapq
import zlib
from dataclasses import dataclass, field

from exchange_shared.messages import Side

CHECKSUM_LEVELS = 10

Level = tuple[int, int, int]
"""A price in 1/10,000, how many shares are displayed at it, and by how many orders."""


@dataclass(slots=True)
class Book:
    """Displayed shares and orders by price. Sorted only when asked for: changes are far commoner.

    While the events of one command are being applied the book may be crossed.
    """

    bids: dict[int, list[int]] = field(default_factory=dict)
    asks: dict[int, list[int]] = field(default_factory=dict)

    def change(self, side: Side, price_e4: int, quantity: int, orders: int) -> None:
        """So many more shares, by so many more orders, are displayed at a price; or fewer."""
        levels = self.bids if side == "buy" else self.asks
        level = levels.get(price_e4)
        if level is None:
            levels[price_e4] = [quantity, orders]
            return
        level[0] += quantity
        level[1] += orders
        if level[1] == 0:
            assert level[0] == 0, "a price level without orders has no shares"
            del levels[price_e4]

    def best_bid(self) -> Level | None:
        """The highest bid."""
        price_e4 = max(self.bids, default=None)
        return None if price_e4 is None else (price_e4, *self._at(self.bids, price_e4))

    def best_ask(self) -> Level | None:
        """The lowest ask."""
        price_e4 = min(self.asks, default=None)
        return None if price_e4 is None else (price_e4, *self._at(self.asks, price_e4))

    def levels(self, depth: int) -> tuple[list[Level], list[Level]]:
        """The best `depth` bids and asks, best first."""
        bids = heapq.nlargest(depth, self.bids)
        asks = heapq.nsmallest(depth, self.asks)
        return (
            [(price_e4, *self._at(self.bids, price_e4)) for price_e4 in bids],
            [(price_e4, *self._at(self.asks, price_e4)) for price_e4 in asks],
        )

    def checksum(self) -> int:
        """CRC-32 over the ten best levels of each side, to compare a rebuilt book with.

        It is the CRC-32 (as in zlib and PNG, an unsigned integer) of an ASCII text with one entry
        per level, joined by `|`: first the ten best bids, best first, each `b<price>:<quantity>`,
        then the ten best asks, best first, each `a<price>:<quantity>`. Prices are integers in
        1/10,000. A bid of 10 at 419.99 and an ask of 5 at 420.01 are `b4199900:10|a4200100:5`;
        an empty book is the empty text, with checksum 0.
        """
        bids, asks = self.levels(CHECKSUM_LEVELS)
        entries = [f"b{price_e4}:{quantity}" for price_e4, quantity, _ in bids]
        entries += [f"a{price_e4}:{quantity}" for price_e4, quantity, _ in asks]
        return zlib.crc32("|".join(entries).encode())

    @staticmethod
    def _at(levels: dict[int, list[int]], price_e4: int) -> tuple[int, int]:
        quantity, orders = levels[price_e4]
        return quantity, orders
