"""Garbage is looked for rarely, and what was there at the start is not looked at again."""

import gc
import subprocess
import sys

PROGRAM = """
import gc
from exchange_shared.garbage import collect_rarely

class Ring:
    def __init__(self):
        self.ring = self

collect_rarely()
frozen, looks = gc.get_freeze_count(), gc.get_stats()[0]["collections"]
kept = [[] for _ in range(20_000)]
assert gc.get_stats()[0]["collections"] == looks, "looked while few are new"
del kept
for _ in range(300_000):
    Ring()
rings = sum(type(found) is Ring for found in gc.get_objects())
print(frozen, rings)
"""


def test_few_new_objects_are_not_looked_at_and_rings_do_not_pile_up() -> None:
    assert gc.get_freeze_count() == 0, "of this process nothing is frozen"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    frozen, rings = map(int, done.stdout.split())
    assert frozen > 1_000
    assert rings <= 60_000
