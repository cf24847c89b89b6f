"""What all calls of the gateway have in common: whom they ask, and who asks."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from order_entry_gateway.api.sessions import Sessions
from order_entry_gateway.api_keys import KeyTable, Operator
from order_entry_gateway.market_status import MarketStatus
from order_entry_gateway.rate_limits import RateLimit
from order_entry_gateway.readiness import Readiness
from order_entry_gateway.sequencing.order_entry import OrderEntry
from order_entry_gateway.settings import GatewaySettings

_bearer = HTTPBearer(auto_error=False, description="Your API key.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """What stands behind the HTTP server."""

    settings: GatewaySettings
    keys: KeyTable
    operator: Operator
    readiness: Readiness
    market: MarketStatus
    order_entry: OrderEntry
    sessions: Sessions
    frames_limit: RateLimit
    new_clients_limit: RateLimit

    def client_of(self, credentials: HTTPAuthorizationCredentials | None) -> str:
        """Whose request it is. Raises `ApiError` 401."""
        return self.keys.client_of(credentials.credentials if credentials else None)

    def check_operator(self, credentials: HTTPAuthorizationCredentials | None) -> None:
        """Let only the operator pass. Raises `ApiError` 401 or 403."""
        self.operator.check(credentials.credentials if credentials else None)
