"""The table of settings: every knob, with its limits, its default, and how it must stand to others; frozen.

A setting is a field here: `KOSHEL_` and its name in capitals is its variable, `--` and its name with
dashes its flag. Its unit is in its name, its meaning in its description. `settings_text` reads them.
"""

import re
from decimal import Decimal
from functools import cache
from typing import Annotated, Literal, get_type_hints

import msgspec
from msgspec import Meta, Struct, defstruct, structs

from koshel.config import proxies, takes, web_addresses
from koshel.config.web_origins import origins
from koshel.errors import Misuse
from koshel.inputs.values import CURRENCY_PATTERN, Invalid
from koshel.machine import cores

# A title says what a type takes where its pattern could not: it stands in messages.
Url = Annotated[str, Meta(pattern="^postgres(ql)?://", title="a URL that begins with postgresql://")]
# A name or an address of IPv4 has no colon, one of IPv6 has two or more; either may be in brackets.
_HOST = r"[^\s/:\[\]]+|[^\s/:\[\]]*:[^\s/:\[\]]*:[^\s/\[\]]*"
Address = Annotated[
    str,
    Meta(pattern=rf"^({_HOST}|\[({_HOST})\])$", title="an address or a name of this machine, without scheme and port"),
]
Code = Annotated[str, Meta(pattern=CURRENCY_PATTERN, title="a code of 3 to 12 characters of A-Z, 0-9 and _")]
_SCHEMA = "^(?!pg_)[a-z_][a-z0-9_]{0,62}$"
_SCHEMA_TITLE = "a name of a-z, 0-9 and _, 63 at most, that does not begin with pg_"
Schema = Annotated[str, Meta(pattern=_SCHEMA, title=_SCHEMA_TITLE)]
Directory = Annotated[str, Meta(min_length=1, title="the path of a directory")]
Web = Annotated[str, Meta(title="origins such as https://shop.example, with commas between")]
File = Annotated[str, Meta(min_length=1, title="the path of a file")]
Proxies = Annotated[str, Meta(title="addresses and networks such as 10.0.0.0/8, with commas between")]
Issuer = Annotated[str, Meta(min_length=1, title="the issuer of JWTs, as their claim iss has it")]
Audience = Annotated[str, Meta(min_length=1, title="an audience, as the claim aud has it")]
Jwks = Annotated[str, Meta(min_length=1, title="the path of a file, or a URL that begins with https://")]
Claim = Annotated[str, Meta(min_length=1, title="the name of a claim")]
Role = Annotated[str, Meta(min_length=1, title="the name of a role")]
# The most that PostgreSQL, the kernel and the event loop take: what is more is a slip of the finger.
_INT_MAX = 2**31 - 1
Processes = Annotated[int, Meta(ge=1, le=1_000)]
Several = Annotated[int, Meta(ge=2, le=10_000_000)]
Count = Annotated[int, Meta(ge=1, le=10_000_000)]
Rate = Annotated[int, Meta(ge=0, le=10_000_000)]
Window = Annotated[int, Meta(ge=1, le=86_400)]  # seconds
Milliseconds = Annotated[int, Meta(ge=1, le=_INT_MAX)]
Seconds = Annotated[int, Meta(ge=1, le=_INT_MAX // 1_000)]
Lifetime = Annotated[int, Meta(ge=1)]  # in seconds; `Settings` says how long it may be
Bytes = Annotated[int, Meta(ge=1, le=_INT_MAX)]
Buffer = Annotated[int, Meta(ge=4_096, le=_INT_MAX)]  # bytes; a smaller one would drop every long line


class SettingsError(Exception):
    """A setting that cannot be used; the message names it."""


class Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The settings of one process."""

    # fmt: off
    database_url: Annotated[Url | None, Meta(description="PostgreSQL 15 or newer; absent: the embedded one")] = None
    schema: Annotated[Schema | None, Meta(description="schema of the tables; absent: the schema where they are, else koshel")] = None
    row_security: Annotated[Literal["on", "off"] | None, Meta(description="whether row-level security confines each database transaction to its ledgers; absent: as it is")] = None
    data_dir: Annotated[Directory, Meta(description="where the embedded PostgreSQL keeps its data")] = "./.koshel"
    host: Annotated[Address, Meta(description="address to listen on; :: is every one, of IPv4 too")] = "127.0.0.1"
    auth: Annotated[Literal["keys", "off"] | None, Meta(description="whether callers need an API key; absent: as soon as there is one, or if host is not a loopback address")] = None
    jwt_issuer: Annotated[Issuer | None, Meta(description="issuer whose JWTs are accepted, beside API keys; absent: no JWTs")] = None
    jwt_audience: Annotated[Audience | None, Meta(description="audience that a JWT must be for; needed with jwt_issuer")] = None
    jwt_keys: Annotated[Jwks | None, Meta(description="JWKS with the issuer's signing keys, a file or a URL; absent: the one that the issuer's configuration names")] = None
    jwt_ledger_claim: Annotated[Claim, Meta(description="claim of a JWT that names its ledger")] = "koshel_ledger"
    jwt_scope_claim: Annotated[Claim, Meta(description="claim of a JWT that has koshel:read, koshel:write or koshel:admin among its words")] = "scope"
    tls_certificate_file: Annotated[File | None, Meta(description="certificate, with its chain, in PEM; absent: HTTP without TLS")] = None
    tls_key_file: Annotated[File | None, Meta(description="private key of that certificate, in PEM, without a passphrase")] = None
    trusted_proxies: Annotated[Proxies, Meta(description="addresses and networks of proxies that are trusted about their client's address")] = ""
    allowed_origins: Annotated[Web, Meta(description="web origins whose pages may use the service, with commas between")] = ""
    port: Annotated[int, Meta(ge=0, le=65535, description="port to listen on")] = 8080
    workers: Annotated[Processes, Meta(description="worker processes; default: the cores that it may use")] = msgspec.field(default_factory=cores.available)
    currency: Annotated[Code, Meta(description="currency of accounts opened without one")] = "USD"
    max_balance: Annotated[Decimal, Meta(description="max_balance of accounts opened without one")] = Decimal("999999.99")
    exchange_min_balance: Annotated[Decimal, Meta(description="min_balance of exchange accounts, which are opened when they are needed")] = Decimal(-(10**18 - 1))
    service_role: Annotated[Role | None, Meta(description="database role that `migrate` grants the service's rights to")] = None
    migration_lock_timeout_ms: Annotated[Milliseconds, Meta(description="time that `migrate` waits for a lock on a table")] = 10_000
    allow_fsync_off: Annotated[bool, Meta(description="serve from a database whose fsync is off")] = False
    allow_full_page_writes_off: Annotated[bool, Meta(description="serve from a database whose full_page_writes is off")] = False
    allow_synchronous_commit_off: Annotated[bool, Meta(description="serve from a database whose synchronous_commit is off")] = False
    log_format: Annotated[Literal["auto", "json", "console"], Meta(description="auto: console on a terminal, else json")] = "auto"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="the least level that is logged")] = "info"
    metrics: Annotated[Literal["on", "off"], Meta(description="count and time what is done, and show it at /metrics")] = "on"
    tracing: Annotated[Literal["on", "off"], Meta(description="traces by OpenTelemetry: a span for each request and each batch")] = "off"
    access_log: Annotated[bool, Meta(description="log every request")] = True
    log_buffer_bytes_max: Annotated[Buffer, Meta(description="bytes of log lines that may wait for their reader, in each process and stream")] = 1024 * 1024
    hold_lifetime_s: Annotated[Lifetime, Meta(description="lifetime of a hold made without one")] = 7 * 24 * 3600
    hold_lifetime_max_s: Annotated[Lifetime, Meta(description="lifetime that a hold may ask for")] = 30 * 24 * 3600
    schedule_max_s: Annotated[Lifetime, Meta(description="how far ahead a transaction may be scheduled")] = 366 * 24 * 3600
    batch_max: Annotated[Count, Meta(description="commands settled together, at most")] = 1_000
    batches_in_flight: Annotated[Count, Meta(description="batches under way at once, in each worker and partition")] = 1
    partition_by: Annotated[Literal["database", "ledger"], Meta(description="what may share a batch; ledger: for Citus")] = "database"
    settle_attempts: Annotated[Count, Meta(description="times a batch is tried when another database transaction stops it")] = 5
    queue_max: Annotated[Count, Meta(description="commands that may wait in a worker; those that came in batches, at most half of that")] = 20_000
    queue_bytes_max: Annotated[Bytes, Meta(description="bytes of request bodies that may wait in a worker")] = 16 * 1024 * 1024
    queue_target_ms: Annotated[Milliseconds, Meta(description="time that a single command should wait, at most; a command that would wait longer is answered `overloaded` at once")] = 150
    queue_timeout_ms: Annotated[Milliseconds, Meta(description="a command that waited longer is answered `overloaded`")] = 10_000
    read_target_ms: Annotated[Milliseconds, Meta(description="time that a read, or a dry run, should wait, at most; one that would wait longer is answered `overloaded` at once")] = 1_000
    rate_per_key: Annotated[Rate, Meta(description="requests that a key may send a second; each member of a batch counts as one; 0: no limit")] = 0
    rate_per_ledger: Annotated[Rate, Meta(description="requests that all keys of a ledger together may send a second; 0: no limit")] = 0
    rate_window_s: Annotated[Window, Meta(description="time for which unused requests are saved up; so many may come at once")] = 2
    concurrency_per_key: Annotated[Rate, Meta(description="requests of a key that may be under way at once, in each worker; 0: no limit")] = 0
    background_batch_max: Annotated[Count, Meta(description="queued transactions, or expired holds, settled together, at most")] = 500
    background_poll_ms: Annotated[Milliseconds, Meta(description="time between two looks for what other workers queued, and for expired holds")] = 500
    background_retry_ms: Annotated[Milliseconds, Meta(description="delay before a queued transaction that an accident stopped is tried again; doubled each time")] = 1_000
    background_retry_max_ms: Annotated[Milliseconds, Meta(description="the longest such delay")] = 300_000
    settle_connections: Annotated[Several, Meta(description="database connections for settling, in each worker, at most; half of them may wait for locks")] = 8
    read_connections: Annotated[Count, Meta(description="database connections for reading, in each worker")] = 4
    rehearsal_connections: Annotated[Count, Meta(description="database connections for dry runs, in each worker")] = 2
    connect_timeout_ms: Annotated[Milliseconds, Meta(description="time for a connection to the database")] = 3_000
    statement_timeout_ms: Annotated[Milliseconds, Meta(description="time for one SQL statement")] = 5_000
    lock_timeout_ms: Annotated[Milliseconds, Meta(description="time to wait for a row lock")] = 2_000
    plan_cache_mode: Annotated[Literal["force_generic_plan", "auto", "force_custom_plan"], Meta(description="whether PostgreSQL plans a statement once, or each time")] = "force_generic_plan"
    idle_in_transaction_timeout_ms: Annotated[Milliseconds, Meta(description="time a transaction may wait for its client")] = 5_000
    outcome_timeout_ms: Annotated[Milliseconds, Meta(description="time to find out whether a lost commit happened")] = 15_000
    body_bytes_max: Annotated[Bytes, Meta(description="size of a request body")] = 65_536
    batch_body_bytes_max: Annotated[Bytes, Meta(description="size of the body of POST /transaction/batch")] = 1024 * 1024
    header_bytes_max: Annotated[Bytes, Meta(description="size of one header line")] = 8_190
    connections_max: Annotated[Count | None, Meta(description="connections that a worker keeps; absent: what its file descriptors allow")] = None
    first_byte_timeout_ms: Annotated[Milliseconds, Meta(description="time for a client to begin its first request")] = 10_000
    receive_timeout_ms: Annotated[Milliseconds, Meta(description="time for a client to send a request, from its first byte")] = 10_000
    send_timeout_ms: Annotated[Milliseconds, Meta(description="time for a client to take an answer, or 1 KiB of it for each second")] = 10_000
    keepalive_timeout_s: Annotated[Seconds, Meta(description="time an idle connection is kept")] = 75
    shutdown_timeout_s: Annotated[Seconds, Meta(description="time to answer the requests under way when told to stop")] = 30
    # fmt: on

    def __post_init__(self) -> None:
        """Each value is of its type, and limits stand in a certain relation. Raises Invalid, and Misuse for a relation.

        Names stand between backticks, so that whoever has given them by other names can say those.
        """
        _check_types(self)
        relations = {
            "`lock_timeout_ms` must be less than `statement_timeout_ms`": (
                self.lock_timeout_ms < self.statement_timeout_ms
            ),
            "`outcome_timeout_ms` must be more than `idle_in_transaction_timeout_ms`": (
                self.outcome_timeout_ms > self.idle_in_transaction_timeout_ms
            ),
            "`batches_in_flight` must not be more than `settle_connections`": self.batches_in_flight
            <= self.settle_connections,
            "`batch_max` must not be more than `queue_max`": self.batch_max <= self.queue_max,
            "`body_bytes_max` must not be more than `queue_bytes_max`": (self.body_bytes_max <= self.queue_bytes_max),
            "`batch_body_bytes_max` must not be more than `queue_bytes_max`": (
                self.batch_body_bytes_max <= self.queue_bytes_max
            ),
            "`hold_lifetime_s` must not be more than `hold_lifetime_max_s`": (
                self.hold_lifetime_s <= self.hold_lifetime_max_s
            ),
            "`hold_lifetime_max_s` must not be more than a hundred years": (
                self.hold_lifetime_max_s <= 100 * 365 * 24 * 3600
            ),
            "`schedule_max_s` must not be more than a hundred years": self.schedule_max_s <= 100 * 365 * 24 * 3600,
            "`background_retry_ms` must not be more than `background_retry_max_ms`": (
                self.background_retry_ms <= self.background_retry_max_ms
            ),
            "`max_balance` must be from 0 to 999999999999999999": (
                self.max_balance.is_finite() and 0 <= self.max_balance < Decimal(10) ** 18
            ),
            "`exchange_min_balance` must be from -999999999999999999 to 0": (
                self.exchange_min_balance.is_finite() and -(Decimal(10) ** 18) < self.exchange_min_balance <= 0
            ),
            "`tls_certificate_file` and `tls_key_file` belong together: give both or none": (
                (self.tls_certificate_file is None) == (self.tls_key_file is None)
            ),
        }
        for rule, holds in (relations | self._jwt_relations()).items():
            if not holds:
                raise Misuse(rule)
        try:
            origins(self.allowed_origins)
            proxies.networks(self.trusted_proxies)
        except ValueError as error:
            raise Misuse(str(error)) from None

    def _jwt_relations(self) -> dict[str, bool]:
        issuer, keys = self.jwt_issuer, self.jwt_keys
        asked = keys if keys is not None else issuer
        is_file = keys is not None and not web_addresses.is_web_address(keys)
        named = "`jwt_issuer`" if keys is None else "`jwt_keys`"
        return {
            "`jwt_issuer` and `jwt_audience` belong together: give both or none": (
                (issuer is None) == (self.jwt_audience is None)
            ),
            "`jwt_keys` are those of `jwt_issuer`: give that too": keys is None or issuer is not None,
            "`auth` must not be off with `jwt_issuer`": issuer is None or self.auth != "off",
            f"{named} must be an https:// URL, or an http:// one of this machine, to be asked for signing keys": (
                asked is None or is_file or web_addresses.may_be_asked(asked)
            ),
        }

    @property
    def connections_per_worker(self) -> int:
        """How many connections to the database one worker may have open."""
        keys = 0 if self.auth == "off" else 1
        return self.settle_connections + self.read_connections + self.rehearsal_connections + keys


@cache
def _types() -> type[Struct]:
    """The types of all settings, without what must hold between them."""
    return defstruct("Types", [(one.name, one.type) for one in structs.fields(Settings)])


def _check_types(settings: Settings) -> None:
    """Raise Invalid for the first value that is not of its type: what is read from text was checked, no other was."""
    given = structs.asdict(settings)
    try:
        taken = structs.asdict(msgspec.convert(given, _types()))
    except msgspec.ValidationError as error:
        (name,) = re.findall(r" - at `\$\.(\w+)", str(error))
        raise Invalid(name, f"must be {takes.words(get_type_hints(Settings, include_extras=True)[name])}") from None
    for name, value in taken.items():
        if type(value) is not type(given[name]):  # text and whole numbers are numbers elsewhere
            raise Invalid(name, f"must be a {type(value).__name__}")
