"""The commands. No logic: each opens what it needs and calls one function.

Each imports what it needs when it is run, so that none waits for what another needs: `koshel --help` knows nothing of
PostgreSQL, and `koshel serve` nothing of the driver that migrates.
"""

import gc
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from koshel.config.settings import Settings
from koshel.config.settings_text import came_as
from koshel.core.money import SCALE_MAX, iso_scales

if TYPE_CHECKING:
    from koshel.db.starting.databases import Database
    from koshel.db.starting.proof import Inspected

Options = Mapping[str, Any]


class CommandError(Exception):
    """What was asked for cannot be done; the message is one line."""


def serve(chosen: Settings, options: Options) -> int:
    """Serve until told to stop."""
    # Until gunicorn has its own handler: told to stop while it starts, it still stops the database that it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # Nothing that is imported becomes garbage. To look for it again and again takes a tenth of the start.
    gc.disable()
    from koshel import descriptors, logs
    from koshel.config import address, surroundings
    from koshel.db.starting.opening import opened
    from koshel.engine import opening_wishes
    from koshel.serving import startup, tls
    from koshel.serving.supervise import Supervisor

    gc.freeze()
    gc.enable()
    streams = logs.configure(chosen.log_format, chosen.log_level, chosen.log_buffer_bytes_max)
    startup.say_what_is_passed_over(options["environment"])
    startup.warn_of_password(options)
    startup.check_jwts(chosen)
    startup.check_tracing(chosen, options["environment"])
    connections_max = descriptors.connections_max(chosen)
    identity = tls.identity(chosen.tls_certificate_file, chosen.tls_key_file)
    address.wait_until_free(chosen.host, chosen.port)
    startup.warn_of_strangers(chosen)
    with (
        _database(chosen, make=True, alone=not surroundings.of_libpq(options["environment"])) as at,
        opened(at, opening_wishes(chosen, partial(_bring_up_to_date, chosen, options, at))) as opening,
    ):
        Supervisor(chosen, at.target, opening.gate, streams, connections_max, identity=identity).run()
    return 0


def migrate(chosen: Settings, options: Options) -> int:
    """Apply what is due, or only say what is."""
    from koshel.db.starting.migrate import due

    check = options["check"]
    with _database(chosen, make=not check) as at:
        if chosen.database_url is not None and not check:  # and the lock of migrations is its session's
            _check_before_migrating(chosen, at)
        names = due(at.owner_url, chosen.schema) if check else _apply_what_is_due(chosen, at)
    verb = "due" if check else "applied"
    sys.stdout.write("".join(f"{verb}: {name}\n" for name in names) or "The schema is current.\n")
    return 1 if check and names else 0


def add_currency(chosen: Settings, options: Options) -> int:
    """Register a currency."""
    from koshel.db.settling import currencies
    from koshel.inputs.texts import is_currency_code

    code, scale = options["code"], options["scale"]
    if not is_currency_code(code):
        raise CommandError(f"{code!r} is not 3 to 12 characters of A-Z, 0-9 and _")
    if code in iso_scales():
        raise CommandError(f"{code} is in ISO 4217, with {iso_scales()[code]} decimals; it needs no registration")
    if not 0 <= scale <= SCALE_MAX:
        raise CommandError(f"--scale must be from 0 to {SCALE_MAX}")
    with _database(chosen) as at:
        try:
            currencies.add(at.owner_url, code, scale, chosen.schema)
        except currencies.CurrencyTaken as error:
            raise CommandError(f"{code} is registered already") from error
    sys.stdout.write(f"{code}: {scale} decimals\n")
    return 0


def list_currencies(chosen: Settings, _: Options) -> int:
    """List the registered currencies."""
    from koshel.db.settling import currencies

    with _database(chosen) as at:
        for code, scale in currencies.registered(at.owner_url, chosen.schema):
            sys.stdout.write(f"{code}\t{scale}\n")
    return 0


def verify(chosen: Settings, options: Options) -> int:
    """Prove the books."""
    from koshel.command_line.progress import bar
    from koshel.db.verifying.verify import prove

    with opened(chosen) as at, bar("Proving the books") as progress:
        proof = prove(at.owner_url, chosen.schema, progress)
    if options["json"]:
        sys.stdout.write(msgspec.json.encode(proof).decode() + "\n")
    else:
        sys.stdout.write("".join(f"{one}\n" for one in proof.wrong) or "The books are right.\n")
        counts = f"{proof.accounts} accounts, {proof.transactions} transactions and {proof.batches} batches"
        sys.stdout.write(f"Read: {counts}, from one snapshot, in {proof.seconds:.2f} s.\n")
    return 0 if proof.right else 1


