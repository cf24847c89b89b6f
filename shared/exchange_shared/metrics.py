"""Prometheus metrics: one registry per service, because `make run` has them all in one process."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

LATENCY_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Registry:
    """Numbers that are shown on one page."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        """A number that only grows; Prometheus shows it as `exchange_<name>_total`."""
        return Counter(f"exchange_{name}", text, labels, registry=self.registry)

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """A number that goes up and down."""
        return Gauge(f"exchange_{name}", text, labels, registry=self.registry)

    def latency(self, name: str, text: str, *labels: str) -> Histogram:
        """A distribution of durations in seconds."""
        return Histogram(
            f"exchange_{name}_seconds",
            text,
            labels,
            registry=self.registry,
            buckets=LATENCY_BUCKETS,
        )

    def render(self) -> bytes:
        """The page that Prometheus reads."""
        return generate_latest(self.registry)


class Metrics(Registry):
    """What every service counts, and the registry for what it counts beside that."""

    def __init__(self) -> None:
        super().__init__()
        self.undecodable = self.counter(
            "undecodable_records", "Records that could not be read, by queue", "queue"
        )


class ConnectionMetrics(Registry):
    """What an HTTP server counts; it is there before its service is, and shown on the same page."""

    def __init__(self) -> None:
        super().__init__()
        self._open = self.gauge("connections", "Open connections, by whose they are", "kind")
        self.refused = self.counter(
            "connections_refused", "Requests refused because so many are at work", "limit"
        )
        self.evicted = self.counter(
            "connections_evicted", "Idle connections that were ended to make room", "limit"
        )
        self.timed_out = self.counter(
            "connections_timed_out", "Connections whose client was too slow, by with what", "with"
        )

    def watch(self, kind: str, count: Callable[[], int]) -> None:
        """Show how many connections of a kind are open when the page is read."""
        self._open.labels(kind).set_function(count)
