"""`python -m clearinghouse`: run the clearinghouse until SIGTERM."""

from functools import partial

from clearinghouse.service import NAME, ClearinghouseSettings, open_clearinghouse
from exchange_shared.runner import run_service
from exchange_shared.settings import read_settings


def main() -> None:
    """Run with the settings of the environment."""
    settings = read_settings(ClearinghouseSettings)
    run_service(NAME, settings, partial(open_clearinghouse, settings))


if __name__ == "__main__":
    main()
