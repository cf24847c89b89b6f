"""What the feed is called, and its settings."""

from pydantic import Field, SecretStr

from exchange_shared.settings import OperatorSettings

SERVICE = "market-data-feed"


class MarketDataFeedSettings(OperatorSettings):
    """Read from environment variables that begin with `EXCHANGE_`."""

    port: int = Field(default=2404, ge=0, le=65_535)
    """The port to listen on; 0 takes a free one."""

    market_dsn: SecretStr = SecretStr("postgresql://market_data_feed@127.0.0.1:5500/market_data")
    """The database `market_data`."""

    public_accounts: bool = False
    """Whether everybody may read every account."""

    gateway_url: str = ""
    """Where the page says the gateway is; by default on `gateway_port` of the page's own host."""

    gateway_port: int = Field(default=2400, ge=1, le=65_535)
    """The port of the gateway on the host by whose name the page was opened."""

    max_unstored_rows: int = Field(default=200_000, ge=1)
    """Rows that may wait for Postgres; beyond it the feed stops reading."""

    max_streams: int = Field(default=1_000, ge=2)
    """WebSocket clients at a time; half of them are for those who have shown a key."""

    max_streams_per_address: int = Field(default=250, ge=1)
    """WebSocket clients without a key from one address."""

    max_streams_per_client: int = Field(default=50, ge=1)
    """WebSocket clients with the key of one client."""

    max_waiting_reads: int = Field(default=1_000, ge=2)
    """Reads that wait for their `min_seq` at a time; half of them are for those with a key."""

    max_waiting_reads_per_caller: int = Field(default=100, ge=1)
    """Such reads of one client, or without a key of one address."""

    max_stream_backlog: int = Field(default=10_000, ge=1)
    """Messages that may wait for a WebSocket client; beyond it the client is closed."""
