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
_SCHEMES = ("postgresql://", "postgres://")  # without one, libpq would go to the default server for many a text
_PORT, _PORT_MAX = "5432", 65_535
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


def place(target: Target) -> str:
    """Host and port of each server that a target names, or the directory of its socket; no password."""
    hosts = target.arguments.get("host", ["the default host"])
    ports = target.arguments.get("port", [None] * len(hosts))
    if len(ports) != len(hosts):
        hosts = hosts * len(ports)
    return ", ".join(_named(host, port) for host, port in zip(hosts, ports, strict=False))


def _named(host: str, port: int | None) -> str:
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


def parse(url: str | Target, *, alone: bool = False) -> Target:
    """What asyncpg needs to reach the database of a URL; what was read already stays as it is.

    `alone`: the caller knows that no PG* variable says more. Raises Unfit, without any of the URL's secrets.
    """
    if isinstance(url, Target):
        return url
    if not isinstance(url, str) or not url.startswith(_SCHEMES):  # type: ignore[redundant-expr]  # a program may err
        raise Unfit(f"{NAME}: it must be a URL that begins with postgresql://")
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
    defaults = _defaults()
    return _with_service(given) if "service" in defaults | given else defaults | given


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
    except UnicodeEncodeError:
        raise Unfit(f"{NAME} has bytes that are not UTF-8") from None
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


def _with_service(given: dict[str, str]) -> dict[str, str]:
    """The same with what the service's file says, which goes before the variables. Raises Unfit if no file has it.

    libpq reads that file only on its way to a server, so it is sent on its way, with a value that stops it in time.
    Left to itself, asyncpg would go to the default server for a service that it does not find.
    """
    import psycopg  # noqa: PLC0415

    stop = {"load_balance_hosts": "stop"}
    connection = psycopg.pq.PGconn.connect_start(psycopg.conninfo.make_conninfo("", **given | stop).encode())
    message = connection.error_message.decode(errors="replace").strip()
    found = _values(option for option in connection.info if option.val != option.compiled)
    connection.finish()
    if "load_balance_hosts" not in message:
        raise Unfit(f"{NAME}: {message}")
    # The last one libpq has made up; the others have done what they are for.
    return {name: found[name] for name in found.keys() - stop.keys() - {"service", "servicefile", "sslcertmode"}}


def _values(options: Any) -> dict[str, str]:
    """What is given; a service even if its name is empty, since libpq looks for that one too."""
    given = [one for one in options if one.val or (one.val is not None and one.keyword == b"service")]
    try:
        return {one.keyword.decode(): one.val.decode() for one in given}
    except UnicodeDecodeError:
        raise Unfit(f"{NAME}, or a PG* variable, has bytes that are not UTF-8") from None


def _address(found: Mapping[str, str]) -> dict[str, Any]:
    """Hosts, role and database, one by one."""
    address: dict[str, Any] = {"user": found.get("user"), "password": found.get("password")}
    if address["user"] is None:
        raise Unfit(f"{NAME}: it names no role")
    if "hostaddr" in found and "host" in found and found.get("sslmode") == "verify-full":
        raise Unfit(f"{NAME}: hostaddr with sslmode=verify-full: the service's driver, asyncpg, takes only host")
    hosts = found.get("hostaddr") or found.get("host")
    if hosts is not None:
        address["host"] = hosts.split(",")
        _check_names(address["host"])
    if "port" in found:
        ports = [_port(port or _PORT) for port in found["port"].split(",")]
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


def _check_names(hosts: list[str]) -> None:
    for host in hosts:
        try:
            host.encode("idna")  # as whoever looks it up does; a socket's directory may be anything
        except UnicodeError:
            if not host.startswith(("/", "@")):
                raise Unfit(f"{NAME}: {host} can be no host's name") from None


def _port(text: str) -> int:
    port = _number("port", text)
    if not 1 <= port <= _PORT_MAX:
        raise Unfit(f"{NAME}: the port {text} is not from 1 to {_PORT_MAX}")
    return port


def _number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Unfit(f"{NAME}: {name} is not a number") from None
