"""Seeded flows of orders for the engine's core, as plain tuples that any order book can be fed.

("new", id, side, quantity, price)     price in ticks; side "buy" or "sell"
("cancel", id)                         may be gone already
("replace", id, quantity, price)       likewise
"""

from collections.abc import Iterator
from random import Random
from typing import Any

Operation = tuple[Any, ...]

MIDDLE = 10_000
SCENARIOS = ("mixed", "deep_book", "wide_book", "sweeps")


def operations(scenario: str, count: int, seed: int = 1) -> Iterator[Operation]:
    """The operations of one scenario: mostly new orders, cancels and replacements among them."""
    random = Random(seed)
    if scenario == "mixed":
        return _flow(random, count, width=25, cancels=0.35, replaces=0.10, largest=20)
    if scenario == "wide_book":
        return _flow(random, count, width=5_000, cancels=0.45, replaces=0.05, largest=20)
    if scenario == "deep_book":
        return _deep(random, count)
    assert scenario == "sweeps", scenario
    return _sweeps(random, count)


def _flow(
    random: Random, count: int, *, width: int, cancels: float, replaces: float, largest: int
) -> Iterator[Operation]:
    """Prices evenly around the middle; what does not trade at once rests until it is cancelled."""
    live: list[int] = []
    for number in range(1, count + 1):
        kind = random.random()
        if live and kind < cancels:
            index = random.randrange(len(live))
            live[index], live[-1] = live[-1], live[index]
            yield ("cancel", live.pop())
        elif live and kind < cancels + replaces:
            price = MIDDLE + random.randint(-width, width)
            yield ("replace", random.choice(live), random.randint(1, largest), price)
        else:
            side = "buy" if random.random() < 0.5 else "sell"
            price = MIDDLE + random.randint(-width, width)
            live.append(number)
            yield ("new", number, side, random.randint(1, largest), price)


def _deep(random: Random, count: int) -> Iterator[Operation]:
    """40,000 resting orders on ten prices a side; orders come and go, and some of them trade."""
    live: list[int] = []
    for number in range(1, count + 1):
        if number <= 40_000 or (random.random() < 0.5 and len(live) < 41_000):
            side = "buy" if random.random() < 0.5 else "sell"
            distance = random.randint(1, 10)
            price = MIDDLE - distance if side == "buy" else MIDDLE + distance
            live.append(number)
            yield ("new", number, side, random.randint(1, 20), price)
        elif random.random() < 0.1:
            side = "buy" if random.random() < 0.5 else "sell"
            price = MIDDLE + 1 if side == "buy" else MIDDLE - 1
            yield ("new", number, side, random.randint(1, 20), price)
        else:
            index = random.randrange(len(live))
            live[index], live[-1] = live[-1], live[index]
            yield ("cancel", live.pop())


def _sweeps(random: Random, count: int) -> Iterator[Operation]:
    """Small orders build up a side, then one large order takes most of them."""
    for number in range(1, count + 1):
        sell_phase = number // 20 % 2
        if number % 20:
            side = "sell" if sell_phase else "buy"
            distance = random.randint(1, 10)
            price = MIDDLE + distance if side == "sell" else MIDDLE - distance
            yield ("new", number, side, random.randint(1, 5), price)
        else:
            side = "sell" if sell_phase else "buy"
            price = MIDDLE - 20 if side == "sell" else MIDDLE + 20
            yield ("new", number, side, 50, price)


def gathering(count: int, seed: int = 1) -> Iterator[Operation]:
    """Orders of both sides at all prices around the middle, as in a call before an auction."""
    random = Random(seed)
    for number in range(1, count + 1):
        side = "buy" if random.random() < 0.5 else "sell"
        yield ("new", number, side, random.randint(1, 20), MIDDLE + random.randint(-500, 500))


def resting(count: int, seed: int = 1) -> Iterator[Operation]:
    """Orders that only rest, on prices that become more with their number."""
    random = Random(seed)
    width = max(10, count // 100)
    for number in range(1, count + 1):
        side = "buy" if random.random() < 0.5 else "sell"
        distance = random.randint(1, min(width, MIDDLE - 1))
        price = MIDDLE - distance if side == "buy" else MIDDLE + distance
        yield ("new", number, side, random.randint(1, 20), price)
