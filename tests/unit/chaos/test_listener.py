"""What a stream told, held against the reports that there are."""

import asyncio
from random import Random
from typing import Any

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection, serve

from tests.chaos.listener import Heard, Listener
from tests.support.traders import PersistentTrader

URL = "http://127.0.0.1:1"


def missed(*connections: Heard) -> list[str]:
    trader = PersistentTrader("alice", [URL], Random(1))
    return Listener(URL, trader, list(connections)).missed([2, 3, 5, 8, 9])


def test_what_is_lost_with_a_connection_is_not_missed() -> None:
    assert missed(Heard(0), Heard(0, [2, 3]), Heard(4, [5]), Heard(7, [8, 9])) == []


@pytest.mark.parametrize(
    ("heard", "said"),
    [([2, 5], "missing [3]"), ([2, 3, 4, 5], "not expected [4]"), ([2, 3, 3], "told 3 reports")],
)
def test_what_a_connection_left_out_or_repeated_is_told(heard: list[int], said: str) -> None:
    (found,) = missed(Heard(1, heard))
    assert said in found


async def test_it_connects_again_and_keeps_what_each_connection_told() -> None:
    refused: dict[str, Any] = {"error": {"code": "not_ready"}}
    logged_in = [refused, {"report_seq": 4}, {"report_seq": 9}]
    waits = asyncio.Event()

    async def tell(socket: ServerConnection) -> None:
        first = logged_in.pop(0)
        await socket.send(msgspec.json.encode(first).decode())
        for number in (1, 2):
            told = {"report_seq": first.get("report_seq", 0) + number}
            await socket.send(msgspec.json.encode(told).decode())
        if not logged_in:
            waits.set()
            await socket.wait_closed()

    async with serve(tell, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        listener = Listener(f"http://127.0.0.1:{port}", PersistentTrader("alice", [URL], Random(1)))
        task = asyncio.create_task(listener.listen())
        async with asyncio.timeout(10):
            await waits.wait()
            while sum(len(one.report_seqs) for one in listener.connections) < 4:
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert listener.connections == [Heard(4, [5, 6]), Heard(9, [10, 11])]
