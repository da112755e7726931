"""The environment that a process finds itself in: which of its variables are Koshel's, and which libpq's.

Kubernetes gives every container variables for each Service of its namespace, named after the Service. For one that is
called `koshel`, or `koshel-db`, they begin as Koshel's own do.
"""

import re
from collections.abc import Collection, Mapping
from ipaddress import ip_address

PREFIX = "KOSHEL_"

_SERVICE = r"KOSHEL(?:_[A-Z0-9_]+)?"
_ADDRESS_OF_SERVICE = re.compile(rf"{_SERVICE}_SERVICE_HOST")
_PORT_OF_SERVICE = re.compile(rf"{_SERVICE}_SERVICE_PORT(?:_[A-Z0-9_]+)?")
_LINK = re.compile(rf"{_SERVICE}_PORT(?:_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)?")
_PASSWORD = re.compile(r"(://[^\s:/@]*:)[^\s@]+(?=@)|([?&](?:ssl)?password=)[^\s&]+")
_URL = re.compile(r"(?:tcp|udp|sctp)://\S+")


def of_kubernetes(environment: Mapping[str, str]) -> list[str]:
    """The names of the variables that Kubernetes made, in order; known by name and value together."""
    return sorted(name for name, text in environment.items() if _is_of_kubernetes(name, text))


def of_libpq(environment: Mapping[str, str]) -> list[str]:
    """The names of the variables that libpq and its kin read: they say where a database is, and how to reach it."""
    return [name for name in environment if name.startswith("PG")]


def unknown(environment: Mapping[str, str], known: Collection[str]) -> dict[str, str | None]:
    """Each variable that begins as Koshel's do and is not empty, but is not known; and the known name near to it."""
    passed_over = of_kubernetes(environment)
    strange = sorted(
        name for name, text in environment.items() if name.startswith(PREFIX) and text and name not in passed_over
    )
    return {name: nearest(name, known) for name in strange if name not in known}


def nearest(name: str, known: Collection[str]) -> str | None:
    """The known name that is most like it, or None if none is like it at all."""
    from difflib import get_close_matches  # noqa: PLC0415  who makes no mistakes does not wait for it

    bare = {one.upper().strip("-").removeprefix(PREFIX): one for one in known}  # what all have in common is no likeness
    near = get_close_matches(name.upper().strip("-").removeprefix(PREFIX), bare, n=1)
    return bare[near[0]] if near else None


def without_passwords(text: str) -> str:
    """The text with every password of a URL hidden."""
    return _PASSWORD.sub(lambda match: f"{match[1] or match[2]}…", text)


def _is_of_kubernetes(name: str, text: str) -> bool:
    if _ADDRESS_OF_SERVICE.fullmatch(name):
        return _is_of_a_service(text)
    if _PORT_OF_SERVICE.fullmatch(name):
        return text.isdecimal()
    if _LINK.fullmatch(name):
        return bool(_URL.fullmatch(text)) or name.endswith(("_PROTO", "_ADDR")) or name.count("_PORT") > 1
    return False


def _is_of_a_service(text: str) -> bool:
    """Whether it is an address that a Service may have: somebody who means to listen names another."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return not address.is_unspecified and not address.is_loopback
