"""Golden tables: one command a line, and below it, indented, every event that it causes.

    configure balance 10,000.00 maker -0.5 taker 1 orders 3 position 100 value 1,000.00
    list MSFT tick 0.01 reference 100.00 grant 100
    list AAPL tick 0.05 reference 50.00 grant 0 lot 10 max_quantity 100 max_value 5,000.00
    list SHEL tick 0.01 reference 30.00 grant 0 static 20% dynamic 5% halt 50 auction 30 margin 50%
    open alice
    alice buys 10 MSFT at 100.00 named first
    alice sells 5 MSFT at market
    alice buys 5 MSFT at 100.00 ioc
    alice buys 5 MSFT at market cls
    alice buys 50 MSFT at 100.00 display 5 stp cancel_oldest until 500
    alice buys 5 MSFT at 100.00 day post_only hidden
    alice sells 5 MSFT at market stop 99.00 group one
    alice sells 5 MSFT at 99.50 stop 99.00 group one
    alice sells 5 MSFT at market trail 1.50
    alice buys 5 MSFT at market trail 2%
    alice replaces #1 quantity 5 price 100.01
    alice cancels #1
    alice cancels all MSFT buys
    limits alice orders 3 position 100 value 1,000.00 display 1%
    suspend alice
    unsuspend alice
    halt MSFT for 500
    resume MSFT
    start_auction MSFT closing for 500
    open all
    phase opening_auction of nyse at 1000
    alice buys 5 MSFT at 100.00 named first after 12
    fence node at 4096
    tick 500

Fees are in basis points, bands and margins in percent, durations in microseconds. Orders are
numbered from 1 in the order in which they stand in the table, unless `id 7` says otherwise; `after`
is the last event that the gateway of an order had seen. Each
command comes one microsecond after the one before, a `tick` at its own time, and any other command
at the time that `at_time 400` at its end says. `until` makes an order `gtd`. The actions of an
operator are for a security, in capitals, or for `all`; `open` and a name opens an account. Lines
that begin with a hash and a blank are comments.
"""

from exchange_shared.messages import AnyCommand
from matching_engine.core import Exchange
from tests.support.table_commands import CommandReader
from tests.support.table_events import describe


def read_table(table: str) -> list[AnyCommand]:
    """The commands of a table."""
    reader = CommandReader()
    return [reader.command(line) for line in table.splitlines() if _is_command(line)]


def _is_command(line: str) -> bool:
    return bool(line.strip()) and not line.startswith(("    ", "# "))


def run_table(table: str) -> str:
    """The table with its commands run on a new exchange, and the events that they really cause."""
    exchange = Exchange()
    reader = CommandReader()
    lines: list[str] = []
    for line in table.splitlines():
        if line.startswith("    "):
            continue
        lines.append(line)
        if not _is_command(line):
            continue
        seq = exchange.seq
        events = exchange.apply(reader.command(line))
        assert [event.seq for event in events] == list(range(seq + 1, seq + 1 + len(events)))
        exchange.check_invariants()
        lines += [f"    {describe(event)}" for event in events]
    return "\n".join(lines) + "\n"
