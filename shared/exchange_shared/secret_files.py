"""Secrets in files: made at random once, and readable by nobody else."""

import os
import secrets
from pathlib import Path

PRIVATE = 0o600


def new_secret() -> str:
    """A password or key with 256 random bits, of letters and digits only."""
    return secrets.token_hex(32)


def read_secret(path: Path) -> str | None:
    """What a file keeps, `None` when it is not there or empty."""
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except FileNotFoundError:
        return None


def write_secret(path: Path, secret: str, mode: int = PRIVATE) -> None:
    """Keep a secret: after a crash the file has all of it, or is as it was."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{secret}\n")
        file.flush()
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    unfinished.replace(path)


def kept_secret(path: Path) -> str:
    """What a file in a directory of its owner's own keeps; made when it is not there."""
    secret = read_secret(path)
    if secret is None:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        secret = new_secret()
        write_secret(path, secret)
    return secret
