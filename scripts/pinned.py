"""Prints the pinned lines, with their hashes, of what is asked for and of all that it needs.

Usage: `python pinned.py CONSTRAINTS_FILE [REQUIREMENT…]`; without requirements they are read from
the standard input, one a line. `pip install --require-hashes --no-deps --requirement` takes what is
printed, and refuses any file that is not among those that were pinned. Which package needs which is
read from the comments `# via` of the file, which `scripts/lock` writes. It needs no package.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
VIA = "    # via "


def pinned(text: str, requirements: list[str]) -> str:
    """The lines of the file that these requirements need; a `LookupError` where one has none."""
    lines: defaultdict[str, list[str]] = defaultdict(list)
    needs: defaultdict[str, set[str]] = defaultdict(set)
    name = ""
    for line in text.splitlines():
        if line.startswith(VIA):
            for parent in line.removeprefix(VIA).split(", "):
                needs[parent].add(name)
        else:
            name = name if line.startswith(" ") else _name(line)
            lines[name].append(line)
    waiting = [_name(line) for line in requirements]
    asked: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in lines:
            raise LookupError(name)
        if name not in asked:
            asked.add(name)
            waiting += needs[name]
    return "\n".join(line for name in sorted(asked) for line in lines[name])


def _name(requirement: str) -> str:
    """The name that a requirement begins with, in the one spelling that is compared."""
    found = NAME.match(requirement)
    if found is None:
        raise LookupError(requirement)
    return re.sub(r"[-_.]+", "-", found[0]).lower()


def main() -> None:
    """Prints the lines, or says what is not pinned."""
    file = Path(sys.argv[1])
    given = sys.argv[2:] or sys.stdin.read().splitlines()
    requirements = [line for line in given if line.strip() and not line.startswith("#")]
    if not requirements:
        sys.exit("pinned.py: nothing is asked for")
    try:
        print(pinned(file.read_text(encoding="utf-8"), requirements))
    except LookupError as error:
        sys.exit(f"pinned.py: {file} pins no {error.args[0]}; `make lock` pins what is needed")


if __name__ == "__main__":
    main()
