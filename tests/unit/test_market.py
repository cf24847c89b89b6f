"""The market file: what is read from it, what is refused, what becomes of it."""

from decimal import Decimal
from pathlib import Path

import pytest

from exchange_shared.market import MarketConfig, MarketFileError, load_market
from exchange_shared.messages import ConfigureMarket, ListSecurity, command_decoder, encode_batch

REPOSITORY = Path(__file__).parents[2]

MINIMAL = """
[[securities]]
id = "MSFT"
reference_price = 420.00
"""

FULL = """
initial_balance = 2_500.5
[fees]
maker_bps = 0.25
taker_bps = 1.5
[[securities]]
id = "BRK.B"
reference_price = 0.1
tick = 0.0001
granted_quantity = 0
[[securities]]
id = "AAPL"
reference_price = 230
[[bots]]
strategy = "uniform"
client_id = "uniform"
securities = ["AAPL"]
"""


def load(directory: Path, text: str) -> MarketConfig:
    path = directory / "exchange.toml"
    path.write_text(text, encoding="utf-8")
    return load_market(path)


def test_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    assert load(tmp_path, MINIMAL).commands([1, 2], time_us=9) == [
        ConfigureMarket(
            time_us=9,
            request_id=1,
            initial_balance_e4=100_000_000,
            maker_fee_ppm=0,
            taker_fee_ppm=0,
        ),
        ListSecurity(
            time_us=9,
            request_id=2,
            security_id="MSFT",
            tick_e4=100,
            reference_price_e4=4_200_000,
            granted_quantity=100,
        ),
    ]


def test_amounts_are_exact(tmp_path: Path) -> None:
    config = load(tmp_path, FULL)

    assert config.commands([7, 8, 9], time_us=1) == [
        ConfigureMarket(
            time_us=1,
            request_id=7,
            initial_balance_e4=25_005_000,
            maker_fee_ppm=25,
            taker_fee_ppm=150,
        ),
        ListSecurity(
            time_us=1,
            request_id=8,
            security_id="BRK.B",
            tick_e4=1,
            reference_price_e4=1_000,
            granted_quantity=0,
        ),
        ListSecurity(
            time_us=1,
            request_id=9,
            security_id="AAPL",
            tick_e4=100,
            reference_price_e4=2_300_000,
            granted_quantity=100,
        ),
    ]
    (bot,) = config.bots
    assert (bot.strategy, bot.client_id, bot.securities) == ("uniform", "uniform", ["AAPL"])


def test_the_market_of_the_repository_can_be_used() -> None:
    config = load_market(REPOSITORY / "exchange.toml")
    commands = config.commands(list(range(1, len(config.securities) + 2)), time_us=0)

    batch, bad = command_decoder().decode(encode_batch("gateway", 1, commands))

    assert (batch.records, bad) == (commands, {})
    assert config.initial_balance == Decimal(10_000)


def test_every_command_needs_an_id(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="longer"):
        load(tmp_path, FULL).commands([1, 2], time_us=0)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "securities"),
        ("securities = []", "securities"),
        ("[[securities]\n", "line 1"),
        (MINIMAL + 'colour = "red"', "securities.0.colour"),
        ("balance = 1\n" + MINIMAL, "balance"),
        ("initial_balance = -1\n" + MINIMAL, "initial_balance"),
        ("initial_balance = 900_000_000_000\n" + MINIMAL, "initial_balance"),
        ("initial_balance = 0.00001\n" + MINIMAL, "four decimals"),
        ("initial_balance = nan\n" + MINIMAL, "initial_balance"),
        ("initial_balance = inf\n" + MINIMAL, "initial_balance"),
        ('initial_balance = "much"\n' + MINIMAL, "initial_balance"),
        (MINIMAL.replace("MSFT", "msft"), "securities.0.id"),
        (MINIMAL.replace("MSFT", ""), "securities.0.id"),
        (MINIMAL.replace("MSFT", "MSFT\\n"), "securities.0.id"),
        (MINIMAL.replace("MSFT", "THIRTEENCHARS"), "securities.0.id"),
        (MINIMAL.replace("420.00", "0"), "securities.0.reference_price"),
        (MINIMAL.replace("420.00", "1_000_000.01"), "securities.0.reference_price"),
        (MINIMAL.replace("420.00", "420.00001"), "four decimals"),
        (MINIMAL + "tick = 0", "securities.0.tick"),
        (MINIMAL + "granted_quantity = -1", "securities.0.granted_quantity"),
        (MINIMAL + "granted_quantity = 0.5", "securities.0.granted_quantity"),
        (MINIMAL + "granted_quantity = 10_000_001", "securities.0.granted_quantity"),
        (MINIMAL + "[fees]\nmaker_bps = -1", "fees.maker_bps"),
        (MINIMAL + "[fees]\ntaker_bps = 1_001", "fees.taker_bps"),
        (MINIMAL + "[fees]\ntaker_bps = 0.001", "fees.taker_bps"),
        (MINIMAL + '[[bots]]\nstrategy = "uniform"', "bots.0.client_id"),
        (MINIMAL + '[[bots]]\nstrategy = "uniform"\nclient_id = "a b"', "bots.0.client_id"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_reason(
    tmp_path: Path, text: str, problem: str
) -> None:
    with pytest.raises(MarketFileError) as refusal:
        load(tmp_path, text)

    assert str(tmp_path / "exchange.toml") in str(refusal.value)
    assert problem in str(refusal.value)


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MarketFileError, match="No such file"):
        load_market(tmp_path / "missing.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MarketFileError, match=r"binary\.toml"):
        load_market(tmp_path / "binary.toml")
