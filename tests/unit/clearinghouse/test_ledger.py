"""The ledger's rules: which transfers an execution makes, what all hold then, what is refused."""

from collections import Counter
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearinghouse.ledger import (
    AccountKey,
    Booking,
    LedgerContradiction,
    Settlement,
    Transfer,
    book,
    entries_of,
    touched_accounts,
)
from exchange_cli.verify.reference_ledger import CASH, ReferenceLedger
from exchange_shared.messages import (
    AccountFunded,
    AccountOpened,
    AnyExecution,
    AnySettlement,
    TradeSettled,
)
from tests.support.executions import ExecutionLog

BANK_CASH = AccountKey("house:settlement_bank", "cash")
FEE_CASH = AccountKey("house:fees", "cash")
ISSUED_MSFT = AccountKey("house:issuer", "MSFT")
ISSUED_AAPL = AccountKey("house:issuer", "AAPL")
ADA_CASH, ADA_MSFT = AccountKey("ada", "cash"), AccountKey("ada", "MSFT")
BOB_CASH, BOB_MSFT = AccountKey("bob", "cash"), AccountKey("bob", "MSFT")

LOG = ExecutionLog
KNOWN = {ADA_CASH: 10_000_000, ADA_MSFT: 1, BOB_CASH: 5, BOB_MSFT: 10, FEE_CASH: 100}


def book_all(
    known: dict[AccountKey, int], executions: Sequence[AnyExecution], after_seq: int = 0
) -> Booking:
    return book(known, entries_of(executions), after_seq=after_seq, time_us=77)


def test_opening_an_account_moves_cash_from_the_bank_and_shares_from_the_issuer() -> None:
    opened = ExecutionLog().opened("ada", 100_000_000, {"MSFT": 100, "AAPL": 0, "TSLA": 7})
    tesla, issued_tesla = AccountKey("ada", "TSLA"), AccountKey("house:issuer", "TSLA")
    after = {
        ADA_CASH: 100_000_000,
        BANK_CASH: -100_000_000,
        ISSUED_MSFT: -100,
        ADA_MSFT: 100,
        issued_tesla: -7,
        tesla: 7,
    }
    assert book_all({}, [opened]) == Booking(
        transfers=[
            Transfer(1, 1, BANK_CASH, ADA_CASH, 100_000_000),
            Transfer(1, 2, ISSUED_MSFT, ADA_MSFT, 100),
            Transfer(1, 4, issued_tesla, tesla, 7),
        ],
        settlements=[],
        changes=after,
        balances=after,
        reports=[
            AccountFunded(
                time_us=77,
                execution_seq=1,
                client_id="ada",
                cash_e4=100_000_000,
                holdings={"MSFT": 100, "AAPL": 0, "TSLA": 7},
            )
        ],
    )


def test_an_account_opened_with_nothing_is_there_all_the_same() -> None:
    booking = book_all({}, [ExecutionLog().opened("ada", 0, {})])
    assert (booking.transfers, booking.balances) == ([], {ADA_CASH: 0})


def test_a_trade_moves_cash_against_shares_and_the_fees() -> None:
    trade = ExecutionLog(after_seq=4).traded(
        "ada", "bob", 2, 4_200_000, buyer_fee_e4=840, seller_fee_e4=420
    )
    assert book_all(KNOWN, [trade], after_seq=4) == Booking(
        transfers=[
            Transfer(5, 1, ADA_CASH, BOB_CASH, 8_400_000),
            Transfer(5, 2, BOB_MSFT, ADA_MSFT, 2),
            Transfer(5, 3, ADA_CASH, FEE_CASH, 840),
            Transfer(5, 4, BOB_CASH, FEE_CASH, 420),
        ],
        settlements=[Settlement(1_005, 5, 2_005, 3_005, 1_005)],
        changes={
            ADA_CASH: -8_400_840,
            BOB_CASH: 8_399_580,
            ADA_MSFT: 2,
            BOB_MSFT: -2,
            FEE_CASH: 1_260,
        },
        balances={
            ADA_CASH: 1_599_160,
            ADA_MSFT: 3,
            BOB_CASH: 8_399_585,
            BOB_MSFT: 8,
            FEE_CASH: 1_360,
        },
        reports=[
            TradeSettled(
                time_us=77,
                execution_seq=5,
                trade_id=1_005,
                security_id="MSFT",
                price_e4=4_200_000,
                quantity=2,
                buy_order_id=2_005,
                sell_order_id=3_005,
                buyer_id="ada",
                seller_id="bob",
                buyer_fee_e4=840,
                seller_fee_e4=420,
                buyer_cash_e4=1_599_160,
                seller_cash_e4=8_399_585,
                buyer_shares=3,
                seller_shares=8,
            )
        ],
    )


