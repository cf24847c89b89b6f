"""Creates the broker's queues, and one user per service with no more rights than it needs."""

import asyncio
import time
from collections.abc import Mapping
from urllib.parse import quote, unquote, urlsplit

import httpx
import structlog
from aiormq.exceptions import AMQPError

from exchange_migrations.runner import MigrationError
from exchange_shared.bus import DATA_FEED, ORDER_ENTRY, ORDER_EXECUTION
from exchange_shared.bus.topology import BROKER_EXCHANGE, declare_topology

log = structlog.get_logger()

SERVICE_READS = {
    "clearinghouse": ORDER_EXECUTION,
    "market_data_feed": DATA_FEED,
    "matching_engine": ORDER_ENTRY,
    "order_entry_gateway": DATA_FEED,
}
"""The one queue that each service reads. All of them write to the one exchange of the broker."""

FORMER_PASSWORD = "local-broker-admin"  # noqa: S105 (it is why the password is renewed)
"""The administrator's in volumes that were made where no password was set."""

_RETRY_SECONDS = 0.5
_REQUEST_SECONDS = 10.0


async def declare_queues(admin_url: str, wait_seconds: float) -> None:
    """Declare the broker's exchange, queues and bindings.

    Raises:
        MigrationError: the broker refuses, or does not answer within `wait_seconds`.
    """
    try:
        async with asyncio.timeout(wait_seconds):
            await declare_topology(admin_url)
    except TimeoutError as error:
        raise MigrationError(f"the broker does not answer within {wait_seconds:g} s") from error
    except AMQPError as error:
        raise MigrationError(f"the broker refuses: {error}") from error


async def renew_administrator(management_url: str, admin_url: str, wait_seconds: float) -> None:
    """Give the administrator the password of `admin_url` where it has the one that all had.

    The broker takes an administrator's password when its volume is made, and no other by itself.

    Raises:
        MigrationError: the management API does not answer within `wait_seconds`, or refuses.
    """
    admin = urlsplit(admin_url)
    user, password = unquote(admin.username or "guest"), unquote(admin.password or "guest")
    async with httpx.AsyncClient(base_url=management_url, timeout=_REQUEST_SECONDS) as client:
        await _wait_for(client, wait_seconds)
        if await _is_let_in(client, user, password):
            return
        if await _is_let_in(client, user, FORMER_PASSWORD):
            client.auth = httpx.BasicAuth(user, FORMER_PASSWORD)
            content = {"password": password, "tags": "administrator"}
            await _put(client, f"/api/users/{quote(user, safe='')}", content)
            log.info("broker_administrator_renewed")


async def _is_let_in(client: httpx.AsyncClient, user: str, password: str) -> bool:
    try:
        answer = await client.get("/api/whoami", auth=httpx.BasicAuth(user, password))
    except httpx.TransportError as error:
        raise MigrationError(f"the broker's management does not answer: {error}") from error
    return answer.is_success


async def create_users(
    management_url: str, admin_url: str, passwords: Mapping[str, str], wait_seconds: float
) -> None:
    """Create or update the user of each service given here. May be repeated.

    They may configure nothing. The administrator and the virtual host are those of `admin_url`.

    Raises:
        MigrationError: the management API refuses, or does not answer within `wait_seconds`.
    """
    admin = urlsplit(admin_url)
    auth = httpx.BasicAuth(unquote(admin.username or "guest"), unquote(admin.password or "guest"))
    virtual_host = quote(unquote(admin.path[1:]) or "/", safe="")
    async with httpx.AsyncClient(
        base_url=management_url, auth=auth, timeout=_REQUEST_SECONDS
    ) as client:
        await _wait_for(client, wait_seconds)
        for user, password in passwords.items():
            rights = {
                "configure": "^$",
                "write": f"^{BROKER_EXCHANGE}$",
                "read": f"^{SERVICE_READS[user]}$",
            }
            await _put(client, f"/api/users/{user}", {"password": password, "tags": ""})
            await _put(client, f"/api/permissions/{virtual_host}/{user}", rights)
            log.info("broker_user_ready", user=user)


async def _wait_for(client: httpx.AsyncClient, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            await client.get("/api/overview")
            return
        except httpx.TransportError as error:
            if time.monotonic() >= deadline:
                raise MigrationError(f"the broker's management does not answer: {error}") from error
            await asyncio.sleep(_RETRY_SECONDS)


async def _put(client: httpx.AsyncClient, path: str, content: dict[str, str]) -> None:
    try:
        response = await client.put(path, json=content)
    except httpx.TransportError as error:
        raise MigrationError(f"the broker's management does not answer: {error}") from error
    if not response.is_success:
        raise MigrationError(f"PUT {path}: {response.status_code} {response.text}")
