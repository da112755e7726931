"""File descriptors: how many a worker may have, and how many connections that allows."""

import resource
import sys

from koshel.config.settings import Settings, SettingsError

CONNECTIONS_MAX = 10_000  # a worker's, unless more are asked for: each takes some 10 kB of memory
RESERVE = 64  # standard streams, the loop's own, the listening sockets of a start, new ones before it is known


def connections_max(settings: Settings) -> int:
    """The connections that each worker may keep; raises the limit of descriptors as far as that takes.

    Raises SettingsError, if there cannot be as many as were asked for, or any at all.
    """
    reserve = _reserve(settings)
    soft, hard = (sys.maxsize if limit == resource.RLIM_INFINITY else limit for limit in _limits())
    allowed = hard - reserve
    wanted = settings.connections_max or max(1, min(CONNECTIONS_MAX, allowed))
    if wanted > allowed:
        raise SettingsError(
            f"KOSHEL_CONNECTIONS_MAX: a worker with {wanted} connections needs {wanted + reserve} file descriptors, "
            f"and may have {hard} here; raise that limit (ulimit -n), or lower this setting or those of the database's"
        )
    if soft < wanted + reserve:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted + reserve, _limits()[1]))
    return wanted


def _limits() -> tuple[int, int]:
    return resource.getrlimit(resource.RLIMIT_NOFILE)


def _reserve(settings: Settings) -> int:
    """What a worker needs beside its callers' connections.

    Twice the connections to the database, as a query is cancelled over another one; and at the start, every worker's
    socket to listen on.
    """
    return RESERVE + 2 * settings.connections_per_worker + settings.workers
