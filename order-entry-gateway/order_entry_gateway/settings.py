"""The gateway's settings."""

from pathlib import Path

from pydantic import Field, SecretStr

from exchange_shared.settings import OperatorSettings, market_path

SERVICE = "order-entry-gateway"
"""What the gateway is called, among the services and on the message bus."""


class GatewaySettings(OperatorSettings):
    """Read from environment variables that begin with `EXCHANGE_`. A limit of 0 turns it off."""

    port: int = Field(default=2400, ge=0, le=65_535)
    """The port to listen on; 0 takes a free one."""

    market_file: Path = Field(default_factory=market_path)
    """The market's configuration, which the gateway hands to the matching engine at its start."""

    market_dsn: SecretStr | None = None
    """The database `market_data`, as a role that may read; without it the keys are learnt from the
    beginning of `data_feed`."""

    node_lease_seconds: float = Field(default=10.0, ge=1)
    """For how long this gateway has one of the 16 nodes without telling `market_data` that it is
    alive. When that cannot be told, it takes no requests after seven tenths of it."""

    answer_seconds: float = Field(default=2.0, gt=0)
    """How long a request waits for the matching engine before it is answered as pending."""

    clock_tick_seconds: float = Field(default=1.0, ge=0, le=5)
    """How often the matching engine is told the time, so that orders expire and halts end when
    nobody trades, and a clock that is ahead is contradicted. With 0 it is never told, nor of the
    phases of the schedule after the first, and after a long stop its clock has to be confirmed."""

    max_waiting_requests: int = Field(default=100_000, ge=1)
    """Requests that may wait for the matching engine; beyond it new ones are refused."""

    max_unpublished_records: int = Field(default=100_000, ge=1)
    """Commands, and as many reports, that may wait for the message bus."""

    max_queued_orders: int = Field(default=2_500, ge=1)
    """Orders of all clients that may wait for their turn, as many of each as places are free."""

    max_unanswered_orders: int = Field(default=200, ge=1)
    """Orders that may be at the matching engine at a time; the others wait here, for their turn."""

    max_lag_seconds: float = Field(default=0.5, ge=0)
    """When the matching engine's answers are later than this, no orders are taken in, but cancels
    are."""

    frames_per_second: int = Field(default=1_000, ge=0)
    """Messages from one WebSocket session, or each begun 4 KiB of a long one; twice as many may
    come at once."""

    refusals_per_second: int = Field(default=100, ge=0)
    """What this gateway refuses of one client: five times as many at once. Whose session goes on
    is closed, and kept out until there is room for all of them again."""

    denials_per_second: int = Field(default=20, ge=0)
    """Orders of one client that were refused here and are reported on `data_feed`: five times as
    many at once. The others are only counted."""

    new_clients_per_second: int = Field(default=20, ge=0)
    """Accounts asked for from one IP address."""

    max_sessions: int = Field(default=1_000, ge=1)
    """WebSocket sessions at a time."""

    max_sessions_per_client: int = Field(default=20, ge=1)
    """WebSocket sessions of one client at a time."""

    login_seconds: float = Field(default=5.0, gt=0)
    """How long a WebSocket session may take to log in."""

    session_queue_bytes: int = Field(default=1024 * 1024, ge=1)
    """What may wait to be sent to a session; beyond it the session is closed as `slow_consumer`.
    One frame alone may be longer."""

    slow_consumer_seconds: float = Field(default=5.0, gt=0)
    """How long such a session may take to read why it is closed."""

    max_remembered_orders: int = Field(default=1_000_000, ge=1)
    """Open orders of which the `client_order_id` is remembered for execution reports."""

    max_remembered_fills: int = Field(default=200_000, ge=1)
    """Fills, of all orders, that are remembered for answers about orders that came before."""

    max_fills_of_order: int = Field(default=100, ge=1)
    """How many of them may be of one order: its latest."""
