"""What is run for a change is the same everywhere, and on the broker of the compose file."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.paths import ROOT

RUN = (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def jobs() -> dict[str, Any]:
    """The jobs of the workflow."""
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    return yaml.safe_load(workflow)["jobs"]


def test_the_workflow_runs_the_parts_of_the_script(jobs: dict[str, Any]) -> None:
    parts = re.findall(r"^part (\S+)$", RUN, re.MULTILINE)
    commands = [step["run"] for step in jobs["everything"]["steps"] if "run" in step]
    assert commands == [f"make {part}" for part in parts]
    assert len(parts) == 4


def test_the_contract_is_tested_on_the_broker_of_the_compose_file(jobs: dict[str, Any]) -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    service = jobs["broker"]["services"]["rabbitmq"]
    assert service["image"] == compose["services"]["rabbitmq"]["image"]


MAKE = """#!/bin/sh
case $1 in
  check) echo "Success: no issues found" ;;
  test) echo "=== 1 failed, 40 passed, 2 skipped in 9.50s (0:00:09) ==="; exit 2 ;;
  *) echo "=== short test summary info ==="; echo "=== 225 passed, 7 deselected in 28.86s ===" ;;
esac
"""
"""A make that does nothing and tells what the real one could."""


def test_the_script_tells_how_many_tests_ran_and_fails_with_its_parts(tmp_path: Path) -> None:
    make = tmp_path / "make"
    make.write_text(MAKE)
    make.chmod(0o755)
    done = subprocess.run(
        [ROOT / ".ci" / "run"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    told = re.sub(r" +\d+ s\b", " N s", done.stdout).splitlines()[-5:]
    assert done.returncode == 1
    assert [line.rstrip() for line in told] == [
        "make check N s",
        "make coverage N s  225 passed, 7 deselected",
        "make test-compiled N s  225 passed, 7 deselected",
        "make test N s  1 failed, 40 passed, 2 skipped",
        "490 tests passed in N s; the last part failed",
    ]
