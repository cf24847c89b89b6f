"""A RabbitMQ in which tests make virtual hosts and users of their own.

The methods block; call them from a coroutine through `asyncio.to_thread`.
"""

import os
from typing import Self
from urllib.parse import quote, unquote, urlsplit

import httpx

from tests.support.processes import ServerFailed

URL = "TEST_RABBITMQ_URL"
MANAGEMENT_URL = "TEST_RABBITMQ_MANAGEMENT_URL"
NOT_OURS = f"it kills, pauses or restarts the broker, and that of {URL} is not ours"


class Broker:
    """A broker that answers, wherever it runs.

    Args:
        url: `amqp://user:password@host:port`, of an administrator.
        management_url: where its management API is.
    """

    def __init__(self, url: str, management_url: str) -> None:
        parts = urlsplit(url)
        self._address = f"{parts.hostname}:{parts.port or 5672}"
        self.administrator = unquote(parts.username or "guest")
        self._password = unquote(parts.password or "guest")
        self.management_url = management_url.rstrip("/")

    @classmethod
    def given(cls) -> Self | None:
        """The broker that the environment names; `None`: tests start their own.

        Raises:
            ServerFailed: one of the two variables is missing.
        """
        urls = [os.environ.get(name, "") for name in (URL, MANAGEMENT_URL)]
        if not any(urls):
            return None
        if not all(urls):
            raise ServerFailed(
                f"{URL} and {MANAGEMENT_URL} go together, such as"
                " amqp://guest:guest@127.0.0.1:5672 and http://127.0.0.1:15672"
            )
        return cls(*urls)

    def url(self, virtual_host: str = "/", credentials: str | None = None) -> str:
        """Where to connect to one of its virtual hosts; `credentials` are `user:password`."""
        if credentials is None:
            credentials = f"{quote(self.administrator, safe='')}:{quote(self._password, safe='')}"
        return f"amqp://{credentials}@{self._address}/{quote(virtual_host, safe='')}"

    def version(self) -> str:
        """What it says of its version."""
        answer = self.manage("GET", "overview")
        _expect_success(answer)
        return str(answer.json()["rabbitmq_version"])

    def create_virtual_host(self, name: str) -> str:
        """Make a virtual host with nothing in it, in the place of one with this name.

        Returns its URL.
        """
        path = f"vhosts/{quote(name, safe='')}"
        self.manage("DELETE", path)
        _expect_success(self.manage("PUT", path))
        self.grant(self.administrator, name)
        return self.url(name)

    def delete_virtual_host(self, name: str) -> None:
        """Remove a virtual host and all that is in it."""
        _expect_success(self.manage("DELETE", f"vhosts/{quote(name, safe='')}"))

    def create_user(self, name: str, password: str) -> None:
        """Make a user without any permission."""
        body = {"password": password, "tags": ""}
        _expect_success(self.manage("PUT", f"users/{quote(name, safe='')}", body))

    def grant(
        self,
        user: str,
        virtual_host: str,
        *,
        configure: str = ".*",
        write: str = ".*",
        read: str = ".*",
    ) -> None:
        """Set what a user may do in a virtual host, as patterns of names."""
        rights = {"configure": configure, "write": write, "read": read}
        path = f"permissions/{quote(virtual_host, safe='')}/{quote(user, safe='')}"
        _expect_success(self.manage("PUT", path, rights))

    def manage(self, method: str, path: str, body: object = None) -> httpx.Response:
        """Ask its management API, whatever it answers."""
        return httpx.request(
            method,
            f"{self.management_url}/api/{path}",
            json=body,
            auth=(self.administrator, self._password),
            timeout=30.0,
            trust_env=False,
        )


def _expect_success(response: httpx.Response) -> None:
    if not response.is_success:
        raise ServerFailed(f"{response.request.url}: {response.status_code} {response.text}")
