"""What a stream of commands of every shape leads to, in one line; as a program, prints it."""

import hashlib

import msgspec

from matching_engine.core import Exchange
from tests.support.rich_flow import rich_flow
from tests.support.rich_shapes import SHAPES


def hashes_of_all_shapes() -> list[str]:
    """Over the events and the last state of a stream of every shape."""
    hashes: list[str] = []
    for shape in SHAPES:
        exchange, digest = Exchange(), hashlib.sha256()
        for command in rich_flow(7, 400, shape):
            for event in exchange.apply(command):
                digest.update(msgspec.json.encode(event))
        hashes += [digest.hexdigest(), exchange.state_hash()]
    return hashes


if __name__ == "__main__":
    print(*hashes_of_all_shapes())
