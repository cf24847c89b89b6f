"""A run that is to prove something of the compiled core is refused on the interpreted one."""

import os
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES

import pytest

from tests.support.compiled_core import CORE_FILE, core_is_compiled
from tests.support.paths import ROOT


def test_machine_code_is_told_from_source() -> None:
    assert core_is_compiled(f"/site-packages/matching_engine/core/exchange{EXTENSION_SUFFIXES[0]}")
    assert not core_is_compiled("/site-packages/matching_engine/core/exchange.py")


@pytest.mark.skipif(core_is_compiled(), reason="these tests run on the compiled core")
def test_the_source_is_not_taken_for_the_compiled_core() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "tests/unit/matching_engine"],
        env={**os.environ, "EXPECT_COMPILED_CORE": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"the core is not compiled: it is {CORE_FILE}" in done.stderr
