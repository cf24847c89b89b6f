"""`python -m order_entry_gateway`: one gateway as this process."""

from exchange_shared.runner import run_service
from exchange_shared.settings import read_settings
from order_entry_gateway.service import GatewaySettings, open_order_entry_gateway


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = read_settings(GatewaySettings)
    run_service(
        "order-entry-gateway",
        settings,
        lambda bus, health: open_order_entry_gateway(settings, bus, health=health),
    )


if __name__ == "__main__":
    main()
