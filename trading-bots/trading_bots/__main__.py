"""Runs one bot as a process; `EXCHANGE_BOT_STRATEGY` says which."""

import asyncio

import structlog

from exchange_shared.invariants import refuse_optimized
from exchange_shared.logs import configure_logs
from exchange_shared.settings import read_settings
from exchange_shared.signals import stop_signal
from trading_bots.bot import run_bot
from trading_bots.errors import ExchangeError
from trading_bots.settings import BotSettings

log = structlog.get_logger()


async def _run(settings: BotSettings) -> None:
    await run_bot(settings, stop_signal())


def main() -> None:
    """Trade until SIGTERM or SIGINT; exits with code 1 when the exchange refuses the bot."""
    refuse_optimized()
    settings = read_settings(BotSettings)
    configure_logs(settings.log_level, settings.log_format)
    try:
        asyncio.run(_run(settings))
    except ExchangeError as error:
        log.error("bot_refused", client_id=settings.account_id, reason=str(error))
        raise SystemExit(1) from error
    log.info("bot_stopped", client_id=settings.account_id)


if __name__ == "__main__":
    main()
