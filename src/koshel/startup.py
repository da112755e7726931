"""What the start says of its surroundings, and what it wants of the database, before there are workers."""

import socket
from collections.abc import Mapping
from ipaddress import ip_address

import structlog

from koshel import surroundings
from koshel.db.standing import Wanted
from koshel.settings import PREFIX, Settings

_log = structlog.get_logger()


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
    except (OSError, UnicodeError):
        return False  # nobody can listen there; who tries is told so
    return all(ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)


def wanted(settings: Settings) -> Wanted:
    """The connections that the service may open, and the settings that say so."""
    names = ("workers", "settle_connections", "read_connections", "rehearsal_connections")
    return Wanted(
        workers=settings.workers,
        connections=settings.workers * settings.connections_per_worker,
        said_by=", ".join(f"{PREFIX}{name.upper()} ({getattr(settings, name)})" for name in names),
    )
