"""The REST side of the feed: market data for everybody, accounts for those whose they are."""

from typing import Annotated

from fastapi import FastAPI, Header, Query, Response

from exchange_shared.http import json_response
from market_data_feed.api.parameters import (
    BookRead,
    LeaderboardRead,
    OrderId,
    OrdersPage,
    Page,
    Read,
    ReportsPage,
)
from market_data_feed.api.reads import Reads
from market_data_feed.projections import Order
from market_data_feed.views import accounts as account_views
from market_data_feed.views import market as market_views
from market_data_feed.views import orders as order_views
from market_data_feed.views import shapes

_ALL = shapes.refusals(422, 503)
_ONE = shapes.refusals(404, 422, 503)
_OWN = shapes.refusals(401, 403, 404, 422, 503)

Key = Annotated[str | None, Header(alias="Authorization", description="`Bearer <api_key>`")]


def add_market_routes(app: FastAPI, reads: Reads) -> None:
    """What everybody may read."""

    @app.get(
        "/securities",
        tags=["market"],
        summary="All securities: prices, states and terms",
        response_model=list[shapes.Listing],
        responses=_ALL,
    )
    async def securities(query: Annotated[Read, Query()]) -> Response:
        """Each as `/price/{security_id}`, and its terms: null where something does not apply.

        Quantities are multiples of `lot`. A limit price may be `static_band_percent` away from the
        reference price; a trade that would be more than `dynamic_band_percent` away from the last
        one halts the security for `halt_seconds`, after which an auction of `auction_seconds`
        follows. With a `short_margin_percent` it may be sold short.
        """
        await reads.reached(query.min_seq)
        return json_response([market_views.listing(security) for security in reads.securities()])

    @app.get(
        "/price/{security_id}",
        tags=["market"],
        summary="Best prices, last trade, and state",
        response_model=shapes.Price,
        responses=_ONE,
    )
    async def price(security_id: str, query: Annotated[Read, Query()]) -> Response:
        """`state` is `pre_open`, `auction`, `continuous`, `halted` or `closed`.

        It changes by itself at `until`, or without one when an operator or the schedule wants. Only
        `continuous` has a bid and an ask. In an auction, `auction` says which kind it is
        (`opening`, `closing`, `reopening`), and if it ended now, `indicative_quantity` shares would
        trade at `indicative_price` (null: none would), where `surplus` more are wanted, or offered
        if it is below zero.
        """
        await reads.reached(query.min_seq)
        return json_response(market_views.price(reads.security(security_id)))

    @app.get(
        "/book/{security_id}",
        tags=["market"],
        summary="The order book by price level",
        response_model=shapes.Book,
        responses=_ONE,
    )
    async def book(security_id: str, query: Annotated[BookRead, Query()]) -> Response:
        """Levels are `[price, quantity, orders]`, best first, as of the engine's event `seq`.

        `checksum` is the CRC-32 of the ten best levels of each side, written as
        `b<price>:<quantity>` for bids, then `a<price>:<quantity>` for asks, best first, joined by
        `|`, with prices as integers in 1/10,000: `b4199900:10|a4200100:5`. In other states than
        `continuous` bids may be above asks.
        """
        await reads.reached(query.min_seq)
        security = reads.security(security_id)
        return json_response(market_views.book(security, query.depth, reads.progress.applied_seq))

    @app.get(
        "/trades/{security_id}",
        tags=["market"],
        summary="Trades, newest first",
        response_model=list[shapes.Trade],
        responses=_ONE,
    )
    async def trades(security_id: str, query: Annotated[Page, Query()]) -> Response:
        """`before` and `after` are trade ids. An auction's trades have no `aggressor_side`."""
        await reads.reached(query.min_seq)
        security = reads.security(security_id)
        return json_response(await reads.history.trades(security, query.bounds))

    @app.get(
        "/leaderboard",
        tags=["market"],
        summary="Accounts by profit",
        response_model=list[shapes.Leader],
        responses=_ALL,
    )
    async def leaderboard(query: Annotated[LeaderboardRead, Query()]) -> Response:
        """`equity` is settled cash and shares at the last trade's price, `volume` in shares.

        Shares that are sold short count below zero.
        """
        await reads.reached(query.min_seq)
        return json_response(reads.leaderboard(query.limit))


