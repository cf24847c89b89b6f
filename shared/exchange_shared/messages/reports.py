"""Reports: what the gateway and the clearinghouse tell on `data_feed` about their own work."""

from typing import Annotated, Literal

import msgspec

from exchange_shared.messages.commands import snake_case
from exchange_shared.messages.events import AnyEvent
from exchange_shared.messages.values import ShortText, Side

Whole = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]
"""An integer that every reader of JSON, and every column of a database, can take."""

ReportStatus = Literal["confirmed", "denied"]


class Report(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=snake_case):
    """Something that a service beside the engine did, at `time_us` by its own clock."""

    time_us: Whole


class OrderReport(Report, frozen=True):
    """The gateway took an order in for sequencing, or denied it.

    A denied order shows what of it was well-formed; `reason` and `message` say what was not.
    """

    status: ReportStatus
    client_id: ShortText
    order_id: Whole | None = None
    security_id: ShortText | None = None
    side: Side | None = None
    quantity: Whole | None = None
    price_e4: Whole | None = None
    client_order_id: ShortText | None = None
    reason: str | None = None
    message: str | None = None


class AccountFunded(Report, frozen=True):
    """The clearinghouse booked a new account's opening entries."""

    execution_seq: Whole
    client_id: str
    cash_e4: Whole
    holdings: dict[str, Whole]


class TradeSettled(Report, frozen=True):
    """The clearinghouse moved both legs of a trade: cash one way, shares the other.

    Each `…_cash_e4` and `…_shares` is what that account held right after this trade.
    """

    execution_seq: Whole
    trade_id: Whole
    security_id: str
    price_e4: Whole
    quantity: Whole
    buy_order_id: Whole
    sell_order_id: Whole
    buyer_id: str
    seller_id: str
    buyer_fee_e4: Whole
    seller_fee_e4: Whole
    buyer_cash_e4: Whole
    seller_cash_e4: Whole
    buyer_shares: Whole
    seller_shares: Whole


class Heartbeat(Report, frozen=True):
    """A service is alive. `instance` is one start of it, `problem` what keeps it from its work.

    `applied_seq` is how far it has come: the gateway's last command that is in the log, the
    engine's last event, the clearinghouse's last execution whose report is published.
    """

    service: ShortText
    instance: ShortText
    applied_seq: Whole = 0
    problem: str | None = None


AnySettlement = AccountFunded | TradeSettled
AnyFeedRecord = AnyEvent | OrderReport | AnySettlement | Heartbeat
"""Whatever travels on `data_feed`."""
