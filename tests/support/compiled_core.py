"""Which core the tests import: the compiled one, or its source."""

from importlib.machinery import EXTENSION_SUFFIXES

import matching_engine.core.exchange

CORE_FILE = matching_engine.core.exchange.__file__
"""Where the core's heart was imported from."""


def core_is_compiled(file: str = CORE_FILE) -> bool:
    """Whether this file of the core is machine code."""
    return file.endswith(tuple(EXTENSION_SUFFIXES))
