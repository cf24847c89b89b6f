"""Whether an object of a JSON text names something twice, of which decoders take the last."""

import json
from collections.abc import Collection
from typing import Any


def repeated_key(body: bytes | str, decoded: Any) -> str | None:
    """The first key that stands twice in one object of `body`, which decodes to `decoded`.

    A colon stands between each key and its value, and elsewhere only within strings. So when there
    are as many colons as keys that were kept, none was lost; only otherwise the text is read again.
    """
    colons = body.count(b":") if isinstance(body, bytes) else body.count(":")
    if colons == _keys_in(decoded):
        return None
    repeated: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                repeated.append(key)
            seen.add(key)

    json.loads(body, object_pairs_hook=look)
    return repeated[0] if repeated else None


def _keys_in(value: Any) -> int:
    """How many keys all objects in a decoded value have."""
    parts: Collection[Any]
    if type(value) is dict:
        count, parts = len(value), value.values()
    elif type(value) is list:
        count, parts = 0, value
    else:
        return 0
    if not _CONTAINERS.isdisjoint(map(type, parts)):
        for part in parts:
            count += _keys_in(part)
    return count


_CONTAINERS = frozenset({dict, list})
