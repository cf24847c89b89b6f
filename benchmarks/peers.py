"""Other order books that Python can call, fed the same flows in throw-away environments.

They keep no accounts, hold nothing, and most report less; this engine does all of that in its
figure.
"""

import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

from benchmarks.core_flows import SCENARIOS

PEERS = {
    "bourse": "bourse",
    "lightmatchingengine": "lightmatchingengine",
    "pyorderbook": "pyorderbook",
    "order_matching": "order-matching[polars]",
}
"""Each peer's name here, and what pip installs."""

RUNNER = Path(__file__).with_name("peer_runner.py")
TIMEOUT_SECONDS = 120


def measure_peers(count: int) -> dict[str, Any]:
    """Operations a second of each peer in each scenario, or why there is no figure."""
    return {name: _measure(name, package, count) for name, package in PEERS.items()}


def _measure(name: str, package: str, count: int) -> dict[str, int | str] | str:
    with tempfile.TemporaryDirectory() as directory:
        venv.create(directory, with_pip=True)
        python = str(Path(directory) / "bin" / "python")
        install = [python, "-m", "pip", "install", "--quiet", package]
        if subprocess.run(install, capture_output=True, check=False).returncode:
            return "cannot be installed here"
        return {scenario: _rate(python, name, scenario, count) for scenario in SCENARIOS}


def _rate(python: str, name: str, scenario: str, count: int) -> int | str:
    try:
        done = subprocess.run(
            [python, str(RUNNER), name, scenario, str(count)],
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
            cwd=RUNNER.parent.parent,
        )
    except subprocess.TimeoutExpired:
        return f"not done within {TIMEOUT_SECONDS} s"
    if done.returncode:
        print(done.stderr[-2_000:], file=sys.stderr)
        return "failed"
    return round(json.loads(done.stdout)["operations_per_second"])
