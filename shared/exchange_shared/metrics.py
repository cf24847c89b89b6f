"""Prometheus metrics: one registry per service, because `make run` has them all in one process."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

LATENCY_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Metrics:
    """What every service counts, and the registry for what it counts beside that."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.undecodable = self.counter(
            "undecodable_records", "Records that could not be read, by queue", "queue"
        )

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
