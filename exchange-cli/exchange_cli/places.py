"""Where the exchange of one process listens and keeps its data, looked at before it starts."""

import errno
import os
import pwd
import socket
import tempfile
from ipaddress import ip_address
from pathlib import Path

_FIRST_FREE_PORT = 1_024


DATA_DIR = "DATA_DIR (EXCHANGE_DATA_DIR)"
"""How `make run` and the program itself call the setting."""


class UnusablePlace(Exception):
    """A setting names a port, an address or a directory that cannot be used."""


def base_url(host: str, port: int) -> str:
    """The URL by which a program on this machine reaches a listener."""
    return f"http://{_reachable(host, port)}"


def _reachable(host: str, port: int) -> str:
    """Address and port for a connection: the one that stands for all addresses is none."""
    try:
        address = ip_address(host)
    except ValueError:
        return f"{host}:{port}"
    if address.is_unspecified:
        address = ip_address("127.0.0.1" if address.version == 4 else "::1")
    return f"{address}:{port}" if address.version == 4 else f"[{address}]:{port}"


def check_ports(host: str, gateway_port: int, feed_port: int) -> None:
    """Find out before anything starts.

    Raises:
        UnusablePlace: the ports are one, or cannot be listened on.
    """
    if gateway_port == feed_port != 0:
        raise UnusablePlace(
            "GATEWAY_PORT (EXCHANGE_GATEWAY_PORT) and FEED_PORT (EXCHANGE_FEED_PORT) are both"
            f" {feed_port}; set one to another"
        )
    _check_port(host, gateway_port, "GATEWAY_PORT (EXCHANGE_GATEWAY_PORT)")
    _check_port(host, feed_port, "FEED_PORT (EXCHANGE_FEED_PORT)")


def _check_port(host: str, port: int, setting: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        if (error.errno or 0) < 0 or error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            raise UnusablePlace(
                f"EXCHANGE_HOST: {host!r} is no address of this machine; 127.0.0.1 is the usual one"
            ) from error
        reason = os.strerror(error.errno or errno.EADDRINUSE)
        another = f"another, {_FIRST_FREE_PORT} or above" if port < _FIRST_FREE_PORT else "another"
        raise UnusablePlace(
            f"{_reachable(host, port)}: {reason}; set {setting} to {another}"
        ) from error


def check_data_dir(directory: Path) -> None:
    """Make the directory when it is missing, and see that it takes a file.

    Raises:
        UnusablePlace: it is no directory that takes a file.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(bytes(65_536))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        reason = os.strerror(error.errno or errno.EIO)
        raise UnusablePlace(
            f"{DATA_DIR}: {directory}: {reason}; a directory that you may write to is expected"
        ) from error


def owner_problem(directory: Path, user: str | None) -> str | None:
    """Why Postgres, run by a user (`None`: by us), would not take this directory for its data.

    It takes only its own, and what root takes over its owner could never use again.
    """
    try:
        owner = directory.stat().st_uid
    except FileNotFoundError:
        return None
    wanted = os.geteuid() if user is None else pwd.getpwnam(user).pw_uid
    if owner == wanted:
        return None
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = f"user {owner}"
    return (
        f"{DATA_DIR}: {directory} belongs to {name}; start it as {name}, or name another directory"
    )
