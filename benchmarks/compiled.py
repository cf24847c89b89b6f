"""The core compiled by mypyc, in a folder that is thrown away: the source is the same."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]


class CannotCompile(Exception):
    """There is no compiler here, or the build failed."""


@contextmanager
def compiled_engine() -> Iterator[dict[str, str]]:
    """The environment in which a Python imports the compiled engine.

    Raises:
        CannotCompile: says what the build said last.
    """
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(
            [str(ROOT / "scripts" / "compile-engine"), sys.executable, directory],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CannotCompile((done.stderr.strip() or "no reason was told").splitlines()[-1])
        yield {**os.environ, "PYTHONPATH": directory}
