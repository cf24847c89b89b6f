"""The REST side of accounts, for those whose they are."""

from typing import Annotated

from fastapi import FastAPI, Query, Response

from exchange_shared.http import json_response
from market_data_feed.api.parameters import Key, Read
from market_data_feed.api.reads import Reads
from market_data_feed.views import accounts as account_views
from market_data_feed.views import shapes

_OWN = shapes.refusals(401, 403, 404, 422, 429, 503)


def add_account_routes(app: FastAPI, reads: Reads) -> None:
    """Accounts, for whose they are: every figure as of the `seq` that it comes with."""
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
        key: Key,
    ) -> Response:
        """All as of the engine's event `seq`; `quantity` is below zero for a short position.

        `available` is what is not in open sell orders; of a security that may be sold short it may
        be below zero. `average_cost` is what was paid for each share, or what each short one
        brought, with fees.
        """
        account = await reads.account(key, client_id, query.min_seq)
        reads.security(security_id)
        return json_response(account_views.holding_of(account, security_id, seq()))

    @app.get(
        "/holdings/{client_id}",
        tags=["accounts"],
        summary="Own shares",
        response_model=list[shapes.Holding],
        responses=_OWN,
    )
    async def holdings(client_id: str, query: Annotated[Read, Query()], key: Key) -> Response:
        """Those that there are, or that are offered; each as `/holdings/{security_id}/…`."""
        account = await reads.account(key, client_id, query.min_seq)
        return json_response(account_views.holdings(account, seq()))

    @app.get(
        "/balance/{client_id}",
        tags=["accounts"],
        summary="Own cash",
        response_model=shapes.Balance,
        responses=_OWN,
    )
    async def balance(client_id: str, query: Annotated[Read, Query()], key: Key) -> Response:
        """All as of the engine's event `seq`, which the ledger says as well once it is settled.

        `available` is what of the `balance` is not `held`, and may be below zero.
        Open buy orders hold their cash, and `short_margin` is kept back as well for what is sold
        short, or offered and not there; a buy that covers may also spend the margin it frees.
        """
        account = await reads.account(key, client_id, query.min_seq)
        return json_response(account_views.balance(account, securities, seq()))

    @app.get(
        "/accounts/{client_id}",
        tags=["accounts"],
        summary="Everything about an account",
        response_model=shapes.WholeAccount,
        responses=_OWN,
    )
    async def whole_account(client_id: str, query: Annotated[Read, Query()], key: Key) -> Response:
        """Cash and shares, as `/balance` and `/holdings`, and the profit since it was opened.

        `equity` and `profit` count cash and shares at the last trade's price; what is realised and
        unrealised adds up to the profit. Fees are part of the profit: those of a purchase are in
        the cost of its shares. All of it is as of the engine's event `seq`.
        """
        account = await reads.account(key, client_id, query.min_seq)
        return json_response(account_views.whole_account(account, securities, seq()))