def psql(chosen: Settings, options: Options) -> int:
    """Open a shell on the database; does not return where there is nothing to do after it."""
    from koshel.db.starting import shell

    arguments = options["rest"][1:] if options["rest"][:1] == ["--"] else options["rest"]
    with _database(chosen) as at:
        if chosen.database_url is None:
            return shell.run(at.owner_url, arguments, options["environment"], chosen.schema)
        shell.become(at.owner_url, arguments, options["environment"], chosen.schema)
    raise AssertionError("psql has taken this process over")


def openapi(_: Settings, __: Options) -> int:
    """Print the OpenAPI document."""
    from koshel.http.document.openapi import document

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(document()), indent=2).decode() + "\n")
    return 0


def complaint(error: Exception) -> str | None:
    """The sentence for what can go wrong with a command; None for a fault."""
    import psycopg

    from koshel.db.errors import Away, EmbeddedError, StoreError, Unfit
    from koshel.db.starting import words
    from koshel.db.starting.migrate import MigrationError
    from koshel.db.starting.shell import NoShell
    from koshel.db.starting.standing import TooFewConnections

    if isinstance(error, psycopg.errors.UndefinedTable):
        return "the database has no schema yet; run `koshel migrate`"
    ours = (Away, CommandError, EmbeddedError, Unfit, MigrationError, NoShell, StoreError, TooFewConnections)
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return f"{error.diag.message_primary}; do it as the owner of the database"
    if isinstance(error, psycopg.Error):
        return words.of(error)
    return str(error) if isinstance(error, (*ours, OSError)) else None


@contextmanager
def opened(chosen: Settings) -> "Iterator[Database]":
    """The database, whose schema is current. Raises CommandError."""
    from koshel.db.starting.migrate import due, known

    with _database(chosen) as at:
        missing = due(at.owner_url, chosen.schema)
        if missing == known():
            raise CommandError("the database has no schema yet; run `koshel migrate`")
        if missing:
            raise CommandError(f"the schema lacks {', '.join(missing)}; run `koshel migrate`")
        yield at


def _database(chosen: Settings, *, make: bool = False, alone: bool = False) -> "AbstractContextManager[Database]":
    from koshel.db.starting import databases

    return databases.database(chosen.database_url, chosen.data_dir, chosen.service_role, make=make, alone=alone)


def _bring_up_to_date(chosen: Settings, options: Options, at: "Database", found: "Inspected") -> None:
    """What is still to be done when the database is there and fit. Raises what the commands complain of."""
    from koshel.db.starting import standing
    from koshel.inputs.texts import unknown_currency
    from koshel.serving import startup

    # As the owner if it is ours; a service role finds nothing due, or is told that it may not.
    if found.due or at.service_url != at.owner_url:
        _apply_what_is_due(chosen, at)
    if chosen.currency not in iso_scales() and chosen.currency not in _registered(at, chosen.schema):
        name = came_as("currency", options)
        raise CommandError(f"{name}: {unknown_currency(chosen.currency)}")
    _check_keys(chosen, at)
    standing.say_which(found, at.target)
    standing.check_connections(found, startup.wanted(chosen))


def _check_keys(chosen: Settings, at: "Database") -> None:
    """Raises CommandError if there is no key, and the service would listen beyond this machine."""
    import asyncio

    from koshel.config import exposure
    from koshel.db.access import api_keys
    from koshel.db.starting import once
    from koshel.serving import startup

    reason = exposure.reached_by(chosen)
    if chosen.auth == "off" or chosen.jwt_issuer is not None or (reason is None and chosen.auth is None):
        return
    if asyncio.run(once.transact(at.service_url, api_keys.exist, schema=chosen.schema)):
        return
    if reason is not None:
        raise CommandError(
            f"{reason}, and there is no API key yet: make one with `koshel key create --scope admin`, or set"
            " KOSHEL_AUTH=off if whoever reaches the service may do everything"
        )
    startup.warn_of_no_keys()


def _apply_what_is_due(chosen: Settings, at: "Database") -> list[str]:
    from koshel.db.starting.migrate import migrate as apply

    return apply(
        at.owner_url,
        schema=chosen.schema,
        service_role=at.service_role,
        row_security=chosen.row_security,
        lock_timeout_ms=chosen.migration_lock_timeout_ms,
    )


def _check_before_migrating(chosen: Settings, at: "Database") -> None:
    import asyncio

    from koshel.db.pools import TimeLimits
    from koshel.db.starting.proof import check_before_migrating

    asyncio.run(check_before_migrating(at.owner_url, TimeLimits(connect_timeout_ms=chosen.connect_timeout_ms)))


def _registered(at: "Database", schema: str | None) -> set[str]:
    from koshel.db.settling import currencies

    return {code for code, _ in currencies.registered(at.service_url, schema)}
