"""Starts the program `exchange`."""

import signal


def main() -> None:
    """Run it. Until it has been loaded, Ctrl-C ends it at once and without a word."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from exchange_cli.command_line import run_command_line

    signal.signal(signal.SIGINT, signal.default_int_handler)
    run_command_line()


if __name__ == "__main__":
    main()
