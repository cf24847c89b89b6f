"""What `make run` hands on, wherever the repository lies."""

import shutil
import subprocess
from pathlib import Path

from tests.support.paths import ROOT

PROGRAM = """#!/bin/sh
echo "$@"
env | grep ^EXCHANGE_ | sort
"""


def test_make_runs_in_a_path_with_spaces_and_hands_on_its_short_names(tmp_path: Path) -> None:
    place = tmp_path / "die höhle, unten"
    (place / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", place)
    shutil.copy(ROOT / "constraints.txt", place)
    for project in ROOT.glob("*/pyproject.toml"):
        (place / project.parent.name).mkdir()
        shutil.copy(project, place / project.parent.name)
    python = place / ".venv" / "bin" / "python"
    python.write_text(PROGRAM, encoding="utf-8")
    python.chmod(0o755)
    for made in ("pyvenv.cfg", ".packages"):
        (place / ".venv" / made).touch()
    done = subprocess.run(
        ["make", "run", "QUIET=1", "DATA_DIR=my $$data"],
        cwd=place,
        env={"PATH": "/usr/bin:/bin", "BOTS": "0", "EXCHANGE_FEED_PORT": "3"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "-m exchange_cli run",
        "EXCHANGE_BOTS=0",
        "EXCHANGE_DATA_DIR=my $data",
        "EXCHANGE_FEED_PORT=3",
        "EXCHANGE_QUIET=1",
    ]
