"""Prints what packages need that is not ours, for the layer of an image that seldom changes.

Usage: `python third_party.py DIRECTORY…`, with a `pyproject.toml` in each directory.
"""

import re
import sys
import tomllib
from pathlib import Path


def third_party(directories: list[Path]) -> list[str]:
    """The requirements of these packages, without those that are met by one of them."""
    projects = [
        tomllib.loads((directory / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        for directory in directories
    ]
    ours = {project["name"] for project in projects}
    needed = {requirement for project in projects for requirement in project["dependencies"]}
    return sorted(name for name in needed if re.split(r"[^\w.-]", name)[0] not in ours)


if __name__ == "__main__":
    print("\n".join(third_party([Path(argument) for argument in sys.argv[1:]])))
