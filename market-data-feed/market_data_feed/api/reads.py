"""What every door of the feed answers from: the caller's rights are checked, and `min_seq` kept."""

from dataclasses import dataclass

from exchange_shared.http import ApiError, current_connection
from exchange_shared.http.failed_keys import GivenKey
from exchange_shared.messages import OrderReport
from market_data_feed.api.access import Access
from market_data_feed.api.history import History
from market_data_feed.api.places import Places
from market_data_feed.progress import Progress
from market_data_feed.projections import Account, Order, Projections, Security
from market_data_feed.views import accounts as account_views
from market_data_feed.views import shapes

MIN_SEQ_SECONDS = 5.0


@dataclass(frozen=True)
class Reads:
    """What the endpoints answer from."""

    projections: Projections
    progress: Progress
    history: History
    access: Access
    waiting: Places

    async def reached(self, seq: int | None) -> None:
        """Wait for what a caller has been told by the gateway.

        Raises:
            ApiError: 503 `seq_not_reached`, or 429 `too_many_waiting_reads`.
        """
        if seq is None or self.progress.reached(seq):
            return
        connection = current_connection()
        try:
            with self.waiting.one_for(connection):
                reached = await self.progress.wait(seq, MIN_SEQ_SECONDS)
        except ApiError:
            await connection.hold_back()
            raise
        if not reached:
            message = (
                f"event {seq} is not applied and settled here yet;"
                f" the last one that is applied is {self.progress.applied_seq}"
            )
            raise ApiError(503, "seq_not_reached", message, "min_seq", retry_after_seconds=1)

    async def account(self, key: GivenKey, client_id: str | None, min_seq: int | None) -> Account:
        """An account that the caller may read, as of `min_seq`."""
        self.access.needs_key(key.api_key)
        await self.reached(min_seq)
        return self.access.account(key, client_id)

    def securities(self) -> list[Security]:
        """All that are listed, by id."""
        return [security for _, security in sorted(self.projections.securities.items())]

    def security(self, security_id: str) -> Security:
        """A listed security.

        Raises:
            ApiError: 404 `unknown_security`.
        """
        security = self.projections.securities.get(security_id)
        if security is None:
            message = f"{security_id[:12]} is not listed here"
            raise ApiError(404, "unknown_security", message, "security_id")
        return security

    async def order(
        self, key: GivenKey, security_id: str, order_id: int, min_seq: int | None
    ) -> Order | OrderReport:
        """An order that the caller may read; another's is as good as unknown.

        Raises:
            ApiError: 404 `unknown_security` or `unknown_order`, or no key (401).
        """
        self.access.needs_key(key.api_key)
        await self.reached(min_seq)
        caller = self.access.caller(key)
        self.security(security_id)
        order = await self.history.order(security_id, order_id)
        if order is None or not caller.may_read(order.client_id):
            message = f"you have no order {order_id} in {security_id}"
            raise ApiError(404, "unknown_order", message, "order_id")
        return order

    def leaderboard(self, limit: int) -> list[shapes.Leader]:
        """The accounts by profit, the best first."""
        ranked = sorted(
            (
                (account.client_id, account_views.performance(account, self.projections.securities))
                for account in self.projections.accounts.values()
                if account.opened
            ),
            key=lambda entry: (-entry[1]["profit"], entry[0]),
        )
        seq = self.progress.applied_seq
        return [
            {**performance, "rank": rank, "client_id": client_id, "seq": seq}
            for rank, (client_id, performance) in enumerate(ranked[:limit], 1)
        ]
