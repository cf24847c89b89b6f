"""What a person sees of a running exchange: on the terminal, and of its page."""

import re
import shlex

import httpx
import pytest

from tests.support.processes import wait_until
from tests.support.stack import OPERATOR_KEY, EmbeddedStack, postgres_over

LINE = re.compile(
    r"^  \d\d:\d\d:\d\d  [\d,]+ orders?, [\d,]+ trades? \| .*MSFT .*% .*\| \w+ leads with [+-]",
    re.MULTILINE,
)


def test_a_running_exchange_shows_a_line_now_and_then() -> None:
    with EmbeddedStack(bots=True) as stack:
        wait_until(lambda: LINE.search(stack.output()) is not None, "a line")
        said = stack.output()
    assert "Operator        has the key in EXCHANGE_OPERATOR_KEY" in said
    assert OPERATOR_KEY not in said
    assert "\x1b" not in said


@pytest.mark.parametrize(("host", "here"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]")])  # noqa: S104
def test_page_and_banner_name_addresses_that_can_be_opened(host: str, here: str) -> None:
    settings = {"EXCHANGE_HOST": host, "EXCHANGE_QUIET": "1", "EXCHANGE_OPERATOR_KEY": ""}
    with EmbeddedStack(settings=settings) as stack:
        port = stack.gateway_url.rpartition(":")[2]
        feed_port = stack.feed_url.rpartition(":")[2]
        page = httpx.get(f"http://{here}:{feed_port}/", trust_env=False).text
        wait_until(lambda: "Ctrl-C stops it" in stack.output(), "the welcome")
        said = stack.output()
    assert f'data-gateway-url="" data-gateway-port="{port}"' in page
    assert f"http://{here}:{feed_port}/" in said
    assert f"http://{here}:{port}/docs" in said
    place = shlex.quote(str(stack.data_dir.resolve()))
    assert f"`EXCHANGE_DATA_DIR={place} .venv/bin/exchange key operator` shows" in said
    assert f"Ctrl-C stops it; `DATA_DIR={place} make run` goes on where it was." in said
    for nowhere in ("0.0.0.0", "[::]"):  # noqa: S104
        assert nowhere not in said
        assert nowhere not in page


def test_the_page_looks_for_the_gateway_where_it_is_told_to() -> None:
    settings = {"EXCHANGE_GATEWAY_URL": "https://trade.example/api", "EXCHANGE_QUIET": "1"}
    with EmbeddedStack(settings=settings) as stack:
        page = httpx.get(f"{stack.feed_url}/", trust_env=False).text
    assert 'data-gateway-url="https://trade.example/api"' in page


PLACES = ["with spaces/and 'quotes' \"$HOME\" `x` é, ü;%2F&?#", "/".join(["long" * 20] * 3)]


@pytest.mark.parametrize("data_dir", PLACES)
def test_data_are_kept_wherever_a_person_likes(data_dir: str) -> None:
    with EmbeddedStack(data_dir=data_dir) as stack:
        alice = {"client_id": "alice", "api_key": "key-of-alice-0123456789"}
        httpx.post(f"{stack.gateway_url}/clients", json=alice, trust_env=False).raise_for_status()
        stack.kill()
        stack.start()
        assert stack.stop() == 0
        assert postgres_over(stack.data_dir) == []
        stack.start()
        leaders = httpx.get(f"{stack.feed_url}/leaderboard", trust_env=False).json()
    assert [leader["client_id"] for leader in leaders] == ["alice"]
    assert postgres_over(stack.data_dir) == []
