"""Who an API key belongs to."""

from exchange_shared.auth import hash_api_key
from exchange_shared.http import ApiError
from order_entry_gateway.readiness import Readiness


class KeyTable:
    """The clients by the hashes of their keys."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness
        self._clients: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._clients)

    def add(self, client_id: str, api_key_hash: str) -> None:
        """Take in an opened account. Keys never change, so it may come again."""
        self._clients[api_key_hash] = client_id

    def client_of(self, api_key: str | None) -> str:
        """The client whose key this is.

        Raises:
            ApiError: 401 `no_api_key` or `unknown_api_key`; 503 `not_ready` while keys may still
                be missing here.
        """
        if api_key is None:
            message = "send the header `Authorization: Bearer <api_key>`, or log in"
            raise ApiError(401, "no_api_key", message)
        client_id = self._clients.get(hash_api_key(api_key))
        if client_id is None:
            self._readiness.check()
            raise ApiError(401, "unknown_api_key", "no client has this API key")
        return client_id
