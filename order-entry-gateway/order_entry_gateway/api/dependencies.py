"""What all calls of the gateway have in common: whom they ask, and who asks."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from exchange_shared.http.addresses import address_of
from exchange_shared.http.failed_keys import FailedKeys, GivenKey
from order_entry_gateway.api.sessions import Sessions
from order_entry_gateway.api_keys import KeyTable, Operator
from order_entry_gateway.market_status import MarketStatus
from order_entry_gateway.rate_limits import MinuteLimit, RateLimit
from order_entry_gateway.readiness import Readiness
from order_entry_gateway.sequencing.order_entry import OrderEntry
from order_entry_gateway.settings import GatewaySettings

_bearer = HTTPBearer(auto_error=False, description="Your API key.")


async def _given_key(
    request: Request, bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
) -> GivenKey:
    return GivenKey(bearer.credentials if bearer else None, address_of(request))


Credentials = Annotated[GivenKey, Depends(_given_key)]


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """What stands behind the HTTP server."""

    settings: GatewaySettings
    keys: KeyTable
    operator: Operator
    failed_keys: FailedKeys
    readiness: Readiness
    market: MarketStatus
    order_entry: OrderEntry
    sessions: Sessions
    frames_limit: RateLimit
    refusals_limit: RateLimit
    new_clients_limit: RateLimit
    chosen_keys_limit: MinuteLimit

    def owner_of(self, given: GivenKey) -> str | None:
        """Whose a request is, if that may be told: a client's, or the operator's."""
        return self.failed_keys.owner(given, self.operator.owner_of)

    def client_of(self, given: GivenKey) -> str:
        """Whose request it is. Raises `ApiError` 401 or 429."""
        with self.failed_keys.checking(given):
            return self.keys.client_of(given.api_key)

    def check_operator(self, given: GivenKey) -> None:
        """Let only the operator pass. Raises `ApiError` 401, 403 or 429."""
        with self.failed_keys.checking(given):
            self.operator.check(given.api_key)
