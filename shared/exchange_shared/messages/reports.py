"""Reports: what the gateway and the clearinghouse tell on `data_feed` about their own work."""

from typing import Literal

import msgspec

from exchange_shared.messages.commands import Side, snake_case
from exchange_shared.messages.events import AnyEvent

ReportStatus = Literal["confirmed", "denied"]


class Report(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=snake_case):
    """Something that a service beside the engine did, at `time_us` by its own clock."""

    time_us: int


class OrderReport(Report, frozen=True):
    """The gateway took an order in for sequencing, or denied it.

    A denied order shows what of it was well-formed; `reason` and `message` say what was not.
    """

    status: ReportStatus
    client_id: str
    order_id: int | None = None
    security_id: str | None = None
    side: Side | None = None
    quantity: int | None = None
    price_e4: int | None = None
    client_order_id: str | None = None
    reason: str | None = None
    message: str | None = None


class AccountFunded(Report, frozen=True):
    """The clearinghouse booked a new account's opening entries."""

    execution_seq: int
    client_id: str
    cash_e4: int
    holdings: dict[str, int]


class TradeSettled(Report, frozen=True):
    """The clearinghouse moved both legs of a trade: cash one way, shares the other.

    Each `…_cash_e4` and `…_shares` is what that account held right after this trade.
    """

    execution_seq: int
    trade_id: int
    security_id: str
    price_e4: int
    quantity: int
    buy_order_id: int
    sell_order_id: int
    buyer_id: str
    seller_id: str
    buyer_fee_e4: int
    seller_fee_e4: int
    buyer_cash_e4: int
    seller_cash_e4: int
    buyer_shares: int
    seller_shares: int


AnySettlement = AccountFunded | TradeSettled
AnyFeedRecord = AnyEvent | OrderReport | AnySettlement
"""Whatever travels on `data_feed`."""
