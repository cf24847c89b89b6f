"""Prints what packages need that is not ours, for the layer of an image that seldom changes.

Usage: `python third_party.py DIRECTORY…`, with a `pyproject.toml` in each directory. What an extra
of one of them needs is among it when another one asks for the extra. It needs the package
`packaging`, which hatchling brings.
"""

import sys
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def third_party(directories: list[Path]) -> list[str]:
    """The requirements of these packages, without those that are met by one of them."""
    projects: dict[str, dict[str, Any]] = {}
    for directory in directories:
        text = (directory / "pyproject.toml").read_text(encoding="utf-8")
        project = tomllib.loads(text)["project"]
        projects[canonicalize_name(project["name"])] = project
    needed: set[str] = set()
    asked: set[tuple[str, str | None]] = set()
    waiting: list[tuple[str, str | None]] = [(name, None) for name in projects]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in asked:
            continue
        asked.add((name, extra))
        for line in _requirements(projects[name], extra):
            requirement = Requirement(line)
            other = canonicalize_name(requirement.name)
            if other in projects:
                waiting += [(other, wanted) for wanted in requirement.extras]
            else:
                needed.add(line)
    return sorted(needed)


def _requirements(project: dict[str, Any], extra: str | None) -> list[str]:
    """What a project needs in any case, or for one of its extras."""
    found: list[str] = (
        project["dependencies"] if extra is None else project["optional-dependencies"][extra]
    )
    return found


if __name__ == "__main__":
    print("\n".join(third_party([Path(argument) for argument in sys.argv[1:]])))
