"""Runs the matching engine as a process of its own: `python -m matching_engine`."""

from functools import partial

from exchange_shared.messages import MATCHING_ENGINE
from exchange_shared.runner import run_service
from exchange_shared.settings import read_settings
from matching_engine.service import MatchingEngineSettings, open_matching_engine


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = read_settings(MatchingEngineSettings)
    run_service(MATCHING_ENGINE, settings, partial(open_matching_engine, settings))


if __name__ == "__main__":
    main()
