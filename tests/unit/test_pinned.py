"""Which files may be installed: `constraints.txt`, and what `scripts/pinned.py` prints of it."""

import runpy
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.paths import ROOT

FOLDERS = [path.parent for path in sorted(ROOT.glob("*/pyproject.toml"))]
THIRD_PARTY = runpy.run_path(str(ROOT / "scripts" / "third_party.py"))["third_party"]
TEXT = (ROOT / "constraints.txt").read_text(encoding="utf-8")
TOOLS = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8").splitlines()
ROOTS = sorted({"hatchling", "editables", *TOOLS, *THIRD_PARTY(FOLDERS)})
"""Everything that anything asks for: to build, to develop and to run."""

FILE = """\
beta==2.0 ; sys_platform == 'win32' \\
    --hash=sha256:bb
    # via alpha, gamma
alpha==1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:ab
delta==4.0 \\
    --hash=sha256:dd
    # via beta
gamma==3.0 ; python_full_version < '3.12' \\
    --hash=sha256:cc
    # via delta
gamma==3.1 ; python_full_version >= '3.12' \\
    --hash=sha256:cd
    # via delta
other==5.0 \\
    --hash=sha256:ee
"""


def printed(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "scripts/pinned.py", *arguments]
    return subprocess.run(
        command, cwd=ROOT, input=given, capture_output=True, text=True, check=False
    )


def pinned(*requirements: str) -> dict[str, Requirement]:
    """What the script prints for these requirements and is for this Python, by name."""
    done = printed("constraints.txt", given="\n".join(requirements))
    assert done.returncode == 0, done.stderr
    lines = [line.rstrip("\\") for line in done.stdout.splitlines() if not line.startswith(" ")]
    pins = map(Requirement, lines)
    return {pin.name: pin for pin in pins if pin.marker is None or pin.marker.evaluate()}


def version(pin: Requirement) -> str:
    return str(pin.specifier).removeprefix("==")


@pytest.mark.parametrize("line", ROOTS)
def test_what_is_asked_for_is_pinned_to_a_version_that_will_do(line: str) -> None:
    wanted = Requirement(line)
    pin = pinned(line)[canonicalize_name(wanted.name)]
    assert wanted.specifier.contains(version(pin))


def test_nothing_is_pinned_that_nothing_asks_for() -> None:
    done = printed("constraints.txt", *ROOTS)
    pins = [line for line in TEXT.splitlines(keepends=True) if "# via" not in line]
    assert done.stdout == "".join(pins)


@pytest.mark.parametrize("line", ROOTS)
def test_with_a_package_comes_all_that_it_says_it_needs(line: str) -> None:
    """As the metadata of what is installed here say; what is for other platforms is not."""
    found = pinned(line)
    for name in found:
        try:
            needs = [Requirement(one) for one in requires(name) or []]
        except PackageNotFoundError:
            continue
        for need in needs:
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                pin = found[canonicalize_name(need.name)]
                assert need.specifier.contains(version(pin)), (name, need)


def test_lines_come_with_their_hashes_and_with_where_they_are_needed(tmp_path: Path) -> None:
    file = tmp_path / "constraints.txt"
    file.write_text(FILE)
    assert printed(str(file), "Alpha>=0.9").stdout == (
        "alpha==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:ab\n"
        "beta==2.0 ; sys_platform == 'win32' \\\n    --hash=sha256:bb\n"
        "delta==4.0 \\\n    --hash=sha256:dd\n"
        "gamma==3.0 ; python_full_version < '3.12' \\\n    --hash=sha256:cc\n"
        "gamma==3.1 ; python_full_version >= '3.12' \\\n    --hash=sha256:cd\n"
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("httpx\nno-such-package>=1", "constraints.txt pins no no-such-package"),
        ("./shared", "constraints.txt pins no ./shared"),
        ("# a comment\n\n", "nothing is asked for"),
    ],
)
def test_what_is_not_pinned_is_refused_by_its_name(given: str, said: str) -> None:
    done = printed("constraints.txt", given=given)
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stdout == ""
