"""What the matching engine has to confirm before requests are taken: the node, and the market."""

import asyncio

import structlog

from exchange_shared.http import ApiError
from exchange_shared.market import MarketConfig
from order_entry_gateway.answers.answers import Answer
from order_entry_gateway.readiness import Readiness
from order_entry_gateway.sequencing.market_clock import MarketClock
from order_entry_gateway.sequencing.node_lease import NodeLease
from order_entry_gateway.sequencing.order_entry import OrderEntry

log = structlog.get_logger()


class Opening:
    """Hands the engine the fence of each new node, and with the first the terms of the market."""

    def __init__(
        self,
        market: MarketConfig,
        clock: MarketClock,
        lease: NodeLease,
        order_entry: OrderEntry,
        readiness: Readiness,
    ) -> None:
        self._market = market
        self._clock = clock
        self._lease = lease
        self._order_entry = order_entry
        self._readiness = readiness
        self._loaded = asyncio.Event()

    def loaded(self) -> None:
        """What was stored is known: ids begin above those that are there."""
        self._loaded.set()

    async def run(self) -> None:
        """Hold a node for ever, from when it is known which ids there are."""
        await self._loaded.wait()
        await self._lease.run(self._node_taken, self._order_entry.fence)

    def _node_taken(self) -> None:
        turn = self._lease.turn

        def answered(answers: list[Answer]) -> None:
            if turn == self._lease.turn:
                self._answered(answers)

        if self._readiness.matching_engine is None:
            if not self._order_entry.take_node(answered):
                self._lease.refuse("there was no room for its fence")
        else:
            phases = self._clock.first_phases()
            self._order_entry.configure(self._market, phases, answered)

    def _answered(self, answers: list[Answer]) -> None:
        refusals = [answer for answer in answers if isinstance(answer, ApiError)]
        for refusal in refusals:
            if refusal.code == "gateway_replaced":
                self._lease.refuse("the matching engine has seen greater ids of the one it had")
                return
            log.warning("market_terms_refused", reason=refusal.code, message=refusal.message)
        self._lease.confirm()
        if self._readiness.matching_engine is not None:
            self._readiness.matching_engine = None
            log.info("ready", securities=len(self._market.securities))
