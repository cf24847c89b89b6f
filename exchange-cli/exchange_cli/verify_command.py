"""`exchange verify`: run the checks, and tell a person what was found."""

import asyncio
from contextlib import ExitStack
from pathlib import Path

from exchange_cli.embedded_postgres import embedded_postgres
from exchange_cli.places import DATA_DIR, UnusablePlace
from exchange_cli.settings import LocalSettings, read_local_settings
from exchange_cli.terminal import stop_by_exception
from exchange_cli.verify import Finding, verify
from exchange_shared.bus import open_bus
from exchange_shared.logs import configure_logs


def verify_exchange(
    bus_url: str | None,
    clearing_dsn: str | None,
    market_dsn: str | None,
    snapshots: str | None,
) -> int:
    """Check an exchange and print the findings; returns the exit code: 0 when everything holds.

    What is not given is that of the exchange in `EXCHANGE_DATA_DIR`.
    """
    settings = read_local_settings()
    configure_logs("warning", "text")
    if bus_url is None and not settings.log_path.exists():
        raise UnusablePlace(
            f"{DATA_DIR}: there is no exchange in {settings.data_dir}; say where it is, or give"
            " --bus, --clearing-dsn and --market-dsn"
        )
    stop_by_exception()
    with ExitStack() as stack:
        if clearing_dsn is None or market_dsn is None:
            postgres = stack.enter_context(embedded_postgres(settings.data_dir / "postgres"))
            clearing_dsn = clearing_dsn or postgres.get_uri("clearing_data")
            market_dsn = market_dsn or postgres.get_uri("market_data")
        findings = asyncio.run(
            _verify(
                bus_url or settings.bus_url,
                clearing_dsn,
                market_dsn,
                _snapshot_dir(snapshots, bus_url, settings),
            )
        )
    for finding in findings:
        print(f"{'ok   ' if finding.holds else 'WRONG'} {finding.check} ({finding.looked_at})")
        for problem in finding.problems:
            print(f"      {problem}")
        if finding.behind:
            print(f"      behind: {finding.behind}; what is in the log is done at the next start")
    wrong = sum(1 for finding in findings if not finding.holds)
    print(f"{len(findings) - wrong} of {len(findings)} checks hold.")
    return 1 if wrong else 0


def _snapshot_dir(given: str | None, bus_url: str | None, settings: LocalSettings) -> Path | None:
    """Another exchange's snapshots are not those in `EXCHANGE_DATA_DIR`."""
    if given is not None:
        return Path(given)
    return settings.snapshot_dir if bus_url is None else None


async def _verify(
    bus_url: str, clearing_dsn: str, market_dsn: str, snapshot_dir: Path | None
) -> list[Finding]:
    bus = await open_bus(bus_url, read_only=True)
    try:
        return await verify(bus, clearing_dsn, market_dsn, snapshot_dir)
    finally:
        await bus.close()
