"""The parameters that a database URL may have, and what becomes of each on its way to asyncpg."""

from collections.abc import Mapping

from koshel.db.errors import Unfit

NAME = "the database URL"

# What becomes of a parameter: it is given to asyncpg piece by piece; or in a URL of its own, which is how asyncpg takes
# all about TLS and Kerberos; or said in other words; or dropped, with a line in the log; or, of a set, dropped with one
# of these values and refused with any other. Whatever is not here is refused.
_PIECE, IN_URL, _TRANSLATED, _DROPPED = "piece", "in a URL", "translated", "dropped"
USES: Mapping[str, str | set[str]] = {
    "host": _PIECE,
    "port": _PIECE,
    "user": _PIECE,
    "password": _PIECE,
    "passfile": _PIECE,
    "dbname": _PIECE,
    "target_session_attrs": _PIECE,
    "service": _PIECE,
    "sslmode": IN_URL,
    "sslnegotiation": IN_URL,
    "sslcert": IN_URL,
    "sslkey": IN_URL,
    "sslpassword": IN_URL,
    "sslrootcert": IN_URL,
    "sslcrl": IN_URL,
    "ssl_min_protocol_version": IN_URL,
    "ssl_max_protocol_version": IN_URL,
    "krbsrvname": IN_URL,
    "gsslib": IN_URL,
    "hostaddr": _TRANSLATED,
    "connect_timeout": _TRANSLATED,
    "options": _TRANSLATED,
    "application_name": _TRANSLATED,
    "keepalives": _DROPPED,
    "keepalives_idle": _DROPPED,
    "keepalives_interval": _DROPPED,
    "keepalives_count": _DROPPED,
    "tcp_user_timeout": _DROPPED,
    "sslcompression": _DROPPED,
    "sslsni": _DROPPED,
    "sslkeylogfile": _DROPPED,
    "load_balance_hosts": _DROPPED,
    "client_encoding": _DROPPED,
    "fallback_application_name": _DROPPED,
    "max_protocol_version": _DROPPED,
    "channel_binding": {"prefer", "disable"},
    "gssencmode": {"prefer", "disable"},
    "gssdelegation": {"0"},
    "sslcertmode": {"allow"},
    "min_protocol_version": {"3.0"},
}


def is_dropped(name: str, value: str) -> bool:
    """Whether a parameter is one that asyncpg does without. Raises Unfit for one that it cannot do without."""
    use = USES.get(name, set())
    if isinstance(use, str):
        return use == _DROPPED
    if value not in use:
        shown = f"{name}={value}" if use else name  # what may be a secret is not shown
        raise Unfit(f"{NAME}: the service's driver, asyncpg, cannot do {shown}; leave it out, or PG* variables for it")
    return True
