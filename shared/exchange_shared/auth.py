"""API keys: made here, shown once, known afterwards only by their hash."""

import hashlib
import secrets
from urllib.parse import urlsplit

MIN_API_KEY_LENGTH = 16
MAX_API_KEY_LENGTH = 128


def new_api_key() -> str:
    """A fresh key with 256 random bits."""
    return f"ex_{secrets.token_urlsafe(32)}"


def hash_api_key(api_key: str) -> str:
    """What is stored of a key: its SHA-256, in hex.

    A plain digest is enough because keys are long and random; that is also why a chosen key must
    have at least 16 characters.
    """
    return hashlib.sha256(api_key.encode()).hexdigest()


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
