"""The engine comes to the same events and states whatever seeds Python's hashes."""

import os
import subprocess
import sys

from tests.support.paths import ROOT
from tests.support.state_hashes import hashes_of_all_shapes


def test_the_state_does_not_depend_on_pythons_hash_seed() -> None:
    here = hashes_of_all_shapes()
    for hash_seed in ("0", "1", "4711"):
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.state_hashes"],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == here, f"PYTHONHASHSEED={hash_seed}"
