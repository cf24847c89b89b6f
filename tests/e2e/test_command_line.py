"""The program `exchange`, as a person runs it."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from exchange_shared.auth import public_bot_key
from tests.e2e.conftest import RunningExchange
from tests.support.paths import ROOT
from tests.support.processes import free_port
from tests.support.stack import EmbeddedStack
from trading_bots.strategies import STRATEGIES


async def run(exchange: RunningExchange, *arguments: str, **settings: str) -> tuple[int, str]:
    """Run the program on an embedded exchange's data; its exit code and everything it said."""
    return await run_on(exchange.stack, *arguments, **settings)


async def run_on(stack: EmbeddedStack, *arguments: str, **settings: str) -> tuple[int, str]:
    """The same, on those of a stack."""

    def wait() -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "exchange_cli", *arguments],
            env={**stack.environment, **settings},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout

    return await asyncio.to_thread(wait)


async def test_a_running_a_killed_and_a_stopped_exchange_verify(
    embedded_exchange: RunningExchange,
) -> None:
    code, said = await run(embedded_exchange, "verify")
    assert (code, said.splitlines()[-1]) == (0, "16 of 16 checks hold.")
    await asyncio.to_thread(embedded_exchange.stack.kill)
    code, said = await run(embedded_exchange, "verify")
    assert (code, said.splitlines()[-1]) == (0, "16 of 16 checks hold.")
    await asyncio.to_thread(embedded_exchange.stack.start)
    await asyncio.to_thread(embedded_exchange.stack.stop)
    code, said = await run(embedded_exchange, "verify")
    assert (code, said.splitlines()[-1]) == (0, "16 of 16 checks hold.")
    assert "1 snapshots" in said


async def test_a_port_that_is_taken_is_named(embedded_exchange: RunningExchange) -> None:
    code, said = await run(embedded_exchange, "run")
    assert code == 1
    assert said.startswith("exchange: 127.0.0.1:")
    assert said.strip().endswith(
        "Address already in use; set GATEWAY_PORT (EXCHANGE_GATEWAY_PORT) to another"
    )


async def test_two_exchanges_do_not_share_their_data(embedded_exchange: RunningExchange) -> None:
    ports = {"EXCHANGE_GATEWAY_PORT": str(free_port()), "EXCHANGE_FEED_PORT": str(free_port())}
    code, said = await run(embedded_exchange, "run", **ports)
    assert code == 1
    assert "in use by another process" in said
    assert "Traceback" not in said


async def test_a_wrong_market_file_is_told_with_the_setting(
    embedded_exchange: RunningExchange, tmp_path: Path
) -> None:
    market = tmp_path / "market.toml"
    market.write_text('[[securities]]\nid = "msft"\nreference_price = 0\n', encoding="utf-8")
    code, said = await run(embedded_exchange, "run", EXCHANGE_MARKET_FILE=str(market))
    assert code == 1
    assert "securities.0.id" in said
    assert "securities.msft.reference_price" in said


async def refusal(tmp_path: Path, **settings: str) -> str:
    """What a start without data says that is refused before it makes any."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "exchange_cli", "run"],
        env={**os.environ, "EXCHANGE_DATA_DIR": str(tmp_path / "data"), **settings},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert not (tmp_path / "data").exists()
    return done.stderr


async def test_what_is_wrong_is_told_before_anything_starts(tmp_path: Path) -> None:
    market = tmp_path / "market.toml"
    market.write_text(
        '[[securities]]\nid = "MSFT"\nreference_price = 1\n'
        '[[bots]]\nstrategy = "nope"\nclient_id = "one"\n',
        encoding="utf-8",
    )
    assert await refusal(tmp_path, EXCHANGE_MARKET_FILE=str(market)) == (
        f'exchange: {market}: bots.one.strategy: "nope" is no strategy;'
        f" there are: {', '.join(STRATEGIES)}\n"
    )
    assert await refusal(tmp_path, EXCHANGE_OPERATOR_KEY="short") == (
        "exchange: EXCHANGE_OPERATOR_KEY: 16 or more printable ASCII characters without spaces are"
        " expected\n"
    )


@pytest.mark.parametrize(
    ("setting", "value", "rule"),
    [
        ("EXCHANGE_HEAD_SECONDS", "x", "a number is expected, like 10.5"),
        ("EXCHANGE_MAX_CONNECTIONS", "1", "it must be at least 2"),
        ("EXCHANGE_NODE_LEASE_SECONDS", "0", "it must be at least 1.0"),
        ("EXCHANGE_CLOCK_TICK_SECONDS", "9", "it must be at most 5.0"),
    ],
)
async def test_a_wrong_setting_of_a_service_is_told_before_anything_starts(
    tmp_path: Path, setting: str, value: str, rule: str
) -> None:
    assert await refusal(tmp_path, **{setting: value}) == f"exchange: {setting}: {rule}\n"


async def test_the_keys_of_the_operator_and_of_bots_are_shown() -> None:
    own = {"EXCHANGE_OPERATOR_KEY": "", "EXCHANGE_BOT_SECRET": "", "EXCHANGE_QUIET": "1"}
    with EmbeddedStack(bots=True, settings=own) as stack:
        operator, bot = [
            (await run_on(stack, "key", name))[1].strip() for name in ("operator", "market_maker")
        ]
        async with httpx.AsyncClient(trust_env=False) as http:

            async def ask(url: str, key: str) -> tuple[int, str]:
                answer = await http.get(url, headers={"Authorization": f"Bearer {key}"})
                return answer.status_code, answer.text

            assert (await ask(f"{stack.gateway_url}/admin/status", operator))[0] == 200
            assert (await ask(f"{stack.gateway_url}/admin/status", bot))[0] == 403
            assert (await ask(f"{stack.feed_url}/balance/market_maker", bot))[0] == 200
            public = public_bot_key("market_maker")
            assert (await ask(f"{stack.feed_url}/balance/market_maker", public))[0] == 401
        code, said = await run_on(stack, "key", "alice")
        assert (code, said.startswith("exchange: alice: ")) == (1, True)
        assert operator not in stack.output()
