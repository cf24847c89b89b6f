"""How often a service looks for garbage that refers to itself."""

import gc

YOUNG_OBJECTS = 50_000
"""So many more objects than were freed lead to a look at the young ones. Under load thousands of
records live at a time, each until its batch is done: Python's default of some hundred looks at them
again and again, and finds nothing."""

YOUNG_LOOKS = 20
"""After so many looks at the young objects those that have outlived one are looked at."""

MIDDLE_LOOKS = 50
"""After so many of those all are looked at, once a quarter of them are new."""


def collect_rarely() -> None:
    """Look for garbage rarely, and never again at what is there now: the imported modules."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, YOUNG_LOOKS, MIDDLE_LOOKS)
