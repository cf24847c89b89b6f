"""What a person at the terminal is told."""

import io
import os
import sys


def speak_plainly() -> None:
    """Letters that the terminal's encoding has not are written as escapes, not refused."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """Show a text at once, while anybody reads: a pipe may end before the exchange does."""
    try:
        print(text, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
