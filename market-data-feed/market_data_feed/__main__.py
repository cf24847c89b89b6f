"""Run the feed as a process: `python -m market_data_feed`."""

from functools import partial

from exchange_shared.runner import run_service
from exchange_shared.settings import read_settings
from market_data_feed.service import open_market_data_feed
from market_data_feed.settings import SERVICE, MarketDataFeedSettings


def main() -> None:
    """Run until SIGTERM."""
    settings = read_settings(MarketDataFeedSettings)
    run_service(SERVICE, settings, partial(open_market_data_feed, settings))


if __name__ == "__main__":
    main()
