"""The rules of the ledger: which transfers an execution makes, and what each account then holds.

Pure: balances and executions in, transfers, new balances and reports out.

An account is one owner's holding of one asset. A transfer debits one account and credits another
of the same asset, so every asset sums to zero over all accounts: what clients hold, the issuer and
the settlement bank owe. A client that has sold short owes shares; nobody but the house owes cash.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from exchange_shared.invariants import MustStop
from exchange_shared.messages import (
    AccountFunded,
    AccountOpened,
    AnyExecution,
    AnySettlement,
    TradeExecuted,
    TradeSettled,
)
from exchange_shared.units import MAX_TOTAL_E4

CASH = "cash"
"""The asset that is money; every other asset is the shares of a security, named by its id."""

ISSUER = "house:issuer"
SETTLEMENT_BANK = "house:settlement_bank"
FEES = "house:fees"
HOUSE = frozenset({ISSUER, SETTLEMENT_BANK, FEES})
"""The only owners whose cash may be below zero: `FEES`, because rebates may exceed the fees."""

CASH_LEG = 1
SHARE_LEG = 2
BUYER_FEE_LEG = 3
SELLER_FEE_LEG = 4


class AccountKey(NamedTuple):
    """What names an account: whose it is, and of what."""

    owner: str
    asset: str


class Transfer(NamedTuple):
    """The debited account gives, the credited account gets."""

    execution_seq: int
    leg: int
    debit: AccountKey
    credit: AccountKey
    amount: int


class Settlement(NamedTuple):
    """A trade both of whose legs are booked."""

    trade_id: int
    execution_seq: int
    buy_order_id: int
    sell_order_id: int
    executed_us: int


class Entry(NamedTuple):
    """An execution and the transfers it asks for."""

    execution: AnyExecution
    transfers: list[Transfer]


class LedgerContradiction(MustStop):
    """The engine executed what the ledger cannot book. One of them is wrong: a matter for people.

    `execution` is the one that does not fit, where it is known.
    """

    def __init__(self, message: str, execution: AnyExecution | None = None) -> None:
        super().__init__(message)
        self.execution = execution


@dataclass(frozen=True, slots=True)
class Booking:
    """What a list of executions does to the ledger.

    `changes` has the net change of every account it touches, `balances` what each holds then.
    """

    transfers: list[Transfer]
    settlements: list[Settlement]
    changes: dict[AccountKey, int]
    balances: dict[AccountKey, int]
    reports: list[AnySettlement]


def transfers_of(execution: AnyExecution) -> list[Transfer]:
    """The transfers that an execution asks for.

    Raises:
        LedgerContradiction: an amount is not one that can be moved.
    """
    if isinstance(execution, TradeExecuted):
        transfers = _trade_transfers(execution)
    else:
        transfers = _opening_transfers(execution)
    for transfer in transfers:
        if not 0 < transfer.amount < MAX_TOTAL_E4:
            raise LedgerContradiction(f"an amount of {transfer.amount} cannot be moved", execution)
    return transfers


def _trade_transfers(trade: TradeExecuted) -> list[Transfer]:
    seq = trade.execution_seq
    buyer_cash = AccountKey(trade.buyer_id, CASH)
    seller_cash = AccountKey(trade.seller_id, CASH)
    buyer_shares = AccountKey(trade.buyer_id, trade.security_id)
    seller_shares = AccountKey(trade.seller_id, trade.security_id)
    notional_e4 = trade.price_e4 * trade.quantity
    return [
        Transfer(seq, CASH_LEG, buyer_cash, seller_cash, notional_e4),
        Transfer(seq, SHARE_LEG, seller_shares, buyer_shares, trade.quantity),
        *_fee_transfers(seq, BUYER_FEE_LEG, buyer_cash, trade.buyer_fee_e4),
        *_fee_transfers(seq, SELLER_FEE_LEG, seller_cash, trade.seller_fee_e4),
    ]


def _fee_transfers(seq: int, leg: int, client_cash: AccountKey, fee_e4: int) -> list[Transfer]:
    """The client pays a fee, and gets a rebate, which is a fee below zero."""
    if fee_e4 > 0:
        return [Transfer(seq, leg, client_cash, _FEE_CASH, fee_e4)]
    if fee_e4 < 0:
        return [Transfer(seq, leg, _FEE_CASH, client_cash, -fee_e4)]
    return []


def _opening_transfers(opened: AccountOpened) -> list[Transfer]:
    entries = [(SETTLEMENT_BANK, CASH, opened.cash_e4)]
    entries += [(ISSUER, asset, quantity) for asset, quantity in opened.holdings.items()]
    return [
        Transfer(
            opened.execution_seq,
            leg,
            AccountKey(giver, asset),
            AccountKey(opened.client_id, asset),
            amount,
        )
        for leg, (giver, asset, amount) in enumerate(entries, start=1)
        if amount
    ]


_FEE_CASH = AccountKey(FEES, CASH)


def settlement_of(trade: TradeExecuted) -> Settlement:
    """The settlement of a trade."""
    return Settlement(
        trade.trade_id,
        trade.execution_seq,
        trade.buy_order_id,
        trade.sell_order_id,
        trade.time_us,
    )


def entries_of(executions: Sequence[AnyExecution]) -> list[Entry]:
    """Each execution with its transfers.

    Raises:
        LedgerContradiction: an amount is not one that can be moved.
    """
    return [Entry(execution, transfers_of(execution)) for execution in executions]


def touched_accounts(entries: Sequence[Entry]) -> set[AccountKey]:
    """The accounts whose balances `book` needs to know, where they exist."""
    keys: set[AccountKey] = set()
    for execution, transfers in entries:
        if isinstance(execution, AccountOpened):
            keys.add(AccountKey(execution.client_id, CASH))
        for transfer in transfers:
            keys.add(transfer.debit)
            keys.add(transfer.credit)
    return keys


def book(
    known: Mapping[AccountKey, int], entries: Sequence[Entry], *, after_seq: int, time_us: int
) -> Booking:
    """Book executions one after the other, each wholly.

    Args:
        known: the balances of those of `touched_accounts(entries)` that exist.
        entries: they follow the execution numbered `after_seq` without a gap.
        after_seq: the `execution_seq` of the newest execution that is booked already.
        time_us: the time of the reports.

    Raises:
        LedgerContradiction: an execution does not fit. Nothing may be booked then.
    """
    balances = dict(known)
    booking = Booking([], [], {}, balances, [])
    for expected_seq, (execution, transfers) in enumerate(entries, start=after_seq + 1):
        if execution.execution_seq != expected_seq:
            raise LedgerContradiction(
                f"execution {expected_seq} was expected, not {execution.execution_seq}", execution
            )
        _check_parties(balances, execution)
        _move(balances, transfers, execution)
        booking.transfers.extend(transfers)
        if isinstance(execution, TradeExecuted):
            booking.settlements.append(settlement_of(execution))
            booking.reports.append(_trade_report(execution, transfers, balances, time_us))
        else:
            booking.reports.append(_opening_report(execution, time_us))
    for key, balance in balances.items():
        booking.changes[key] = balance - known.get(key, 0)
    _assert_conserved(booking.changes)
    return booking


def _check_parties(balances: dict[AccountKey, int], execution: AnyExecution) -> None:
    """Who trades has an account, who opens one has none; opening begins it with no cash."""
    if isinstance(execution, AccountOpened):
        cash = AccountKey(execution.client_id, CASH)
        if cash in balances:
            raise LedgerContradiction(f"{execution.client_id} has an account already", execution)
        balances[cash] = 0
        return
    if execution.buyer_id == execution.seller_id:
        raise LedgerContradiction(f"{execution.buyer_id} trades with itself", execution)
    for client_id in (execution.buyer_id, execution.seller_id):
        if (client_id, CASH) not in balances:
            raise LedgerContradiction(f"{client_id} has no account", execution)


def _move(
    balances: dict[AccountKey, int], transfers: list[Transfer], execution: AnyExecution
) -> None:
    """Do all transfers of an execution, then see that no client owes cash."""
    for _, _, debit, credit, amount in transfers:
        balances[debit] = balances.get(debit, 0) - amount
        balances[credit] = balances.get(credit, 0) + amount
    for transfer in transfers:
        owner, asset = transfer.debit
        if asset == CASH and owner not in HOUSE and balances[transfer.debit] < 0:
            raise LedgerContradiction(
                f"{owner} would hold {balances[transfer.debit]} of cash", execution
            )


def _assert_conserved(changes: Mapping[AccountKey, int]) -> None:
    by_asset: Counter[str] = Counter()
    for (_, asset), change in changes.items():
        by_asset[asset] += change
    assert not any(by_asset.values()), f"made out of nothing: {by_asset}"


def _opening_report(opened: AccountOpened, time_us: int) -> AccountFunded:
    return AccountFunded(
        time_us=time_us,
        execution_seq=opened.execution_seq,
        client_id=opened.client_id,
        cash_e4=opened.cash_e4,
        holdings=opened.holdings,
    )


def _trade_report(
    trade: TradeExecuted,
    transfers: list[Transfer],
    balances: Mapping[AccountKey, int],
    time_us: int,
) -> TradeSettled:
    cash, shares = transfers[:2]
    return TradeSettled(
        time_us=time_us,
        execution_seq=trade.execution_seq,
        trade_id=trade.trade_id,
        security_id=trade.security_id,
        price_e4=trade.price_e4,
        quantity=trade.quantity,
        buy_order_id=trade.buy_order_id,
        sell_order_id=trade.sell_order_id,
        buyer_id=trade.buyer_id,
        seller_id=trade.seller_id,
        buyer_fee_e4=trade.buyer_fee_e4,
        seller_fee_e4=trade.seller_fee_e4,
        buyer_cash_e4=balances[cash.debit],
        seller_cash_e4=balances[cash.credit],
        buyer_shares=balances[shares.credit],
        seller_shares=balances[shares.debit],
    )
