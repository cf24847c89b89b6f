"""What the gateway reports, publishes and documents."""

from exchange_shared.messages import (
    BeginPhase,
    ConfigureMarket,
    FenceNode,
    ListSecurity,
    OrderReport,
)
from tests.support.bad_orders import GOOD_ORDER, OPTIONS
from tests.support.fake_engine import FakeEngine
from tests.support.gateways import (
    SELL,
    Gateway,
    order,
    order_reports,
)
from tests.support.memory_bus import MemoryBus


async def test_each_order_in_the_log_is_reported_as_confirmed(
    gateway: Gateway, bus: MemoryBus
) -> None:
    api_key = await gateway.open_account("alice")
    answer = await order(gateway, api_key, {**SELL, "client_order_id": "first"})
    assert await order_reports(bus, 1) == [
        OrderReport(
            time_us=0,
            status="confirmed",
            client_id="alice",
            order_id=answer.json()["order_id"],
            security_id="MSFT",
            side="sell",
            quantity=10,
            price_e4=4_205_000,
            client_order_id="first",
        )
    ]


async def test_a_denied_order_is_reported_with_its_well_formed_fields(
    gateway: Gateway, bus: MemoryBus
) -> None:
    api_key = await gateway.open_account("alice")
    answer = await order(gateway, api_key, {**SELL, "quantity": 0, "client_order_id": "first"})
    assert await order_reports(bus, 1) == [
        OrderReport(
            time_us=0,
            status="denied",
            client_id="alice",
            security_id="MSFT",
            side="sell",
            price_e4=4_205_000,
            client_order_id="first",
            reason="invalid_field",
            message=answer.json()["error"]["message"],
        )
    ]


async def test_the_market_is_published_before_anything_else(
    gateway: Gateway, engine: FakeEngine
) -> None:
    phase, fence, configure, microsoft, apple = engine.commands
    assert phase == BeginPhase(
        time_us=phase.time_us, schedule_id="", begins_us=0, phase="continuous"
    )
    assert fence == FenceNode(time_us=phase.time_us, request_id=configure.request_id - 1)
    assert configure == ConfigureMarket(
        time_us=configure.time_us,
        request_id=configure.request_id,
        initial_balance_e4=100_000_000,
        maker_fee_ppm=0,
        taker_fee_ppm=0,
        max_open_orders=1_000,
        min_display_ppm=10_000,
        orders_per_second=100,
        order_burst=200,
        max_time_step_us=60_000_000,
    )
    assert microsoft == ListSecurity(
        time_us=configure.time_us,
        request_id=configure.request_id + 1,
        security_id="MSFT",
        tick_e4=100,
        reference_price_e4=4_200_000,
        granted_quantity=100,
        halt_us=30_000_000,
        auction_us=30_000_000,
    )
    assert apple.security_id == "AAPL"


async def test_the_root_leads_to_the_api_page_which_needs_no_other_site(gateway: Gateway) -> None:
    page = await gateway.http.get("/", follow_redirects=True)
    assert page.url.path == "/docs"
    assert page.status_code == 200
    assert "https://" not in page.text


async def test_the_openapi_page_describes_bodies_and_answers(gateway: Gateway) -> None:
    paths = (await gateway.http.get("/openapi.json")).json()["paths"]
    assert {"/clients", "/orders", "/orders/batch", "/orders/{order_id}"} <= set(paths)
    post = paths["/orders"]["post"]
    schema = post["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["properties"]) == set(GOOD_ORDER) | OPTIONS
    assert {"200", "201", "202", "401", "422", "503"} <= set(post["responses"])
    fills = post["responses"]["201"]["content"]["application/json"]["schema"]["properties"]["fills"]
    assert set(fills["items"]["properties"]) == {"trade_id", "price", "quantity", "fee"}
    admin = {path: set(calls) for path, calls in paths.items() if path.startswith("/admin/")}
    assert admin == {
        "/admin/securities": {"post"},
        "/admin/state": {"post"},
        "/admin/status": {"get"},
        "/admin/clock": {"post"},
        "/admin/clients/{client_id}/limits": {"put"},
        "/admin/clients/{client_id}/kill-switch": {"put"},
    }
    listing = paths["/admin/securities"]["post"]["requestBody"]["content"]["application/json"]
    assert {"security_id", "reference_price", "lot", "static_band_percent"} <= set(
        listing["schema"]["properties"]
    )


async def test_the_metrics_count_orders_and_denials(gateway: Gateway) -> None:
    api_key = await gateway.open_account("alice")
    await order(gateway, api_key, SELL)
    await order(gateway, api_key, {})
    page = (await gateway.http.get("/metrics")).text
    assert "exchange_orders_sequenced_total 1.0" in page
    assert 'exchange_orders_denied_total{code="missing_field"} 1.0' in page
    assert "exchange_waiting_requests 0.0" in page
