"""The market file: what is read from it, what is refused, what becomes of it."""

import re
import tomllib
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from exchange_shared.market import (
    BotConfig,
    FeeConfig,
    MarketConfig,
    MarketFileError,
    RiskConfig,
    SecurityConfig,
    load_market,
)
from exchange_shared.market_schedule import ScheduleConfig
from exchange_shared.messages import ConfigureMarket, ListSecurity, command_decoder, encode_batch
from tests.support.paths import ROOT

MINIMAL = """
[[securities]]
id = "MSFT"
reference_price = 420.00
"""

FULL = """
initial_balance = 2_500.5
[fees]
maker_bps = -0.25
taker_bps = 1.5
[risk]
max_open_orders = 500
max_position = 1_000_000
max_order_value = 250_000.01
min_display_percent = 0.25
orders_per_second = 0
order_burst = 20
[schedule]
timezone = "America/New_York"
days = ["wed", "mon"]
pre_open = "08:00"
opening_auction = "09:25"
open = "09:30"
closing_auction = "15:55"
close = "16:00"
holidays = [2026-12-25]
[[securities]]
id = "BRK.B"
reference_price = 0.1
tick = 0.0001
lot = 10
granted_quantity = 0
max_order_quantity = 5_000
max_order_value = 99_999.9999
static_band_percent = 12.5
dynamic_band_percent = 0.0001
halt_seconds = 0.25
auction_seconds = 604_800
short_margin_percent = 1_000
[[securities]]
id = "AAPL"
reference_price = 230
[[bots]]
strategy = "uniform"
client_id = "uniform"
securities = ["AAPL"]
"""


BOT = """
[[bots]]
strategy = "uniform"
client_id = "one"
"""

