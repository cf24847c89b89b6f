"""How many connections the system lets this process have."""

import resource

import structlog

_PART = 2 / 5
"""A server takes so much of it: `make run` has two, and files and databases beside them."""

log = structlog.get_logger()


def connections_possible(wanted: int) -> int:
    """How many of the connections that a server wants it can have; the limit is raised for them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = round(wanted / _PART)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    raised = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    except (OSError, ValueError):  # macOS has another limit behind the one that it tells
        raised = soft
    possible = min(wanted, int(raised * _PART))
    if possible < wanted:
        log.warning("few_file_descriptors", limit=raised, needed=needed, connections=possible)
    return possible
