"""API keys: made here, shown once, known afterwards only by their hash."""

import hashlib
import hmac
import re
import secrets
from urllib.parse import urlsplit

MIN_API_KEY_LENGTH = 16
MAX_API_KEY_LENGTH = 128
MIN_DIFFERENT_CHARACTERS = 8

_LETTERS = re.compile(r"[a-z]")

_KNOWN_TO_EVERYBODY = frozenset(
    {
        "0123456789abcdef",
        "1234567890123456",
        "1234567890abcdef",
        "123456789abcdefg",
        "a-secret-of-mine",
        "a-secret-of-my-own",
        "abcdefghijklmnop",
        "alice-secret-key-1",
        "correct-horse-battery-staple",
        "correcthorsebatterystaple",
        "local-operator-key",
        "qwertyuiopasdfgh",
    }
)
"""Keys that documents showed, and what many would choose first."""

_ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "yxcvbnm",
    "azertyuiop",
    "qsdfghjklm",
    "1q2w3e4r5t6y7u8i9o0p",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
)
"""What fingers and lists of passwords run along, to either side."""

_RUN = 4
"""How many characters in a row are a run, or a repetition, rather than chance."""

_RUNS = frozenset(
    path[start : start + _RUN]
    for row in _ROWS
    for path in (row, row[::-1])
    for start in range(len(path) - _RUN + 1)
)

_WORDS = ("password", "passw0rd", "changeme", "letmein", "welcome", "secret", "admin", "iloveyou")
"""With which most lists of passwords begin."""

OPERATOR = "the operator"
"""Whose the operator's key is. No client can be called so."""


def new_api_key() -> str:
    """A fresh key with 256 random bits."""
    return f"ex_{secrets.token_urlsafe(32)}"


def hash_api_key(api_key: str) -> str:
    """What is stored of a key: its SHA-256, in hex.

    A plain digest is enough because keys are long and random; that is also why a chosen key must
    have at least 16 characters.
    """
    return hashlib.sha256(api_key.encode()).hexdigest()


def bot_key(secret: str, client_id: str) -> str:
    """The key of a bot's account: the same at every start, and another for each secret."""
    return f"bot_{hmac.digest(secret.encode(), client_id.encode(), hashlib.sha256).hex()}"


def public_bot_key(client_id: str) -> str:
    """What `bot_key` was where nobody had set a secret: anybody can work it out."""
    return bot_key("local-bots", client_id)


def weakness(api_key: str, owner: str) -> str | None:
    """Why a key is too easily guessed to be that of a new account, or of the operator."""
    lowered, name = api_key.lower(), owner.lower()
    rest = _unpredictable(lowered)
    if lowered in _KNOWN_TO_EVERYBODY or api_key == public_bot_key(owner):
        return "everybody knows this key"
    if any(
        name in part and not _LETTERS.search(part.replace(name, "")) for part in (lowered, rest)
    ):
        return f"{owner} with digits is too easily guessed"
    if len(set(api_key)) < MIN_DIFFERENT_CHARACTERS:
        return f"at least {MIN_DIFFERENT_CHARACTERS} different characters are expected"
    if len(rest) <= MIN_API_KEY_LENGTH // 2:
        return "it is little more than runs, repetitions and words that everybody tries"
    return None


def _unpredictable(lowered: str) -> str:
    """What is left of a key without runs, repetitions of itself, and words that everybody tries.

    Those add next to nothing to what has to be guessed; of a repetition the first time stays.
    """
    known = [False] * len(lowered)
    for start in range(len(lowered) - _RUN + 1):
        part = lowered[start : start + _RUN]
        if part in _RUNS or lowered.find(part) < start:
            known[start : start + _RUN] = [True] * _RUN
    for word in _WORDS:
        for found in re.finditer(word, lowered):
            known[found.start() : found.end()] = [True] * len(word)
    return "".join(char for char, is_known in zip(lowered, known, strict=True) if not is_known)


def bearer_key(authorization: str | None) -> str | None:
    """The key in an `Authorization: Bearer …` header, `None` without one."""
    scheme, _, api_key = (authorization or "").partition(" ")
    return api_key.strip() or None if scheme.lower() == "bearer" else None


def origin_allowed(origin: str | None, host: str | None, allowed_origins: list[str]) -> bool:
    """Whether a page from this origin may open a WebSocket: our own, or one that is allowed.

    Programs send no origin, and are not what this protects from.
    """
    if origin is None or origin in allowed_origins:
        return True
    try:
        return host is not None and urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:  # not a URL
        return False