def add_order_routes(app: FastAPI, reads: Reads) -> None:
    """Orders and reports, for whose they are."""

    @app.get(
        "/status/{security_id}/{order_id}",
        tags=["orders"],
        summary="Latest state",
        response_model=shapes.Order,
        responses=_OWN,
    )
    async def status(
        security_id: str,
        order_id: OrderId,
        query: Annotated[Read, Query()],
        authorization: Key = None,
    ) -> Response:
        """`pending` is an order that the engine has not answered yet."""
        found = await reads.order(authorization, security_id, order_id, query.min_seq)
        view = (
            order_views.order(found)
            if isinstance(found, Order)
            else order_views.unanswered_order(found)
        )
        return json_response(view)

    @app.get(
        "/report/{security_id}/{order_id}",
        tags=["orders"],
        summary="Latest report",
        response_model=shapes.Report,
        responses=_OWN,
    )
    async def report(
        security_id: str,
        order_id: OrderId,
        query: Annotated[Read, Query()],
        authorization: Key = None,
    ) -> Response:
        """The settlement of its last trade, or that trade, or whether it was taken in."""
        found = await reads.order(authorization, security_id, order_id, query.min_seq)
        return json_response(await reads.history.latest_report(found))

    @app.get(
        "/orders",
        tags=["orders"],
        summary="Own orders, newest first",
        response_model=list[shapes.Order],
        responses=_OWN,
    )
    async def orders(query: Annotated[OrdersPage, Query()], authorization: Key = None) -> Response:
        """`before` and `after` are order ids."""
        account = await reads.account(authorization, query.client_id, query.min_seq)
        if query.status == "open":
            return json_response(reads.history.open_orders(account, query.bounds))
        return json_response(await reads.history.orders(account, query.bounds))

    @app.get(
        "/reports",
        tags=["orders"],
        summary="Own reports, newest first",
        response_model=list[shapes.Report],
        responses=_OWN,
    )
    async def reports(
        query: Annotated[ReportsPage, Query()], authorization: Key = None
    ) -> Response:
        """`before` and `after` are values of `report_seq`, by which a lost stream is resumed."""
        account = await reads.account(authorization, query.client_id, query.min_seq)
        found = await reads.history.reports(account, query.event_type, query.bounds)
        return json_response(found)


def add_account_routes(app: FastAPI, reads: Reads) -> None:
    """Accounts, for whose they are. Settled numbers are the clearinghouse's."""
    securities = reads.projections.securities

    def seq() -> int:
        return reads.progress.applied_seq

    @app.get(
        "/holdings/{security_id}/{client_id}",
        tags=["accounts"],
        summary="Own shares of one",
        response_model=shapes.Holding,
        responses=_OWN,
    )
    async def holding(
        security_id: str,
        client_id: str,
        query: Annotated[Read, Query()],
        authorization: Key = None,
    ) -> Response:
        """`quantity` is settled, and below zero for a short position.

        `available` is what is not in open sell orders; of a security that may be sold short it may
        be below zero. `average_cost` is what was paid for each share, or what each short one
        brought, with fees.
        """
        account = await reads.account(authorization, client_id, query.min_seq)
        reads.security(security_id)
        return json_response(account_views.holding_of(account, security_id, seq()))

    @app.get(
        "/holdings/{client_id}",
        tags=["accounts"],
        summary="Own shares",
        response_model=list[shapes.Holding],
        responses=_OWN,
    )
    async def holdings(
        client_id: str, query: Annotated[Read, Query()], authorization: Key = None
    ) -> Response:
        """Those that there are, or that are offered; each as `/holdings/{security_id}/…`."""
        account = await reads.account(authorization, client_id, query.min_seq)
        return json_response(account_views.holdings(account, seq()))

    @app.get(
        "/balance/{client_id}",
        tags=["accounts"],
        summary="Own cash",
        response_model=shapes.Balance,
        responses=_OWN,
    )
    async def balance(
        client_id: str, query: Annotated[Read, Query()], authorization: Key = None
    ) -> Response:
        """`balance` is settled; `available` is what is not `held`, and may be below zero.

        Open buy orders hold their cash, and `short_margin` is kept back as well for what is sold
        short, or offered and not there; a buy that covers may also spend the margin it frees.
        """
        account = await reads.account(authorization, client_id, query.min_seq)
        return json_response(account_views.balance(account, securities, seq()))

    @app.get(
        "/accounts/{client_id}",
        tags=["accounts"],
        summary="Everything about an account",
        response_model=shapes.WholeAccount,
        responses=_OWN,
    )
    async def whole_account(
        client_id: str, query: Annotated[Read, Query()], authorization: Key = None
    ) -> Response:
        """Cash and shares, as `/balance` and `/holdings`, and the profit since it was opened.

        `equity` and `profit` count settled cash and shares at the last trade's price. What is
        realised and unrealised does not wait for settlement; it adds up to the profit after it.
        Fees are part of the profit: those of a purchase are in the cost of its shares.
        """
        account = await reads.account(authorization, client_id, query.min_seq)
        return json_response(account_views.whole_account(account, securities, seq()))