HOURS = """
[schedule]
timezone = "UTC"
open = "09:30"
close = "16:00"
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
            max_open_orders=1_000,
            min_display_ppm=10_000,
            orders_per_second=100,
            order_burst=200,
            max_time_step_us=60_000_000,
        ),
        ListSecurity(
            time_us=9,
            request_id=2,
            security_id="MSFT",
            tick_e4=100,
            reference_price_e4=4_200_000,
            granted_quantity=100,
            halt_us=30_000_000,
            auction_us=30_000_000,
        ),
    ]


def test_amounts_are_exact(tmp_path: Path) -> None:
    config = load(tmp_path, FULL)

    assert config.commands([7, 8, 9], time_us=1) == [
        ConfigureMarket(
            time_us=1,
            request_id=7,
            initial_balance_e4=25_005_000,
            maker_fee_ppm=-25,
            taker_fee_ppm=150,
            max_open_orders=500,
            max_position=1_000_000,
            max_order_value_e4=2_500_000_100,
            min_display_ppm=2_500,
            orders_per_second=0,
            order_burst=20,
            max_time_step_us=60_000_000,
        ),
        ListSecurity(
            time_us=1,
            request_id=8,
            security_id="BRK.B",
            tick_e4=1,
            reference_price_e4=1_000,
            granted_quantity=0,
            lot_quantity=10,
            max_order_quantity=5_000,
            max_order_value_e4=999_999_999,
            static_band_ppm=125_000,
            dynamic_band_ppm=1,
            halt_us=250_000,
            auction_us=604_800_000_000,
            short_margin_ppm=10_000_000,
        ),
        ListSecurity(
            time_us=1,
            request_id=9,
            security_id="AAPL",
            tick_e4=100,
            reference_price_e4=2_300_000,
            granted_quantity=100,
            halt_us=30_000_000,
            auction_us=30_000_000,
        ),
    ]
    (bot,) = config.bots
    assert (bot.strategy, bot.client_id, bot.securities) == ("uniform", "uniform", ["AAPL"])
    assert config.schedule is not None
    assert config.schedule.model_dump() == {
        "timezone": "America/New_York",
        "days": {"mon", "wed"},
        "pre_open": time(8),
        "opening_auction": time(9, 25),
        "open": time(9, 30),
        "closing_auction": time(15, 55),
        "close": time(16),
        "holidays": {date(2026, 12, 25)},
    }


def test_a_schedule_needs_only_a_time_zone_and_two_times(tmp_path: Path) -> None:
    assert load(tmp_path, MINIMAL).schedule is None
    schedule = load(tmp_path, MINIMAL + HOURS).schedule
    assert schedule is not None
    assert schedule.days == {"mon", "tue", "wed", "thu", "fri"}
    assert schedule.times() == {"open": time(9, 30), "close": time(16)}
    assert schedule.holidays == frozenset()


def test_a_rebate_is_paid_by_the_fee_of_the_other_side(tmp_path: Path) -> None:
    for fees in ("maker_bps = -1\ntaker_bps = 1", "maker_bps = 0.5\ntaker_bps = -0.5"):
        load(tmp_path, f"{MINIMAL}[fees]\n{fees}")


def test_the_market_of_the_repository_can_be_used() -> None:
    config = load_market(ROOT / "exchange.toml")
    commands = config.commands(list(range(1, len(config.securities) + 2)), time_us=0)

    batch, bad = command_decoder().decode(encode_batch("gateway", 1, commands))

    assert (batch.records, bad) == (commands, {})
    assert config.initial_balance == Decimal(10_000)


def test_the_documentation_tells_of_every_field_and_its_example_can_be_used(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "market-file.md").read_text(encoding="utf-8")
    example = text.partition("```toml\n")[2].partition("```")[0]
    content = tomllib.loads(example)
    load(tmp_path, example)
    sections: dict[str, tuple[type[BaseModel], Any]] = {
        "[fees]": (FeeConfig, content["fees"]),
        "[risk]": (RiskConfig, content["risk"]),
        "[schedule]": (ScheduleConfig, content["schedule"]),
        "[[securities]]": (SecurityConfig, content["securities"][0]),
        "[[bots]]": (BotConfig, content["bots"][0]),
    }
    assert set(content) == set(MarketConfig.model_fields)
    for heading, (model, used) in sections.items():
        table = text.partition(f"## `{heading}`")[2].partition("\n## ")[0]
        documented = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", table, flags=re.MULTILINE)
        names = {name for cell in documented for name in re.findall(r"\w+", cell)}
        assert names == set(model.model_fields) == set(used), heading


def test_every_command_needs_an_id(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="longer"):
        load(tmp_path, FULL).commands([1, 2], time_us=0)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "securities"),
        ("securities = []", "securities"),
        ("[[securities]\n", "line 1"),
        (MINIMAL + 'colour = "red"', "securities.MSFT.colour"),
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
        (MINIMAL.replace("420.00", "0"), "securities.MSFT.reference_price"),
        (MINIMAL.replace("420.00", "1_000_000.01"), "securities.MSFT.reference_price"),
        (MINIMAL.replace("420.00", "420.00001"), "four decimals"),
        (MINIMAL + "tick = 0", "securities.MSFT.tick"),
        (MINIMAL + "granted_quantity = -1", "securities.MSFT.granted_quantity"),
        (MINIMAL + "granted_quantity = 0.5", "securities.MSFT.granted_quantity"),
        (MINIMAL + "granted_quantity = 10_000_001", "securities.MSFT.granted_quantity"),
        (MINIMAL + "[fees]\nmaker_bps = -1", "fees: maker_bps and taker_bps together"),
        (MINIMAL + "[fees]\nmaker_bps = 1\ntaker_bps = -1.01", "fees: maker_bps and taker_bps"),
        (MINIMAL + "[fees]\nmaker_bps = -1_001", "fees.maker_bps"),
        (MINIMAL + "[fees]\ntaker_bps = 1_001", "fees.taker_bps"),
        (MINIMAL + "[fees]\ntaker_bps = 0.001", "fees.taker_bps"),
        (MINIMAL + "granted_quantity = true", "securities.MSFT.granted_quantity"),
        (MINIMAL + "lot = 0", "securities.MSFT.lot"),
        (MINIMAL + "max_order_quantity = 0", "securities.MSFT.max_order_quantity"),
        (MINIMAL + "max_order_value = 0", "securities.MSFT.max_order_value"),
        (MINIMAL + "static_band_percent = 0", "securities.MSFT.static_band_percent"),
        (MINIMAL + "static_band_percent = 100.1", "securities.MSFT.static_band_percent"),
        (MINIMAL + "dynamic_band_percent = -5", "securities.MSFT.dynamic_band_percent"),
        (MINIMAL + "dynamic_band_percent = 0.00001", "four decimals"),
        (MINIMAL + "halt_seconds = -1", "securities.MSFT.halt_seconds"),
        (MINIMAL + "halt_seconds = 0.0000001", "securities.MSFT.halt_seconds"),
        (MINIMAL + "auction_seconds = 604_801", "securities.MSFT.auction_seconds"),
        (MINIMAL + "auction_seconds = true", "securities.MSFT.auction_seconds"),
        (MINIMAL + "short_margin_percent = 1_000.1", "securities.MSFT.short_margin_percent"),
        (MINIMAL + "[risk]\nmax_open_orders = 0", "risk.max_open_orders"),
        (MINIMAL + "[risk]\nmax_position = 1.5", "risk.max_position"),
        (MINIMAL + "[risk]\nmax_order_value = 0.00001", "four decimals"),
        (MINIMAL + "[risk]\nmin_display_percent = 100.1", "risk.min_display_percent"),
        (MINIMAL + "[risk]\nmin_display_percent = -1", "risk.min_display_percent"),
        (MINIMAL + "[risk]\norders_per_second = -1", "risk.orders_per_second"),
        (MINIMAL + "[risk]\norder_burst = 0", "risk.order_burst"),
        (MINIMAL + "[risk]\nmax_loss = 1", "risk.max_loss"),
        (MINIMAL + HOURS.replace("UTC", "Mars/Base"), "schedule.timezone: a time zone that"),
        (MINIMAL + HOURS.replace('"UTC"', "5"), "schedule.timezone"),
        (MINIMAL + HOURS.replace('timezone = "UTC"', ""), "schedule.timezone"),
        (MINIMAL + HOURS.replace('open = "09:30"', ""), "schedule.open"),
        (MINIMAL + HOURS.replace('"09:30"', '"9:30"'), 'schedule.open: a time of day like "09:30"'),
        (MINIMAL + HOURS.replace('"09:30"', '"24:00"'), "schedule.open"),
        (MINIMAL + HOURS.replace('"09:30"', "09:30:00"), "schedule.open"),
        (MINIMAL + HOURS.replace("09:30", "16:00"), "schedule: close must be later than open"),
        (MINIMAL + HOURS + 'pre_open = "10:00"', "schedule: open must be later than pre_open"),
        (MINIMAL + HOURS + 'lunch = "12:00"', "schedule.lunch"),
        (MINIMAL + HOURS + "days = []", "schedule.days"),
        (MINIMAL + HOURS + 'days = ["monday"]', "schedule.days.0"),
        (MINIMAL + HOURS + 'holidays = ["2026-12-25"]', "schedule.holidays.0: a date like"),
        (MINIMAL + HOURS + "holidays = [2026-12-25T00:00:00]", "schedule.holidays.0"),
        (MINIMAL + '[[bots]]\nstrategy = "uniform"', "bots.0.client_id: it is missing"),
        (MINIMAL + '[[bots]]\nstrategy = "uniform"\nclient_id = "a b"', "bots.0.client_id"),
        ("initial_balance = 1e99999999999999999999\n" + MINIMAL, "balance: a finite number"),
        ('initial_balance = "1_0"\n' + MINIMAL, "initial_balance: a number is expected"),
        ('initial_balance = "1e5"\n' + MINIMAL, "initial_balance: a number is expected"),
        ('initial_balance = "١"\n' + MINIMAL, "initial_balance: a number is expected"),
        ('initial_balance = " 1"\n' + MINIMAL, "initial_balance: a number is expected"),
        ("initial_balance = true\n" + MINIMAL, "initial_balance: a number is expected"),
        (MINIMAL + "lot = 1.5", "securities.MSFT.lot: a whole number is expected"),
        (MINIMAL + "lot = 0", "securities.MSFT.lot: it must be at least 1"),
        (
            MINIMAL + 'colour = "red"',
            "securities.MSFT.colour: there is no such field; there are: reference_price, tick,",
        ),
        ("colour = 1\n" + MINIMAL, "colour: there is no such field; there are: initial_balance,"),
        (MINIMAL + HOURS + "lunch = 1", "there is no such field; there are: timezone, days, "),
        (MINIMAL + MINIMAL + "lot = 0", "securities.1.lot: it must be at least 1"),
        ('[[securities]]\nid = "a b"\nlot = 0', "securities.0.lot: it must be at least 1"),
        ("securities = [1]", "securities.0: named fields are expected"),
        ("bots = 1\n" + MINIMAL, "bots: a list is expected"),
        (MINIMAL + HOURS + "days = []", "schedule.days: at least 1 is needed"),
        ("securities = []", "securities: at least 1 is needed"),
        (MINIMAL + MINIMAL, "securities.1.id: MSFT is listed twice"),
        (
            MINIMAL + "tick = 0.9",
            "securities.MSFT.reference_price: a multiple of the tick 0.9 is expected",
        ),
        (
            MINIMAL.replace("420.00", "420.005"),
            "securities.MSFT.reference_price: a multiple of the tick 0.01 is expected",
        ),
        (
            MINIMAL + "lot = 10\nmax_order_quantity = 9",
            "securities.MSFT.max_order_quantity: it must be at least one lot, 10",
        ),
        (
            MINIMAL + "lot = 10\nmax_order_value = 4_199.99",
            "securities.MSFT.max_order_value: it must be at least the value of one lot, 4200.00",
        ),
        (
            MINIMAL + BOT + BOT,
            'bots.1.client_id: another bot has "one"; each needs an account of its own',
        ),
        (
            MINIMAL + BOT + 'securities = ["MSFT", "AAPL"]',
            'bots.one.securities.1: "AAPL" is not listed; there are: MSFT',
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_reason(
    tmp_path: Path, text: str, problem: str
) -> None:
    with pytest.raises(MarketFileError) as refusal:
        load(tmp_path, text)

    assert str(tmp_path / "exchange.toml") in str(refusal.value)
    assert problem in str(refusal.value)


def test_terms_on_the_edge_can_be_used(tmp_path: Path) -> None:
    load(tmp_path, MINIMAL + "lot = 10\nmax_order_quantity = 10\nmax_order_value = 4_200")
    load(tmp_path, MINIMAL + "tick = 0.7")


@pytest.mark.parametrize(
    ("numeral", "amount"),
    [('"10"', "10"), ('"+10.50"', "10.50"), ("1e2", "100"), ("1_000", "1000"), ('"-0"', "0")],
)
def test_an_amount_is_a_number_or_a_plain_numeral_in_quotes(
    tmp_path: Path, numeral: str, amount: str
) -> None:
    assert load(tmp_path, f"initial_balance = {numeral}\n{MINIMAL}").initial_balance == Decimal(
        amount
    )


def test_a_bot_has_a_strategy_of_those_that_there_are(tmp_path: Path) -> None:
    path = tmp_path / "exchange.toml"
    path.write_text(MINIMAL + BOT, encoding="utf-8")
    assert load_market(path).bots == load_market(path, ["uniform"]).bots
    with pytest.raises(MarketFileError) as refusal:
        load_market(path, ["flood", "retail"])
    assert str(refusal.value) == (
        f'{path}: bots.one.strategy: "uniform" is no strategy; there are: flood, retail'
    )


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MarketFileError, match="No such file"):
        load_market(tmp_path / "missing.toml")
    with pytest.raises(MarketFileError, match="digits"):
        load(tmp_path, f"initial_balance = {'1' * 5_000}\n{MINIMAL}")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MarketFileError, match=r"binary\.toml"):
        load_market(tmp_path / "binary.toml")
