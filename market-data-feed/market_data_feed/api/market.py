"""The REST side of what everybody may read: prices, books, trades, and who leads."""

from typing import Annotated

from fastapi import FastAPI, Query, Request, Response

from exchange_shared.http import json_response
from market_data_feed.api.paging import LINKED
from market_data_feed.api.parameters import BookRead, LeaderboardRead, Page, Read
from market_data_feed.api.reads import Reads
from market_data_feed.views import market as market_views
from market_data_feed.views import shapes

_ALL = shapes.refusals(422, 429, 503)
_ONE = shapes.refusals(404, 422, 429, 503)


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
        `|`, with prices as integers in 1/10,000: `b4199900:10|a4200100:5`. In other `state`s than
        `continuous` bids may be above asks: nothing trades before the `auction`, which would trade
        `indicative_quantity` at `indicative_price` now, as `/price/{security_id}` says it.
        """
        await reads.reached(query.min_seq)
        security = reads.security(security_id)
        return json_response(market_views.book(security, query.depth, reads.progress.applied_seq))

    @app.get(
        "/trades/{security_id}",
        tags=["market"],
        summary="Trades, newest first, or after one",
        response_model=list[shapes.Trade],
        responses=_ONE | LINKED,
    )
    async def trades(
        request: Request, security_id: str, query: Annotated[Page, Query()]
    ) -> Response:
        """`before` and `after` are trade ids. An auction's trades have no `aggressor_side`."""
        await reads.reached(query.min_seq)
        part = await reads.history.trades(reads.security(security_id), query.window)
        return part.response(request)

    @app.get(
        "/leaderboard",
        tags=["market"],
        summary="Accounts by profit",
        response_model=list[shapes.Leader],
        responses=_ALL,
    )
    async def leaderboard(query: Annotated[LeaderboardRead, Query()]) -> Response:
        """`equity` is cash and shares at the last trade's price, `volume` in shares.

        Shares that are sold short count below zero. Every entry has the same `seq`: all are as of
        that event of the engine.
        """
        await reads.reached(query.min_seq)
        return json_response(reads.leaderboard(query.limit))
