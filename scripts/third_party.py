"""Prints what packages need that is not ours, one requirement a line.

Usage: `python third_party.py DIRECTORY…`, with a `pyproject.toml` in each directory. What an extra
of one of them needs is among it when another one asks for the extra. It needs no package.
"""

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)\s*(?:\[([^]]*)\])?")
"""A name, and the extras that are asked for."""


def third_party(directories: list[Path]) -> list[str]:
    """The requirements of these packages, without those that are met by one of them."""
    projects: dict[str, dict[str, Any]] = {}
    for directory in directories:
        text = (directory / "pyproject.toml").read_text(encoding="utf-8")
        project = tomllib.loads(text)["project"]
        projects[_spelled(project["name"])] = project
    needed: set[str] = set()
    asked: set[tuple[str, str | None]] = set()
    waiting: list[tuple[str, str | None]] = [(name, None) for name in projects]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in asked:
            continue
        asked.add((name, extra))
        for line in _requirements(projects[name], extra):
            other, extras = _parts(line)
            if other in projects:
                waiting += [(other, wanted) for wanted in extras]
            else:
                needed.add(line)
    return sorted(needed)


def _parts(requirement: str) -> tuple[str, list[str]]:
    """The name and the extras of a requirement."""
    found = REQUIREMENT.match(requirement)
    if found is None:
        raise ValueError(f"{requirement!r} is no requirement")
    return _spelled(found[1]), [extra.strip() for extra in (found[2] or "").split(",") if extra]


def _spelled(name: str) -> str:
    """A name in the one spelling that is compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _requirements(project: dict[str, Any], extra: str | None) -> list[str]:
    """What a project needs in any case, or for one of its extras."""
    found: list[str] = (
        project["dependencies"] if extra is None else project["optional-dependencies"][extra]
    )
    return found


if __name__ == "__main__":
    print("\n".join(third_party([Path(argument) for argument in sys.argv[1:]])))
