"""What the start of the service says and checks before there are workers: in the log, or by refusing to go on."""

import socket
from collections.abc import Mapping
from ipaddress import ip_address

import structlog

from koshel import surroundings
from koshel.db.standing import Standing
from koshel.settings import PREFIX, Settings

CONNECTIONS_MIN = 2  # of a worker: one to settle, one to read

_log = structlog.get_logger()


class StartRefused(Exception):
    """The service could not work like this; the message says which settings to change."""


def say_what_is_passed_over(environment: Mapping[str, str]) -> None:
    """Kubernetes' variables for a Service called `koshel` look like settings, and are none."""
    if names := surroundings.of_kubernetes(environment):
        _log.info("Kubernetes made these variables for a Service; they are not settings", variables=names)


def warn_of_strangers(host: str) -> None:
    """Whoever reaches the service may move money, so an address beyond this machine is worth a warning."""
    if not is_loopback(host):
        _log.warning("the service listens beyond this machine, and asks nobody who they are", host=host)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach all that the name or address stands for."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
    except OSError:
        return False  # nobody can listen there; who tries is told so
    return all(ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)


def say_which(found: Standing) -> None:
    """Which database it is, and as whom: a misspelt variable shows here."""
    _log.info("this is the database", at=found.at, database=found.database, role=found.role, version=found.version)


def connections_per_worker(settings: Settings) -> int:
    """How many connections a worker opens, at most."""
    return settings.settle_connections + settings.read_connections


def check_connections(found: Standing, settings: Settings) -> None:
    """Warn if the workers may open more connections than there is room for. Raises StartRefused if none could work."""
    wanted = settings.workers * connections_per_worker(settings)
    if wanted <= found.room:
        return
    names = ("workers", "settle_connections", "read_connections")
    ours = ", ".join(f"{PREFIX}{name.upper()} ({getattr(settings, name)})" for name in names)
    said = (
        f"the workers may open {wanted} connections, and {found.role} has room for {found.room}: "
        f"raise PostgreSQL's max_connections, or lower one of {ours}"
    )
    if settings.workers * CONNECTIONS_MIN > found.room:
        raise StartRefused(said)
    _log.warning(said)
