"""Seeded streams of commands, as a busy market would send them."""

from collections.abc import Iterator
from random import Random

from exchange_shared.messages import (
    AnyCommand,
    CancelOrder,
    ConfigureMarket,
    ListSecurity,
    NewOrder,
    OpenAccount,
)

SECURITIES = ("MSFT", "AAPL", "SHEL")
REFERENCE_E4 = 1_000_000
TICK_E4 = 100


def market_commands(*, balance_e4: int = 100_000_000, clients: int = 6) -> list[AnyCommand]:
    """A configured market with three securities and some clients."""
    commands: list[AnyCommand] = [
        ConfigureMarket(
            time_us=1,
            request_id=1,
            initial_balance_e4=balance_e4,
            maker_fee_ppm=50,
            taker_fee_ppm=120,
        )
    ]
    commands += [
        ListSecurity(
            time_us=2,
            request_id=2,
            security_id=security_id,
            tick_e4=TICK_E4,
            reference_price_e4=REFERENCE_E4,
            granted_quantity=100,
        )
        for security_id in SECURITIES
    ]
    commands += [
        OpenAccount(time_us=3, request_id=3, client_id=f"client{number}", api_key_hash=f"{number}")
        for number in range(clients)
    ]
    return commands


def order_flow(seed: int, count: int, *, clients: int = 6) -> Iterator[AnyCommand]:
    """Orders of every kind around one price, cancels of earlier ones, repeats, and mistakes."""
    random = Random(seed)
    sent: list[NewOrder] = []
    for number in range(1, count + 1):
        client_id = f"client{random.randrange(clients)}"
        kind = random.random()
        if sent and kind < 0.2:
            victim = random.choice(sent[-50:])
            owner = victim.client_id if random.random() < 0.9 else client_id
            yield CancelOrder(
                time_us=number, request_id=number, client_id=owner, order_id=victim.order_id
            )
            continue
        if sent and kind < 0.25:
            again = random.choice(sent[-50:])
            yield NewOrder(
                time_us=number,
                order_id=number,
                client_id=again.client_id,
                security_id=again.security_id,
                side=again.side,
                order_type=again.order_type,
                quantity=again.quantity,
                price_e4=again.price_e4,
                client_order_id=again.client_order_id,
            )
            continue
        market = random.random() < 0.1
        price_e4 = REFERENCE_E4 + TICK_E4 * random.randint(-15, 15)
        if random.random() < 0.02:
            price_e4 += 1
        order = NewOrder(
            time_us=number,
            order_id=number,
            client_id=client_id if random.random() < 0.99 else "nobody",
            security_id=random.choice(SECURITIES) if random.random() < 0.99 else "GOOG",
            side=random.choice(("buy", "sell")),
            order_type="market" if market else "limit",
            quantity=random.randint(1, 30),
            price_e4=None if market else price_e4,
            time_in_force="ioc" if random.random() < 0.1 else "gtc",
            client_order_id=f"order {number}" if random.random() < 0.5 else None,
        )
        sent.append(order)
        yield order
