"""The REST side of the feed: market data for everybody, accounts for those whose they are."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import FastAPI, Header, Query, Response

from exchange_shared.http import ApiError, json_response
from exchange_shared.messages import OrderReport
from market_data_feed import account_views, views
from market_data_feed.access import Access, key_in
from market_data_feed.history import History
from market_data_feed.parameters import (
    BookRead,
    LeaderboardRead,
    OrderId,
    OrdersPage,
    Page,
    Read,
    ReportsPage,
)
from market_data_feed.progress import Progress
from market_data_feed.projections import Account, Order, Projections, Security

MIN_SEQ_SECONDS = 5.0

Key = Annotated[str | None, Header(alias="Authorization", description="`Bearer <api_key>`")]


@dataclass(frozen=True)
class Reads:
    """What the endpoints answer from."""

    projections: Projections
    progress: Progress
    history: History
    access: Access

    async def reached(self, seq: int | None) -> None:
        """Wait for what a caller has been told by the gateway.

        Raises:
            ApiError: 503 `seq_not_reached`.
        """
        if seq is not None and not await self.progress.wait(seq, MIN_SEQ_SECONDS):
            message = (
                f"event {seq} is not applied and settled here yet;"
                f" the last one that is applied is {self.progress.applied_seq}"
            )
            raise ApiError(503, "seq_not_reached", message, "min_seq", retry_after_seconds=1)

    async def account(
        self, authorization: str | None, client_id: str | None, min_seq: int | None
    ) -> Account:
        """An account that the caller may read, as of `min_seq`."""
        api_key = key_in(authorization)
        self.access.needs_key(api_key)
        await self.reached(min_seq)
        return self.access.account(api_key, client_id)

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
        self, authorization: str | None, security_id: str, order_id: int, min_seq: int | None
    ) -> Order | OrderReport:
        """An order that the caller may read; another's is as good as unknown.

        Raises:
            ApiError: 404 `unknown_security` or `unknown_order`, or no key (401).
        """
        api_key = key_in(authorization)
        self.access.needs_key(api_key)
        await self.reached(min_seq)
        caller = self.access.caller(api_key)
        self.security(security_id)
        order = await self.history.order(security_id, order_id)
        if order is None or not caller.may_read(order.client_id):
            message = f"you have no order {order_id} in {security_id}"
            raise ApiError(404, "unknown_order", message, "order_id")
        return order

    def leaderboard(self, limit: int) -> list[views.Json]:
        """The accounts by profit, the best first."""
        ranked = sorted(
            (
                (account.client_id, account_views.performance(account, self.projections.securities))
                for account in self.projections.accounts.values()
                if account.opened
            ),
            key=lambda entry: (-entry[1]["profit"], entry[0]),
        )
        return [
            {"rank": rank, "client_id": client_id, **performance}
            for rank, (client_id, performance) in enumerate(ranked[:limit], 1)
        ]


def add_market_routes(app: FastAPI, reads: Reads) -> None:
    """What everybody may read."""

    @app.get("/securities", tags=["market"], summary="All securities: prices and terms")
    async def securities(query: Annotated[Read, Query()]) -> Response:
        await reads.reached(query.min_seq)
        return json_response([views.listing(security) for security in reads.securities()])

    @app.get("/price/{security_id}", tags=["market"], summary="Best prices and last trade")
    async def price(security_id: str, query: Annotated[Read, Query()]) -> Response:
        await reads.reached(query.min_seq)
        return json_response(views.price(reads.security(security_id)))

    @app.get("/book/{security_id}", tags=["market"], summary="The order book by price level")
    async def book(security_id: str, query: Annotated[BookRead, Query()]) -> Response:
        """Levels are `[price, quantity, orders]`, best first, as of the engine's event `seq`.

        `checksum` is the CRC-32 of the ten best levels of each side, written as
        `b<price>:<quantity>` for bids, then `a<price>:<quantity>` for asks, best first, joined by
        `|`, with prices as integers in 1/10,000: `b4199900:10|a4200100:5`.
        """
        await reads.reached(query.min_seq)
        security = reads.security(security_id)
        return json_response(views.book(security, query.depth, reads.progress.applied_seq))

    @app.get("/trades/{security_id}", tags=["market"], summary="Trades, newest first")
    async def trades(security_id: str, query: Annotated[Page, Query()]) -> Response:
        """`before` and `after` are trade ids."""
        await reads.reached(query.min_seq)
        security = reads.security(security_id)
        return json_response(await reads.history.trades(security, query.bounds))

    @app.get("/leaderboard", tags=["market"], summary="Accounts by profit")
    async def leaderboard(query: Annotated[LeaderboardRead, Query()]) -> Response:
        """`equity` is settled cash and shares at the last trade's price, `volume` in shares."""
        await reads.reached(query.min_seq)
        return json_response(reads.leaderboard(query.limit))


