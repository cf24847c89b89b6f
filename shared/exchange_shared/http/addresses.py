"""Whose a connection is, as far as its address tells."""

import functools
import ipaddress

from starlette.requests import HTTPConnection

UNKNOWN = "unknown"
"""What stands for everything that is no address."""

MAX_ADDRESS_LENGTH = 64
"""Longer than any address, or network, is written."""

_REMEMBERED = 10_000


def address_of(connection: HTTPConnection) -> str:
    """Where a request or a WebSocket comes from: an address, an IPv6 one's /64, or `unknown`."""
    return network_of(connection.client.host) if connection.client else UNKNOWN


def network_of(address: str) -> str:
    """An IPv6 address stands for its whole /64, which anybody has who has one of it."""
    return _network(address) if len(address) <= MAX_ADDRESS_LENGTH else UNKNOWN


@functools.lru_cache(maxsize=_REMEMBERED)
def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_interface(address.partition("%")[0]).ip
    except ValueError:
        return UNKNOWN
    if isinstance(parsed, ipaddress.IPv6Address) and not parsed.is_loopback:
        mapped = parsed.ipv4_mapped
        return str(mapped or ipaddress.ip_network((parsed.packed[:8] + bytes(8), 64)))
    return str(parsed)
