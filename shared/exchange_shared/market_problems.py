"""What is wrong with a market file, told to whoever wrote it."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from exchange_shared.problems import rule

_NAMES = {"securities": "id", "bots": "client_id"}
"""By what the entries of a list are called, rather than by their numbers."""

_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,32}")


def told(
    problem: Mapping[str, Any],
    content: Mapping[str, Any],
    file: type[BaseModel],
    sections: Mapping[str, type[BaseModel]],
) -> str:
    """One of `ValidationError.errors()`: the field, and what would be right.

    `content` is what the file says, `file` and `sections` what its parts may say.
    """
    path = problem["loc"]
    words = rule(problem)
    if problem["type"] == "extra_forbidden":
        section = file if len(path) == 1 else sections[str(path[0])]
        words += f"; there are: {', '.join(section.model_fields)}"
    return f"{'.'.join(map(str, _named(path, content)))}: {words}"


def _named(path: tuple[str | int, ...], content: Mapping[str, Any]) -> tuple[str | int, ...]:
    """The path with the name of the entry, where that is one, right, and not itself the matter."""
    key = _NAMES.get(str(path[0])) if path else None
    if key is None or len(path) < 2 or path[2:3] == (key,):
        return path
    names = [entry.get(key) for entry in content[str(path[0])] if isinstance(entry, dict)]
    entry = content[str(path[0])][path[1]]
    name = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(name, str) or not _PLAIN.fullmatch(name) or names.count(name) > 1:
        return path
    return (path[0], name, *path[2:])
