"""Two traders on the whole exchange, by the public API alone."""

import asyncio

import asyncpg
import httpx
import msgspec
import websockets

from tests.e2e.conftest import RunningExchange
from tests.support.stack import OPERATOR_KEY


def key(client_id: str) -> dict[str, str]:
    return {"Authorization": f"Bearer key-of-client-{client_id}"}


async def open_account(http: httpx.AsyncClient, exchange: RunningExchange, client_id: str) -> int:
    """Open an account; the `seq` of the answer."""
    answer = await http.post(
        f"{exchange.gateway_url}/clients",
        json={"client_id": client_id, "api_key": f"key-of-client-{client_id}"},
    )
    assert answer.status_code == 201, answer.text
    assert answer.json()["balance"] == 10_000
    assert answer.json()["holdings"]["MSFT"] == 100
    seq: int = answer.json()["seq"]
    return seq


async def order(
    http: httpx.AsyncClient, exchange: RunningExchange, client_id: str, **fields: object
) -> httpx.Response:
    body = {"security_id": "MSFT", "type": "limit", **fields}
    return await http.post(f"{exchange.gateway_url}/orders", json=body, headers=key(client_id))


async def test_a_trade_prints_once_at_the_resting_price_and_settles_to_the_cent(
    exchange: RunningExchange,
) -> None:
    async with httpx.AsyncClient() as http:
        await open_account(http, exchange, "alice")
        await open_account(http, exchange, "bob")
        resting = await order(http, exchange, "alice", side="sell", quantity=10, price=420.5)
        assert resting.status_code == 201
        assert resting.json()["status"] == "new"
        incoming = await order(http, exchange, "bob", side="buy", quantity=4, price="421.00")
        assert incoming.status_code == 201
        answer = incoming.json()
        assert answer["status"] == "filled"
        assert [(fill["price"], fill["quantity"]) for fill in answer["fills"]] == [(420.5, 4)]

        # bob paid 4 x 420.50 and, as the taker, a tenth of a basis point of it
        seq = {"min_seq": answer["seq"]}
        feed = exchange.feed_url
        bob = await http.get(f"{feed}/balance/bob", params=seq, headers=key("bob"))
        assert bob.json()["balance"] == 10_000 - 1_682 - 0.0168
        alice = await http.get(f"{feed}/balance/alice", params=seq, headers=key("alice"))
        assert alice.json()["balance"] == 11_682
        shares = await http.get(f"{feed}/holdings/MSFT/bob", params=seq, headers=key("bob"))
        assert shares.json()["quantity"] == 104
        shares = await http.get(f"{feed}/holdings/MSFT/alice", params=seq, headers=key("alice"))
        assert (shares.json()["quantity"], shares.json()["held"]) == (96, 6)

        trades = (await http.get(f"{feed}/trades/MSFT")).json()
        assert [(trade["price"], trade["quantity"]) for trade in trades] == [(420.5, 4)]
        book = (await http.get(f"{feed}/book/MSFT")).json()
        assert (book["bids"], book["asks"]) == ([], [[420.5, 6, 1]])
        price = (await http.get(f"{feed}/price/MSFT")).json()
        assert (price["bid"], price["ask"], price["last"]) == (None, 420.5, 420.5)
    connection = await asyncpg.connect(exchange.clearing_dsn)
    sums = await connection.fetch("SELECT asset, sum(balance) AS total FROM account GROUP BY asset")
    await connection.close()
    assert {row["asset"]: row["total"] for row in sums} == dict.fromkeys(
        ["cash", "MSFT", "AAPL", "TSLA", "JPM", "SHEL"], 0
    )
    await exchange.assert_nothing_lost_or_doubled()


async def test_nobody_cancels_the_order_of_another(exchange: RunningExchange) -> None:
    async with httpx.AsyncClient() as http:
        await open_account(http, exchange, "alice")
        await open_account(http, exchange, "mallory")
        placed = await order(http, exchange, "alice", side="buy", quantity=1, price=400)
        url = f"{exchange.gateway_url}/orders/{placed.json()['order_id']}"
        foreign = await http.delete(url, headers=key("mallory"))
        unknown = await http.delete(f"{exchange.gateway_url}/orders/1", headers=key("mallory"))
        assert (foreign.status_code, unknown.status_code) == (404, 404)
        assert foreign.json()["error"]["code"] == unknown.json()["error"]["code"]
        own = await http.delete(url, headers=key("alice"))
        assert own.status_code == 200