def add_order_routes(app: FastAPI, reads: Reads) -> None:
    """Orders and reports, for whose they are."""

    @app.get("/status/{security_id}/{order_id}", tags=["orders"], summary="Latest state")
    async def status(
        security_id: str,
        order_id: OrderId,
        query: Annotated[Read, Query()],
        authorization: Key = None,
    ) -> Response:
        """`pending` is an order that the engine has not answered yet."""
        found = await reads.order(authorization, security_id, order_id, query.min_seq)
        view = views.order(found) if isinstance(found, Order) else views.unanswered_order(found)
        return json_response(view)

    @app.get("/report/{security_id}/{order_id}", tags=["orders"], summary="Latest report")
    async def report(
        security_id: str,
        order_id: OrderId,
        query: Annotated[Read, Query()],
        authorization: Key = None,
    ) -> Response:
        """The settlement of its last trade, or that trade, or whether it was taken in."""
        found = await reads.order(authorization, security_id, order_id, query.min_seq)
        return json_response(await reads.history.latest_report(found))

    @app.get("/orders", tags=["orders"], summary="Own orders, newest first")
    async def orders(query: Annotated[OrdersPage, Query()], authorization: Key = None) -> Response:
        """`before` and `after` are order ids."""
        account = await reads.account(authorization, query.client_id, query.min_seq)
        if query.status == "open":
            return json_response(reads.history.open_orders(account, query.bounds))
        return json_response(await reads.history.orders(account, query.bounds))

    @app.get("/reports", tags=["orders"], summary="Own reports, newest first")
    async def reports(
        query: Annotated[ReportsPage, Query()], authorization: Key = None
    ) -> Response:
        """`before` and `after` are values of `report_seq`, by which a lost stream is resumed."""
        account = await reads.account(authorization, query.client_id, query.min_seq)
        found = await reads.history.reports(account, query.event_type, query.bounds)
        return json_response(found)


def add_account_routes(app: FastAPI, reads: Reads) -> None:
    """Accounts, for whose they are. Settled numbers are the clearinghouse's."""

    def seq() -> int:
        return reads.progress.applied_seq

    @app.get("/holdings/{security_id}/{client_id}", tags=["accounts"], summary="Own shares of one")
    async def holding(
        security_id: str,
        client_id: str,
        query: Annotated[Read, Query()],
        authorization: Key = None,
    ) -> Response:
        """`quantity` is settled; `available` is what a new order may sell."""
        account = await reads.account(authorization, client_id, query.min_seq)
        reads.security(security_id)
        return json_response(account_views.holding_of(account, security_id, seq()))

    @app.get("/holdings/{client_id}", tags=["accounts"], summary="Own shares")
    async def holdings(
        client_id: str, query: Annotated[Read, Query()], authorization: Key = None
    ) -> Response:
        account = await reads.account(authorization, client_id, query.min_seq)
        return json_response(account_views.holdings(account, seq()))

    @app.get("/balance/{client_id}", tags=["accounts"], summary="Own cash")
    async def balance(
        client_id: str, query: Annotated[Read, Query()], authorization: Key = None
    ) -> Response:
        """`balance` is settled; `available` is what a new order may spend."""
        account = await reads.account(authorization, client_id, query.min_seq)
        return json_response(account_views.balance(account, seq()))

    @app.get("/accounts/{client_id}", tags=["accounts"], summary="Everything about an account")
    async def whole_account(
        client_id: str, query: Annotated[Read, Query()], authorization: Key = None
    ) -> Response:
        account = await reads.account(authorization, client_id, query.min_seq)
        content: dict[str, Any] = account_views.balance(account, seq())
        content["holdings"] = account_views.holdings(account, seq())
        return json_response(
            content | account_views.performance(account, reads.projections.securities)
        )
