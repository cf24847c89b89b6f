"""Who an API key belongs to."""

import hmac

from pydantic import SecretStr

from exchange_shared.auth import OPERATOR, hash_api_key
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

    def owner_of(self, api_key: str) -> str | None:
        """The client whose key this is, if it is known."""
        return self._clients.get(hash_api_key(api_key))

    def client_of(self, api_key: str | None) -> str:
        """The client whose key this is.

        Raises:
            ApiError: 401 `no_api_key` or `unknown_api_key`; 503 `not_ready` while keys may still
                be missing here.
        """
        if api_key is None:
            message = "send the header `Authorization: Bearer <api_key>`, or log in"
            raise ApiError(401, "no_api_key", message)
        client_id = self.owner_of(api_key)
        if client_id is None:
            self._readiness.check()
            raise ApiError(401, "unknown_api_key", "no client has this API key")
        return client_id


class Operator:
    """Whoever has the operator's key."""

    def __init__(self, operator_key: SecretStr | None, keys: KeyTable) -> None:
        self._key = operator_key.get_secret_value().encode() if operator_key else b""
        self._keys = keys

    def owner_of(self, api_key: str) -> str:
        """Whose a key is: a client's, or the operator's. Raises as `KeyTable.client_of`."""
        return OPERATOR if self.has(api_key) else self._keys.client_of(api_key)

    def check(self, api_key: str | None) -> None:
        """Let only the operator pass.

        Raises:
            ApiError: 403 `operator_only` when the key is a client's, or there is no operator;
                otherwise as `KeyTable.client_of`.
        """
        if not self._key:
            message = "there is no operator: the gateway was started without EXCHANGE_OPERATOR_KEY"
            raise ApiError(403, "operator_only", message)
        if api_key is not None and self.has(api_key):
            return
        client_id = self._keys.client_of(api_key)
        raise ApiError(403, "operator_only", f"this is not for {client_id}, but for the operator")

    def has(self, api_key: str) -> bool:
        """Whether this is the operator's key."""
        return bool(self._key) and hmac.compare_digest(api_key.encode(), self._key)