async def test_prices_stream_and_a_session_trades(exchange: RunningExchange) -> None:
    async with httpx.AsyncClient() as http:
        await open_account(http, exchange, "alice")
    gateway = exchange.gateway_url.replace("http", "ws", 1)
    feed = exchange.feed_url.replace("http", "ws", 1)
    async with (
        websockets.connect(f"{feed}/stream/price?security_id=MSFT") as prices,
        websockets.connect(f"{gateway}/ws", additional_headers=key("alice")) as session,
    ):
        first = msgspec.json.decode(await prices.recv())
        assert first["security_id"] == "MSFT"
        assert first["bid"] is None
        bid = {"security_id": "MSFT", "side": "buy", "type": "limit", "quantity": 1, "price": 400}
        frame = {"type": "batch", "ref": 7, "orders": [bid, {**bid, "price": 400.001}]}
        await session.send(msgspec.json.encode(frame).decode())
        answers = None
        while answers is None:
            message = msgspec.json.decode(await session.recv())
            if message["type"] == "batch":
                assert message["ref"] == 7
                answers = message["answers"]
        assert answers[0]["status"] == "new"
        assert answers[1]["error"]["code"] == "price_off_tick"
        change = msgspec.json.decode(await prices.recv())
        assert (change["bid"], change["bid_quantity"]) == (400, 1)


async def test_the_operator_sees_every_account_and_others_only_their_own(
    exchange: RunningExchange,
) -> None:
    async with httpx.AsyncClient() as http:
        await open_account(http, exchange, "alice")
        seq = {"min_seq": await open_account(http, exchange, "bob")}
        url = f"{exchange.feed_url}/balance/alice"
        own = await http.get(url, params=seq, headers=key("alice"))
        operator = await http.get(
            url, params=seq, headers={"Authorization": f"Bearer {OPERATOR_KEY}"}
        )
        assert own.json() == operator.json()
        other = await http.get(url, headers=key("bob"))
        assert other.status_code == 403
        nobody = await http.get(url)
        assert nobody.status_code == 401


async def read_together(http: httpx.AsyncClient, exchange: RunningExchange, client_id: str) -> dict:
    """An account right now, whose figures must belong together."""
    while True:
        url = f"{exchange.feed_url}/accounts/{client_id}"
        answer = await http.get(url, headers=key(client_id))
        if answer.status_code == 200:
            break
        assert answer.json()["error"]["code"] in ("unknown_api_key", "unknown_client", "not_ready")
    account: dict = answer.json()
    assert account["available"] == round(account["balance"] - account["held"], 4)
    made = account["realised_profit"] + account["unrealised_profit"]
    assert abs(account["profit"] - made) < 0.0001
    return account


async def buy_and_read(http: httpx.AsyncClient, exchange: RunningExchange, name: str) -> None:
    """Open an account and trade; after each answer read at once, without `min_seq`."""
    await open_account(http, exchange, name)
    assert (await read_together(http, exchange, name))["profit"] == 0
    bought = await order(http, exchange, name, side="buy", quantity=2, price=420.5)
    assert bought.json()["status"] == "filled"
    while (account := await read_together(http, exchange, name))["seq"] < bought.json()["seq"]:
        assert account["balance"] in (10_000, 10_000 - 841 - 0.0084)
    assert account["balance"] == 10_000 - 841 - 0.0084
    (msft,) = (held for held in account["holdings"] if held["security_id"] == "MSFT")
    assert msft["quantity"] == 102


async def test_figures_read_right_after_an_order_belong_together(
    exchange_on_servers: RunningExchange,
) -> None:
    exchange = exchange_on_servers
    async with httpx.AsyncClient(timeout=30) as http:
        await open_account(http, exchange, "maker")
        await order(http, exchange, "maker", side="sell", quantity=10, price=420.5)
        await buy_and_read(http, exchange, "first")
        await asyncio.to_thread(exchange.stack.stop, "clearinghouse")
        await buy_and_read(http, exchange, "second")
        while (maker := await read_together(http, exchange, "maker"))["volume"] < 4:
            pass
        assert maker["balance"] == 10_000 + 4 * 420.5
        await asyncio.to_thread(exchange.stack.start, "clearinghouse")
        seq = {"min_seq": maker["seq"]}
        url = f"{exchange.feed_url}/balance/maker"
        settled = await http.get(url, params=seq, headers=key("maker"))
        assert settled.json()["balance"] == maker["balance"]
    await exchange.assert_nothing_lost_or_doubled()
