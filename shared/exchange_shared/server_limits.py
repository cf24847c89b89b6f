"""How many connections a server has, and how long it waits for what a client sends."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ServerLimits:
    """The limits of one HTTP server."""

    connections: int = 8_000
    """At a time. Half of them are for those who have shown a key."""

    connections_per_address: int = 2_000
    """At work from one address at a time: so many without a key, and so many with one."""

    connections_per_client: int = 100
    """With the keys of one client at a time."""

    head_seconds: float = 10.0
    """How long the first byte of a connection may take, and then the head of each request."""

    body_seconds: float = 20.0
    """How long the body of a request may take."""

    keep_alive_seconds: int = 15
    """How long a connection is kept for a next request."""

    refusal_seconds: float = 5.0
    """How long, about, who has no key and asks for too much waits to be told so."""

    websocket_frames_per_second: int = 2_000
    """How many frames, of any kind, a WebSocket may send, and twice as many at once; 0: any."""
