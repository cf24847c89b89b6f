"""How the naive exchange's securities change their states: by operator, schedule, and clock."""

from exchange_shared.messages import (
    AuctionKind,
    BeginPhase,
    MarketState,
    MarketStateSet,
    SetMarketState,
    StateReason,
)
from tests.support.naive_accounts import reject
from tests.support.naive_auction import gather, uncross
from tests.support.naive_market import NaiveMarket
from tests.support.naive_records import NaiveOrder, NaiveSecurity, state_of_phase
from tests.support.naive_stops import trigger_stops


def set_market_state(market: NaiveMarket, command: SetMarketState) -> None:
    """Do what an operator asks for, with one security or with all that it is for."""
    chosen = market.securities
    if command.security_id is not None:
        security = market.security(command.security_id)
        if security is None:
            reject(market, command, "unknown_security")
            return
        if not _is_for(command, security):
            reject(market, command, "wrong_state")
            return
        chosen = [security]
    count = 0
    for security in chosen:
        if _is_for(command, security):
            count += 1
            _act(market, security, command)
    market.publish(MarketStateSet, request_id=command.request_id, count=count)


def _is_for(command: SetMarketState, security: NaiveSecurity) -> bool:
    match command.action:
        case "pre_open":
            return security.state != "pre_open"
        case "start_auction":
            return security.state != "auction"
        case "uncross":
            return security.state == "auction"
        case "open":
            return security.state != "continuous"
        case "halt":
            return security.state != "halted"
        case "resume":
            return security.state == "halted"
        case "close":
            return security.state != "closed"


def _act(market: NaiveMarket, security: NaiveSecurity, command: SetMarketState) -> None:
    match command.action:
        case "pre_open":
            _change(market, security, "pre_open", "operator")
        case "start_auction":
            kind = command.auction or _fitting_auction(security)
            _change(
                market, security, "auction", "operator", auction=kind, lasts_us=command.duration_us
            )
        case "uncross":
            _end_auction(market, security, "operator")
        case "open":
            _change(market, security, "continuous", "operator")
        case "halt":
            _change(market, security, "halted", "operator", lasts_us=command.duration_us)
        case "resume":
            _reopen(market, security, "operator")
        case "close":
            _change(market, security, "closed", "operator")


def _fitting_auction(security: NaiveSecurity) -> AuctionKind:
    return "reopening" if security.state in ("halted", "continuous") else "opening"


def change_by_clock(market: NaiveMarket) -> None:
    """Let every security go on whose state was to last until now."""
    while True:
        due = [
            security
            for security in market.securities
            if security.until_us is not None and security.until_us <= market.time_us
        ]
        if not due:
            return
        security = min(due, key=lambda one: one.until_us or 0)
        if security.state == "halted":
            _reopen(market, security, "timer")
        else:
            _end_auction(market, security, "timer")


def begin_phase(market: NaiveMarket, command: BeginPhase) -> None:
    """Begin a phase of the trading day, unless it was begun before."""
    before = market.phase
    again = command.schedule_id == before.schedule_id and command.begins_us <= before.begins_us
    if again and not market.phase_begins_anew:
        return
    if market.terms.max_time_step_us is not None and command.begins_us > market.time_us:
        return
    market.phase = command
    market.phase_begins_anew = False
    state, auction = state_of_phase(command.phase)
    for security in market.securities:
        interrupted = security.state == "halted" or security.auction == "reopening"
        if interrupted and state != "closed":
            continue
        if (security.state, security.auction) != (state, auction):
            _change(market, security, state, "schedule", auction=auction)


def _reopen(market: NaiveMarket, security: NaiveSecurity, reason: StateReason) -> None:
    lasts_us = security.terms.auction_us
    _change(market, security, "auction", reason, auction="reopening", lasts_us=lasts_us)


def _end_auction(market: NaiveMarket, security: NaiveSecurity, reason: StateReason) -> None:
    after: MarketState = "closed" if security.auction == "closing" else "continuous"
    _change(market, security, after, reason)


def _change(
    market: NaiveMarket,
    security: NaiveSecurity,
    state: MarketState,
    reason: StateReason,
    *,
    auction: AuctionKind | None = None,
    lasts_us: int | None = None,
) -> None:
    if state == "continuous" or (security.state == "auction" and state == "closed"):
        uncross(market, security)
    market.become(security, state, auction, lasts_us, reason)
    if state == "continuous":
        _end_what_is_over(market, security)
        trigger_stops(market, security)
    elif state == "closed":
        _end_what_is_over(market, security)
    elif auction == "closing":
        for order in market.orders_of(security):
            if order.request.time_in_force == "cls" and order.where == "waiting":
                order.where = "incoming"
                gather(market, order)


def _end_what_is_over(market: NaiveMarket, security: NaiveSecurity) -> None:
    for order in market.orders_of(security):
        if _is_over(order, security.state):
            market.cancel(order, "auction_over")
        elif order.request.time_in_force == "day" and security.state == "closed":
            market.cancel(order, "expired")


def _is_over(order: NaiveOrder, state: MarketState) -> bool:
    match order.request.time_in_force:
        case "opg":
            return True
        case "cls":
            return order.where == "book" or state == "closed"
    return order.where == "book" and order.request.order_type == "market"