def test_a_rebate_is_a_fee_the_other_way_and_the_fees_may_be_below_zero() -> None:
    trade = LOG().traded("ada", "bob", 2, 100, buyer_fee_e4=-150, seller_fee_e4=30)
    booking = book_all(KNOWN, [trade])
    assert booking.transfers == [
        Transfer(1, 1, ADA_CASH, BOB_CASH, 200),
        Transfer(1, 2, BOB_MSFT, ADA_MSFT, 2),
        Transfer(1, 3, FEE_CASH, ADA_CASH, 150),
        Transfer(1, 4, BOB_CASH, FEE_CASH, 30),
    ]
    assert booking.balances == {
        ADA_CASH: 9_999_950,
        BOB_CASH: 175,
        ADA_MSFT: 3,
        BOB_MSFT: 8,
        FEE_CASH: -20,
    }


def test_shares_may_be_sold_short_and_bought_back() -> None:
    log = LOG()
    booking = book_all(KNOWN, [log.traded("ada", "bob", 13, 10), log.traded("bob", "ada", 3, 10)])
    assert booking.balances == {
        ADA_CASH: 9_999_900,
        BOB_CASH: 105,
        ADA_MSFT: 11,
        BOB_MSFT: 0,
        FEE_CASH: 100,
    }
    assert [
        report.seller_shares for report in booking.reports if isinstance(report, TradeSettled)
    ] == [-3, 11]


def test_a_trade_of_an_auction_is_settled_as_every_other() -> None:
    trade = LOG().traded("ada", "bob", buyer_fee_e4=84)
    auctioned = msgspec.structs.replace(trade, aggressor_side=None)
    assert book_all(KNOWN, [auctioned]) == book_all(KNOWN, [trade])


def test_reports_tell_the_balances_right_after_each_trade_and_changes_the_sum() -> None:
    log = ExecutionLog()
    trades = [log.traded("ada", "bob", 1, 100), log.traded("bob", "ada", 2, 30)]
    booking = book_all(KNOWN, trades)
    assert [
        report.buyer_cash_e4 for report in booking.reports if isinstance(report, TradeSettled)
    ] == [
        9_999_900,
        45,
    ]
    assert booking.changes == {
        ADA_CASH: -40,
        BOB_CASH: 40,
        ADA_MSFT: -1,
        BOB_MSFT: 1,
        FEE_CASH: 0,
    }


def test_the_touched_accounts_are_those_of_all_transfers_and_of_new_clients() -> None:
    log = ExecutionLog()
    entries = entries_of([log.opened("eve", 0, {"AAPL": 1}), log.traded("ada", "bob")])
    assert touched_accounts(entries) == {
        AccountKey("eve", "cash"), AccountKey("eve", "AAPL"), ISSUED_AAPL,
        ADA_CASH, ADA_MSFT, BOB_CASH, BOB_MSFT,
    }  # fmt: skip


CONTRADICTIONS: list[tuple[str, AnyExecution]] = [
    ("an amount of 0 cannot be moved", LOG().traded("ada", "bob", 1, 0)),
    ("an amount of -1 cannot be moved", LOG().traded("ada", "bob", -1, -1)),
    ("an amount of 9000000000000000 ", LOG().traded("ada", "bob", 9, 10**15)),
    ("ada would hold -2600000 of cash", LOG().traded("ada", "bob", 3, 4_200_000)),
    ("ada would hold -1 of cash", LOG().traded("ada", "bob", 1, 9_999_999, buyer_fee_e4=2)),
    ("ada would hold -1 of cash", LOG().traded("ada", "bob", 1, 10**7 + 6, buyer_fee_e4=-5)),
    ("bob would hold -1 of cash", LOG().traded("ada", "bob", 1, 10, seller_fee_e4=16)),
    ("eve has no account", LOG().traded("ada", "eve", 1, 1)),
    ("eve has no account", LOG().traded("eve", "ada", 1, 1)),
    ("ada trades with itself", LOG().traded("ada", "ada", 1, 1)),
    ("ada has an account already", LOG().opened("ada")),
    ("execution 1 was expected, not 2", LOG(after_seq=1).traded("ada", "bob", 1, 1)),
]


