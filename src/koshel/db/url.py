"""The database's URL, read once for both drivers.

psycopg (migrations, `verify`) is libpq and knows every parameter; asyncpg (the service) knows some. libpq reads the
URL and the PG* variables, and what it has read is given to asyncpg piece by piece, so that both go to one place.
What asyncpg cannot do is dropped with a line in the log if that harms nobody, or else refused by its name.

Most URLs are plain: nothing in them is quoted, and they say no more than where, who and which. Where no variable says
more, such a URL is read here, and a service need not import psycopg for it.
"""

import re
from collections.abc import Mapping
from os import R_OK as READABLE
from os import access
from typing import Any
from urllib.parse import urlencode

from msgspec import Struct

from koshel.db.errors import Unfit
from koshel.db.parameters import IN_URL, NAME, USES, is_dropped

_FILES = ("sslcert", "sslkey", "sslrootcert", "sslcrl")
_SYSTEM = "system"  # of sslrootcert: what the system trusts
_QUOTED = re.compile(r': ".*"', re.DOTALL)
_PORT = "5432"
_WORD = r"[A-Za-z0-9._~-]+"  # what no URL quotes
_PLAIN = re.compile(
    rf"postgres(?:ql)?://(?P<user>{_WORD})(?::(?P<password>{_WORD}))?@(?P<host>{_WORD})?(?::(?P<port>[0-9]+))?"
    rf"/(?P<dbname>{_WORD})(?:\?host=(?P<directory>[/A-Za-z0-9._~-]+))?"
)


class Target(Struct, frozen=True):
    """Where asyncpg connects to."""

    arguments: Mapping[str, Any]
    connect_timeout_s: float | None  # None: as the settings say
    application_name: str
    dropped: tuple[str, ...]


def parse(url: str | Target, *, alone: bool = False) -> Target:
    """What asyncpg needs to reach the database of a URL; what was read already stays as it is.

    `alone`: the caller knows that no PG* variable says more. Raises Unfit, without any of the URL's secrets.
    """
    if isinstance(url, Target):
        return url
    return _target((_plain(url) if alone else None) or _as_libpq_does(url))


def _plain(url: str) -> dict[str, str] | None:
    """The parameters of a plain URL; of another, None."""
    match = _PLAIN.fullmatch(url)
    if match is None:
        return None
    found = {name: value for name, value in match.groupdict().items() if value is not None}
    if "directory" in found:
        found["host"] = found.pop("directory")  # of two hosts, libpq takes the later
    return found


def _as_libpq_does(url: str) -> dict[str, str]:
    """The parameters of the URL, and of the PG* variables."""
    given = _given(url)
    if "service" in given:
        return given  # its file goes before the environment, and asyncpg reads both by itself
    return {name: value for name, value in (_defaults() | given).items() if name != "service"}


def _target(found: Mapping[str, str]) -> Target:
    dropped = tuple(sorted(name for name, value in found.items() if is_dropped(name, value)))
    tls = {name: value for name, value in found.items() if USES[name] == IN_URL}
    for name in _FILES:
        if name in tls and tls[name] != _SYSTEM and not access(tls[name], READABLE):
            raise Unfit(f"{NAME}: {name}: there is no {tls[name]} that can be read")
    arguments = _address(found) | {"dsn": None}
    if tls.get("sslrootcert") == _SYSTEM:
        arguments["ssl"] = _of_the_system(tls)
    elif tls:
        arguments["dsn"] = f"postgresql://?{urlencode(tls)}"
    if "options" in found:
        arguments["server_settings"] = {"options": found["options"]}
    timeout = _number("connect_timeout", found.get("connect_timeout", "0"))
    return Target(arguments, timeout if timeout > 0 else None, found.get("application_name", "koshel"), dropped)


def _given(url: str) -> dict[str, str]:
    """The parameters of the URL."""
    authority, _, rest = url.partition("://")[2].partition("/")
    if "@" in rest or "@" in authority.partition("@")[2]:
        raise Unfit(f"{NAME}: write @ : / ? # and % in a name or a password as %40 %3A %2F %3F %23 and %25")
    import psycopg  # noqa: PLC0415  what only imports this room has no use for the driver

    try:
        return _values(psycopg.pq.Conninfo.parse(url.encode()))
    except psycopg.OperationalError as error:
        message = str(error).strip()
        if "query parameter" not in message:
            message = _QUOTED.sub("", message)  # it may quote a password
        raise Unfit(f"{NAME}: {message}") from None


def _defaults() -> dict[str, str]:
    """What libpq takes where the URL says nothing: the PG* variables, PGSERVICE's file, and the system user's name."""
    import psycopg  # noqa: PLC0415

    try:
        return _values(option for option in psycopg.pq.Conninfo.get_defaults() if option.val != option.compiled)
    except psycopg.OperationalError as error:
        raise Unfit(f"the PG* variables: {str(error).strip()}") from None


def _values(options: Any) -> dict[str, str]:
    return {option.keyword.decode(): option.val.decode() for option in options if option.val}


def _address(found: Mapping[str, str]) -> dict[str, Any]:
    """Hosts, role and database, one by one."""
    address: dict[str, Any] = {"user": found.get("user"), "password": found.get("password")}
    if address["user"] is None and "service" not in found:
        raise Unfit(f"{NAME}: it names no role")
    if "hostaddr" in found and "host" in found and found.get("sslmode") == "verify-full":
        raise Unfit(f"{NAME}: hostaddr with sslmode=verify-full: the service's driver, asyncpg, takes only host")
    hosts = found.get("hostaddr") or found.get("host")
    if hosts is not None:
        address["host"] = hosts.split(",")
    if "port" in found:
        ports = [int(_number("port", port or _PORT)) for port in found["port"].split(",")]
        address["port"] = ports if len(ports) > 1 else ports * len(address.get("host", ports))
    for name, theirs in {"dbname": "database", "passfile": "passfile", "target_session_attrs": None}.items():
        if name in found:
            address[theirs or name] = found[name]
    return address


def _of_the_system(tls: Mapping[str, str]) -> bool:
    """For asyncpg: what the system trusts, and the host's name checked."""
    others = tls.keys() - {"sslrootcert", "sslmode"}
    if tls.get("sslmode", "verify-full") != "verify-full" or others:
        raise Unfit(f"{NAME}: sslrootcert=system goes with sslmode=verify-full, and with nothing else about TLS")
    return True


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise Unfit(f"{NAME}: {name} is not a number") from None
