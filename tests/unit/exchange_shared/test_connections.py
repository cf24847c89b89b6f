"""Who keeps a connection, and who has to go."""

import resource

import pytest
from structlog.testing import capture_logs

from exchange_shared.http import ApiError, ServerLimits
from exchange_shared.http.connections import Connection, Connections
from exchange_shared.http.descriptors import connections_possible


class Door:
    """Connections, and which of them have had to go."""

    def __init__(self, connections: int, per_address: int, per_client: int = 100) -> None:
        self.limits = ServerLimits(connections, per_address, per_client)
        self.connections = Connections(self.limits)
        self.evicted: list[str] = []

    def open(self, name: str, address: str = "10.0.0.1") -> Connection:
        connection = self.connections.open(address)
        connection.evicted = lambda: self.evicted.append(name)
        return connection

    def refusal(self, connection: Connection) -> str:
        with pytest.raises(ApiError) as refused:
            connection.begin()
        assert (refused.value.status, refused.value.code) == (503, "too_many_connections")
        assert refused.value.retry_after_seconds == 1
        return refused.value.message

    def numbers(self) -> dict[str, float]:
        lines = self.connections.metrics.render().decode().splitlines()
        pairs = [line.rpartition(" ") for line in lines if "{" in line]
        return {name.removeprefix("exchange_connections"): float(n) for name, _, n in pairs}


def test_the_one_that_is_idle_for_longest_makes_room() -> None:
    door = Door(connections=6, per_address=100)
    first, _second, third = door.open("first"), door.open("second"), door.open("third")
    first.begin()
    first.rest()  # was heard of last
    third.begin()  # is at work
    door.open("fourth")
    door.open("fifth")
    assert door.evicted == ["second", "first"]
    assert not third.closed
    assert door.numbers()['_evicted_total{limit="all"}'] == 2


def test_any_number_of_idle_connections_shut_out_nobody() -> None:
    door = Door(connections=20, per_address=100)
    for number in range(1_000):
        door.open("a flood", address=f"10.0.{number // 250}.{number % 250}")
    newcomer = door.open("newcomer", address="10.9.9.9")
    newcomer.begin()
    assert not newcomer.closed
    assert door.evicted == ["a flood"] * (1_001 - 10)
    assert door.numbers()['{kind="anonymous"}'] == 10


def test_one_address_is_refused_before_it_has_all_and_others_are_not() -> None:
    door = Door(connections=8, per_address=2)
    for _ in range(2):
        door.open("busy").begin()
    told = door.refusal(door.open("one more"))
    assert "2 anonymous connections of 10.0.0.1 are at work, which is the limit" in told
    door.open("another", address="10.0.0.2").begin()
    assert door.numbers()['_refused_total{limit="address"}'] == 1


def test_a_key_has_room_when_strangers_have_taken_theirs() -> None:
    door = Door(connections=4, per_address=100)
    for _ in range(2):
        door.open("busy").begin()
    trader = door.open("trader")
    assert "a key has room of its own" in door.refusal(trader)
    trader.prove("alice")
    trader.begin()
    assert door.numbers()['{kind="anonymous"}'] == 2
    assert door.numbers()['{kind="client"}'] == 1


def test_one_client_has_only_so_many_and_another_has_room() -> None:
    door = Door(connections=100, per_address=100, per_client=2)
    traders = [door.open("alice") for _ in range(3)]
    for trader in traders:
        trader.prove("alice")
        if trader is not traders[-1]:
            trader.begin()
    assert "2 connections of alice are at work" in door.refusal(traders[-1])
    other = door.open("bob")
    other.prove("bob")
    other.begin()


def test_a_connection_can_be_another_clients_later() -> None:
    door = Door(connections=100, per_address=100)
    connection = door.open("a proxy's")
    for client in ("alice", "alice", "bob"):
        connection.prove(client)
        connection.begin()
        connection.rest()
    assert (connection.client, connection.kind) == ("bob", "client")
    connection.close()
    assert set(door.numbers().values()) == {0.0}


def test_what_has_ended_is_not_counted_and_not_at_work() -> None:
    door = Door(connections=2, per_address=1)
    connection = door.open("first")
    door.open("second")
    connection.prove("alice")
    connection.rest()
    door.refusal(connection)
    assert door.evicted == ["first"]
    assert (door.numbers()['{kind="anonymous"}'], door.numbers()['{kind="client"}']) == (1, 0)


def test_what_the_system_does_not_allow_is_not_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [(250, 500)]
    monkeypatch.setattr(resource, "getrlimit", lambda _which: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _which, limit: limits.append(limit))
    with capture_logs() as logs:
        assert connections_possible(100) == 100
        assert logs == []
        assert connections_possible(150) == 150
        assert limits[-1] == (375, 500)
        assert connections_possible(1_000) == 200
    assert limits[-1] == (500, 500)
    assert [(log["event"], log["connections"]) for log in logs] == [("few_file_descriptors", 200)]
