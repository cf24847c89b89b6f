"""The whole state of the exchange as plain data: what a snapshot holds and a state hash covers."""

import hashlib
from collections import Counter

import msgspec

from exchange_shared.messages import AuctionKind, MarketState, NewOrder, Phase
from matching_engine.core.book.order import Ended, is_hidden
from matching_engine.core.terms import Limits


class OrderState(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An order, open or remembered."""

    request: NewOrder
    arrival: int
    quantity: int
    remaining_quantity: int
    price_e4: int | None
    displayed_quantity: int | None
    stop_price_e4: int | None
    unit_hold_e4: int
    maker_fee_ppm: int
    taker_fee_ppm: int
    notional_e4: int
    ended: Ended | None
    place: int = 0


class AccountState(msgspec.Struct, frozen=True):
    """An account; `positions` are security, quantity and held quantity.

    `refusals` are a name and the event that last refused it, oldest first.
    """

    client_id: str
    api_key_hash: str
    cash_e4: int
    cash_held_e4: int
    positions: list[tuple[str, int, int]]
    finished_orders: list[OrderState]
    suspended: bool = False
    own_limits: Limits = Limits()
    refusals: list[tuple[str, int]] = []
    refused_until: int = 0


class SecurityState(msgspec.Struct, frozen=True):
    """A security and its book.

    `bids` and `asks` count the places in the queues of that side that were given so far. (In
    snapshots of version 1 they are the ids of the orders there, in the order of their places.)
    `reference_price_e4` is the one it was listed with, `present_reference_e4` what it is now.
    """

    security_id: str
    tick_e4: int
    reference_price_e4: int
    granted_quantity: int
    last_e4: int | None
    bids: int | list[int]
    asks: int | list[int]
    lot_quantity: int = 1
    max_order_quantity: int | None = None
    max_order_value_e4: int | None = None
    static_band_ppm: int | None = None
    dynamic_band_ppm: int | None = None
    halt_us: int = 0
    auction_us: int = 0
    short_margin_ppm: int | None = None
    present_reference_e4: int | None = None
    state: MarketState = "continuous"
    auction: AuctionKind | None = None
    until_us: int | None = None


class ClockState(msgspec.Struct, frozen=True, array_like=True):
    """How far the clock follows at once (`None`: any step), and what of the time is held back."""

    max_step_us: int | None = None
    held_back_us: int = 0
    agreed_us: int = 0
    doubted_us: int = 0


class ExchangeState(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the next command's outcome depends on.

    Accounts, securities and open orders stand in the order in which they came, so two exchanges
    that took the same commands have equal states, however each of them got there.
    """

    seq: int
    execution_seq: int
    trade_id: int
    arrivals: int
    clock_us: int
    initial_balance_e4: int
    maker_fee_ppm: int
    taker_fee_ppm: int
    fees_e4: int
    issued_e4: int
    accounts: list[AccountState]
    securities: list[SecurityState]
    orders: list[OrderState]
    limits: Limits = Limits()
    schedule_id: str = ""
    phase: Phase = "continuous"
    phase_begins_us: int = 0
    clock: ClockState = ClockState()
    day_ends_at_close: bool = False
    highest_ids: dict[int, int] = {}


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(ExchangeState)


def encode_state(state: ExchangeState) -> bytes:
    """The state as bytes; equal states give equal bytes."""
    return _encoder.encode(state)


def decode_state(body: bytes) -> ExchangeState:
    """The state that `encode_state` gave these bytes for.

    Raises:
        msgspec.DecodeError: the bytes are no such state.
    """
    return _decoder.decode(body)


def canonical(state: ExchangeState) -> ExchangeState:
    """The state with places numbered anew in each queue: nothing else depends on the numbers."""
    places: dict[int, int] = {}
    lengths: Counter[tuple[str, str, int | None, bool]] = Counter()
    for order in sorted(state.orders, key=lambda order: order.place):
        request = order.request
        queue = (request.security_id, request.side, order.price_e4, is_hidden(request))
        lengths[queue] += 1
        places[request.order_id] = lengths[queue] if order.place else 0
    replace = msgspec.structs.replace
    return replace(
        state,
        securities=[replace(security, bids=0, asks=0) for security in state.securities],
        orders=[replace(order, place=places[order.request.order_id]) for order in state.orders],
    )


def hash_state(body: bytes) -> str:
    """SHA-256 over an encoded state, in hex."""
    return hashlib.sha256(body).hexdigest()
