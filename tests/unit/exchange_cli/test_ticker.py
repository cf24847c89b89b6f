"""The line that the terminal shows now and then."""

from exchange_cli.ticker import Figures, Leader, Quote, line


def test_a_line_tells_what_happened_the_prices_and_who_leads() -> None:
    before = Figures(100, 40, [], None)
    now = Figures(
        1_412,
        41,
        [
            Quote("MSFT", "continuous", 421.05, 420.0),
            Quote("PENNY", "continuous", 0.0125, 0.0125),
            Quote("NEW", "pre_open", None, 10.0),
        ],
        Leader("alice", -12.5),
    )
    assert line(before, now) == (
        "1,312 orders, 1 trade"
        " | MSFT 421.05 +0.25%  PENNY 0.0125 +0.00%  NEW 10.00 pre-open"
        " | alice leads with -12.50"
    )
    assert line(now, Figures(1_412, 41, [], None)) == "0 orders, 0 trades"


def test_of_many_securities_those_that_moved_most_are_shown_in_their_order() -> None:
    changes = {"A": 0.01, "B": -0.06, "C": 0.02, "D": 0.05, "E": -0.04, "F": 0.03}
    quotes = [Quote(name, "continuous", 100 + 100 * by, 100.0) for name, by in changes.items()]
    text = line(Figures(0, 0, [], None), Figures(0, 0, quotes, None))
    assert text == (
        "0 orders, 0 trades | B 94.00 -6.00%  C 102.00 +2.00%  D 105.00 +5.00%"
        "  E 96.00 -4.00%  F 103.00 +3.00%"
    )
