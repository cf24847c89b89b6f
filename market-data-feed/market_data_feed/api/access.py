"""Who may read what: an account is its owner's and the operator's, unless accounts are public."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import SecretStr

from exchange_shared.auth import OPERATOR, hash_api_key
from exchange_shared.http import ApiError
from exchange_shared.http.failed_keys import FailedKeys, GivenKey
from market_data_feed.projections import Account, Projections


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key came with a request. Whoever may read everything is no particular client."""

    client_id: str | None
    reads_everything: bool

    def may_read(self, client_id: str) -> bool:
        """Whether this client's account is open to the caller."""
        return self.reads_everything or self.client_id == client_id


class Access:
    """Checks API keys against the accounts that the feed knows."""

    def __init__(
        self,
        projections: Projections,
        operator_key: SecretStr | None,
        catching_up: Callable[[], str | None],
        *,
        failed_keys: FailedKeys,
        public_accounts: bool,
    ) -> None:
        """`catching_up` says why accounts may still be missing here, or is `None`."""
        self._projections = projections
        self._operator_key = operator_key.get_secret_value().encode() if operator_key else b""
        self._catching_up = catching_up
        self._failed_keys = failed_keys
        self._public = public_accounts

    def needs_key(self, api_key: str | None) -> None:
        """Refuse a request without a key at once, before anything is waited for.

        Raises:
            ApiError: 401 `no_api_key`.
        """
        if api_key is None and not self._public:
            message = "send the header `Authorization: Bearer <api_key>`, or log in"
            raise ApiError(401, "no_api_key", message)

    def caller(self, key: GivenKey) -> Caller:
        """Who has this key.

        Raises:
            ApiError: 401 `no_api_key` or `unknown_api_key`; 429 `too_many_failed_keys`; 503
                `not_ready` while accounts may still be missing here.
        """
        self.needs_key(key.api_key)
        if self._public or key.api_key is None:
            owner = self.owner(key)
        else:
            with self._failed_keys.checking(key):
                owner = self._owner_of(key.api_key)
        if owner == OPERATOR:
            return Caller(None, reads_everything=True)
        return Caller(owner, reads_everything=self._public)

    def owner(self, key: GivenKey) -> str | None:
        """Whose a key is, if that may be told: a client's, or the operator's."""
        return self._failed_keys.owner(key, self._owner_of)

    def _owner_of(self, api_key: str) -> str:
        if self._operator_key and hmac.compare_digest(api_key.encode(), self._operator_key):
            return OPERATOR
        client_id = self._projections.clients_by_key.get(hash_api_key(api_key))
        if client_id is None:
            self._check_caught_up()
            raise ApiError(401, "unknown_api_key", "no client has this API key")
        return client_id

    def _check_caught_up(self) -> None:
        problem = self._catching_up()
        if problem is not None:
            raise ApiError(503, "not_ready", problem, retry_after_seconds=1)

    def account(self, key: GivenKey, client_id: str | None) -> Account:
        """The account of a client, or of the caller when none is named.

        Raises:
            ApiError: as `caller`; 404 `unknown_client`, 403 `not_your_account`, or 422
                `missing_field` when it takes a name to tell which account is meant.
        """
        caller = self.caller(key)
        if client_id is None:
            client_id = caller.client_id
        if client_id is None:
            message = "client_id: say whose, because this key is no client's"
            raise ApiError(422, "missing_field", message, "client_id")
        account = self._projections.accounts.get(client_id)
        if account is None or not account.opened:
            self._check_caught_up()
            message = f"there is no client {client_id[:32]}"
            raise ApiError(404, "unknown_client", message, "client_id")
        if not caller.may_read(client_id):
            message = f"this API key is not that of client {client_id}"
            raise ApiError(403, "not_your_account", message, "client_id")
        return account