@pytest.mark.parametrize(("said", "execution"), CONTRADICTIONS)
def test_an_execution_that_does_not_fit_is_a_contradiction(
    said: str, execution: AnyExecution
) -> None:
    with pytest.raises(LedgerContradiction, match=said) as caught:
        book_all(KNOWN, [execution])
    assert caught.value.execution is execution


def test_a_contradiction_in_the_middle_of_a_batch_books_nothing_of_it() -> None:
    log = ExecutionLog()
    known = dict(KNOWN)
    with pytest.raises(LedgerContradiction):
        book_all(known, [log.traded("ada", "bob", 1, 1), log.traded("bob", "ada", 1, 7)])
    assert known == KNOWN


CLIENTS = st.sampled_from(["ada", "bob", "eve", "zoe"])
OPENINGS = st.tuples(
    st.just("open"),
    CLIENTS,
    st.integers(0, 10_000),
    st.dictionaries(st.sampled_from(["MSFT", "AAPL"]), st.integers(0, 50)),
)
TRADES = st.tuples(
    st.just("trade"),
    CLIENTS,
    CLIENTS,
    st.integers(1, 20),
    st.integers(1, 500),
    st.sampled_from(["MSFT", "AAPL"]),
    st.integers(-30, 30),
    st.integers(-30, 30),
)


@given(st.lists(OPENINGS | TRADES, max_size=60), st.integers(1, 10))
def test_it_agrees_with_the_reference_ledger_and_conserves_every_asset(
    steps: list[tuple[object, ...]], batch_size: int
) -> None:
    reference = ReferenceLedger()
    executions, expected = _executions(steps, reference)
    balances: dict[AccountKey, int] = {}
    transfers: list[Transfer] = []
    reports: list[AnySettlement] = []
    for start in range(0, len(executions), batch_size):
        entries = entries_of(executions[start : start + batch_size])
        known = {key: balances[key] for key in touched_accounts(entries) if key in balances}
        booking = book(known, entries, after_seq=start, time_us=0)
        for key, change in booking.changes.items():
            balances[key] = balances.get(key, 0) + change
        assert {key: balances[key] for key in booking.balances} == booking.balances
        transfers += booking.transfers
        reports += booking.reports
    assert reports == expected
    assert balances == reference.balances
    assert _balances_by_replay(transfers) == {key: held for key, held in balances.items() if held}
    by_asset: Counter[str] = Counter()
    for (_, asset), held in balances.items():
        by_asset[asset] += held
    assert not any(by_asset.values())


def _executions(
    steps: Sequence[tuple[object, ...]], reference: ReferenceLedger
) -> tuple[list[AnyExecution], list[AnySettlement]]:
    """The steps that can be booked, and the reports of them; others must be refused."""
    executions: list[AnyExecution] = []
    reports: list[AnySettlement] = []
    for kind, *arguments in steps:
        log = ExecutionLog(after_seq=len(executions))
        execution = getattr(log, "opened" if kind == "open" else "traded")(*arguments)
        if _can_book(reference, execution):
            executions.append(execution)
            reports.append(reference.book(execution))
            continue
        held = {AccountKey(*key): amount for key, amount in reference.balances.items()}
        with pytest.raises(LedgerContradiction):
            book(held, entries_of([execution]), after_seq=len(executions), time_us=0)
    return executions, reports


def _can_book(ledger: ReferenceLedger, execution: AnyExecution) -> bool:
    """Whether the parties exist (or not yet) and can pay."""
    if isinstance(execution, AccountOpened):
        return execution.client_id not in ledger.clients
    buyer, seller = execution.buyer_id, execution.seller_id
    if buyer == seller or not {buyer, seller} <= ledger.clients:
        return False
    notional_e4 = execution.price_e4 * execution.quantity
    return (
        ledger.holds(buyer, CASH) >= notional_e4 + execution.buyer_fee_e4
        and ledger.holds(seller, CASH) + notional_e4 >= execution.seller_fee_e4
    )


def _balances_by_replay(transfers: Sequence[Transfer]) -> dict[AccountKey, int]:
    balances: Counter[AccountKey] = Counter()
    for transfer in transfers:
        balances[transfer.debit] -= transfer.amount
        balances[transfer.credit] += transfer.amount
    return {key: held for key, held in balances.items() if held}
