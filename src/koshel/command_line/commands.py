"""The commands that have no module of their own, and how each command opens its database.

Each imports what it needs when it is run, so that none waits for what another needs: `koshel --help` knows nothing of
PostgreSQL, and `koshel serve` nothing of the driver that migrates.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from koshel.config.settings import Settings
from koshel.core.money import SCALE_MAX, iso_scales

if TYPE_CHECKING:
    from koshel.db.starting.databases import Database

Options = Mapping[str, Any]


class CommandError(Exception):
    """What was asked for cannot be done; the message is one line."""


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
    with database(chosen) as at:
        try:
            currencies.add(at.owner_url, code, scale, chosen.schema)
        except currencies.CurrencyTaken as error:
            raise CommandError(f"{code} is registered already") from error
    sys.stdout.write(f"{code}: {scale} decimals\n")
    return 0


def list_currencies(chosen: Settings, _: Options) -> int:
    """List the registered currencies."""
    from koshel.db.settling import currencies

    with database(chosen) as at:
        for code, scale in currencies.registered(at.owner_url, chosen.schema):
            sys.stdout.write(f"{code}\t{scale}\n")
    return 0


def verify(chosen: Settings, options: Options) -> int:
    """Prove the books."""
    from koshel.command_line.progress import bar
    from koshel.db.verifying.verify import prove

    with opened(chosen, to_prove=True) as at, bar("Proving the books") as progress:
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
    with database(chosen) as at:
        if chosen.database_url is None:
            return shell.run(at.owner_url, arguments, options["environment"], chosen.schema)
        shell.become(at.owner_url, arguments, options["environment"], chosen.schema)
    raise AssertionError("psql has taken this process over")


def url(chosen: Settings, _: Options) -> int:
    """Print the URL of the embedded database, as its owner; not of another one, whose URL may have a password."""
    if chosen.database_url is not None:
        raise CommandError("KOSHEL_DATABASE_URL is the URL of the database; `koshel url` is for the embedded one")
    with database(chosen) as at:
        sys.stdout.write(f"{at.owner_url}\n")
    return 0


def openapi(_: Settings, __: Options) -> int:
    """Print the OpenAPI document."""
    from koshel.http.document.openapi import document

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(document()), indent=2).decode() + "\n")
    return 0


def complaint(error: Exception) -> str | None:
    """The sentence for what can go wrong with a command; None for a fault."""
    import psycopg

    from koshel.db.errors import Away, EmbeddedError, HistoryArchived, StoreError, Unfit
    from koshel.db.starting import words
    from koshel.db.starting.migrate import MigrationError
    from koshel.db.starting.shell import NoShell
    from koshel.db.starting.standing import TooFewConnections
    from koshel.errors import Refused
    from koshel.library import history

    if isinstance(error, psycopg.errors.UndefinedTable):
        return "the database has no schema yet; run `koshel migrate`"
    ours = (Away, CommandError, EmbeddedError, Unfit, MigrationError, NoShell, StoreError, TooFewConnections)
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return f"{error.diag.message_primary}; do it as the owner of the database"
    if isinstance(error, psycopg.Error):
        return words.of(error)
    if isinstance(error, OSError):
        said = error.strerror or str(error)
        return said if error.filename is None else f"{os.fsdecode(error.filename)}: {said}"
    if isinstance(error, HistoryArchived):
        error = history.refused(error)
    if isinstance(error, Refused) and error.code == history.ARCHIVED:
        return history.sentence(error.facts)
    return str(error) if isinstance(error, ours) else None


@contextmanager
def opened(chosen: Settings, *, to_prove: bool = False) -> "Iterator[Database]":
    """The database, whose schema is current; if it is newer, that is said. Raises CommandError.

    `to_prove`: whoever does not know the whole schema can prove nothing of it.
    """
    from koshel.db.starting.migrate import compare, known

    with database(chosen) as at:
        found = compare(at.owner_url, chosen.schema)
        if found.due == known():
            raise CommandError("the database has no schema yet; run `koshel migrate`")
        if found.due:
            raise CommandError(f"the schema lacks {', '.join(found.due)}; run `koshel migrate`")
        if found.unknown and to_prove:
            raise CommandError(f"{found.newer}: prove the books with the version that has migrated them")
        if found.unknown:
            sys.stderr.write(f"koshel: {found.newer}\n")
        yield at


def database(chosen: Settings, *, make: bool = False, alone: bool = False) -> "AbstractContextManager[Database]":
    """The database, whatever its schema is. Raises EmbeddedError if there is none and none is to be made."""
    from koshel.db.starting import databases

    return databases.database(chosen.database_url, chosen.data_dir, chosen.service_role, make=make, alone=alone)
