"""What the gateway counts."""

from collections.abc import Callable

from exchange_shared.metrics import Metrics


class GatewayMetrics(Metrics):
    """The gateway's own numbers beside those of every service."""

    def __init__(self) -> None:
        super().__init__()
        self.orders = self.counter("orders_sequenced", "Orders handed to the matching engine")
        self.refused = self.counter("orders_denied", "Orders refused by the gateway", "code")
        self.answer_seconds = self.latency(
            "answer", "From the arrival of a request to the engine's answer"
        )

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Show a number that is asked for when the page is read."""
        self.gauge(name, text).set_function(value)
