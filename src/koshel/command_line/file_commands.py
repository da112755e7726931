"""The commands that write a ledger's rows to a file, read them from one, or make them up.

As in `commands`, each imports what it needs when it is run.
"""

import gc
import sys
from typing import TYPE_CHECKING

from msgspec.structs import replace

from koshel.command_line import times
from koshel.command_line.commands import CommandError, Options, opened
from koshel.config.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from koshel.db.starting.databases import Database
    from koshel.demo import Made
    from koshel.files.importing import Result, Source
    from koshel.files.statements import Between
    from koshel.inputs.texts import Asked

STATEMENT_TIMEOUT_MS = 60_000  # at least
GC_THRESHOLD = 500_000  # more objects than there were, before an import looks for garbage


def export(chosen: Settings, options: Options) -> int:
    """Write accounts, transactions or lines to a file."""
    from koshel.command_line.progress import bar
    from koshel.db.export import exported
    from koshel.files.exporting import export_to

    kind, ledger, path = options["kind"], options["ledger"], options["output"]

    def write(form: str) -> int:
        with opened(chosen) as at, exported(at.owner_url, ledger, kind, chosen.schema) as found:
            if found is None:
                raise CommandError(_no_ledger(ledger))
            with bar(f"Exporting {kind}") as progress:
                return export_to(path, form, found, kind, progress)

    return _written(options, write, f"{kind} of the ledger {ledger}")


def export_statement(chosen: Settings, options: Options) -> int:
    """Write an account's statement to a file."""
    import asyncio

    from koshel.inputs.texts import asked_in_path
    from koshel.inputs.values import Invalid

    account, ledger = options["account"], options["ledger"]
    try:
        wanted = asked_in_path(account)
    except Invalid as error:
        raise CommandError(str(error)) from None
    between = times.between(options)

    def write(form: str) -> int:
        with opened(chosen) as at:
            return asyncio.run(_statement(chosen, at, options, form, (wanted, between)))

    return _written(options, write, f"lines of the account {account} of the ledger {ledger}")


async def _statement(
    chosen: Settings, at: "Database", options: Options, form: str, wanted: "tuple[Asked, Between]"
) -> int:
    from koshel.command_line.progress import bar
    from koshel.db.access import ledgers
    from koshel.db.store import open_store
    from koshel.engine import store_config
    from koshel.files.statements import export_statement

    (id_, name), between = wanted
    async with open_store(store_config(chosen, at.target)) as store:
        found = await store.look(lambda connection, q: ledgers.find(connection, q, options["ledger"]))
        if found is None:
            raise CommandError(_no_ledger(options["ledger"]))
        details = await store.get_account(found.id, id_ if name is None else name)
        if details is None:
            raise CommandError(f"there is no account {options['account']} in the ledger {options['ledger']}")
        with bar("Exporting the statement") as progress:
            return await export_statement(options["output"], form, store, details, between, progress=progress)


def _written(options: Options, write: "Callable[[str], int]", what: str) -> int:
    """Write a file, say how many lines it has, and return the status."""
    from koshel.files.faults import UnfitFile
    from koshel.files.formats import format_of

    try:
        count = write(format_of(options["output"], options["format"]))
    except UnfitFile as error:
        raise CommandError(str(error)) from None
    sys.stderr.write(f"koshel: {count} {what}\n")
    return 0


def _no_ledger(name: str) -> str:
    return f"there is no ledger {name!r}; `koshel ledger list` shows all"


def import_(chosen: Settings, options: Options) -> int:
    """Check a file of accounts or transactions, and settle what it asks for."""
    import asyncio

    from koshel.files.faults import FAULTS_MAX, Faulty, Stopped, UnfitFile
    from koshel.files.formats import format_of
    from koshel.files.importing import Source

    # Some ten thousand lines are under way at once. At its usual 700 allocations the collector would look at them again
    # and again: a fifth of Python's time. Nothing of them is a cycle, so next to nothing waits to be freed.
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    path, kind = options["file"], options["kind"]
    try:
        source = Source(
            path,
            format_of(path, options["format"], to_read=True),
            kind,
            ids_as=options["ids_as"],
            with_balances=not options.get("without_balances", False),
        )
        with opened(chosen) as at:
            said = asyncio.run(_import(chosen, at, source, options["ledger"], dry_run=options["dry_run"]))
    except Faulty as error:
        sys.stderr.write("".join(f"koshel: {path}: {fault}\n" for fault in error.faults))
        count = len(error.faults)
        found = "1 fault" if count == 1 else f"{count} faults" + (" or more" if count == FAULTS_MAX else "")
        raise CommandError(f"{path}: nothing was imported: {found}") from None
    except Stopped as error:
        raise CommandError(f"{path}: {error}") from None
    except UnfitFile as error:
        raise CommandError(str(error)) from None
    sys.stdout.write(said)
    return 0


async def _import(chosen: Settings, at: "Database", source: "Source", ledger: str, *, dry_run: bool) -> str:
    from asyncio import CancelledError
    from tempfile import TemporaryFile

    from koshel.asking.requests import Requests
    from koshel.asking.terms import terms_of
    from koshel.command_line.progress import bar
    from koshel.db.access import ledgers
    from koshel.engine import open_engine
    from koshel.files.importing import Import
    from koshel.files.spool import Spool
    from koshel.submit import settled

    async with open_engine(_patient(chosen), at.target, background=False) as engine:
        found = await engine.store.look(lambda connection, q: ledgers.find(connection, q, ledger))
        if found is None:
            raise CommandError(_no_ledger(ledger))
        requests = Requests(found.id, terms_of(chosen))
        with TemporaryFile() as file:
            work = Import(source, requests, engine.store, settled(engine), Spool(file))
            with bar(f"Checking {source.path}") as progress:
                count = await work.check(progress)
            if dry_run:
                return f"No faults. {source.kind.capitalize()} that can be imported: {count}.\n"
            try:
                with bar(f"Importing {source.path}") as progress:
                    result = await work.run(progress)
            except CancelledError:  # by Ctrl-C
                sys.stderr.write(
                    f"koshel: {source.path}: what was imported stays; the same command goes on from there\n"
                )
                raise
    return _became(source.kind, result)


def _became(kind: str, result: "Result") -> str:
    """What an import says at its end."""
    said = [f"Imported {kind}: {result.new}. There already: {result.known}."]
    if result.equal:
        lacks = "name" if kind == "accounts" else "idempotency_key"
        said.append(
            f"Taken for lines that were imported before, since they say the same and have no {lacks}: {result.equal}, "
            f"the first in line {result.equal_line}."
        )
    said += [f"Passed over, {what}: {many}." for what, many in sorted(result.passed_over.items())]
    return "".join(f"{one}\n" for one in said)


def demo(chosen: Settings, options: Options) -> int:
    """Make a ledger, and fill it with a month of a marketplace."""
    import asyncio
    from datetime import UTC, datetime, timedelta

    from koshel.inputs.texts import is_ledger_name
    from koshel.inputs.values import LEDGER_REASON

    name = options["ledger"]
    if not is_ledger_name(name):
        raise CommandError(f"the name of a ledger {LEDGER_REASON}")
    month = options["month"] or datetime.now(UTC).date().replace(day=1) - timedelta(days=1)
    with opened(chosen) as at:
        made = asyncio.run(_demo(chosen, at, name, options["seed"], month.replace(day=1)))
    sys.stdout.write(f"{name}: {made.accounts} accounts, {made.transactions} transactions, {month:%B %Y}\n")
    return 0


async def _demo(chosen: Settings, at: "Database", name: str, seed: int, month: "date") -> "Made":
    from koshel.command_line.progress import bar
    from koshel.demo import fill
    from koshel.library.ledger import Ledger

    if not await Ledger.create(at.owner_url, name, schema=chosen.schema):
        raise CommandError(f"there is a ledger {name!r} already; --ledger names another one")
    try:
        async with Ledger.open(at.service_url, _patient(chosen), ledger=name) as ledger:
            with bar(f"Filling {name}") as progress:
                return await fill(ledger, seed, month, progress)
    except BaseException:  # by Ctrl-C too, which cancels this
        sys.stderr.write(f"koshel: the ledger {name} is there, and half filled; --ledger names another one\n")
        raise


def _patient(chosen: Settings) -> Settings:
    """The settings for a program that nobody waits for: a machine that is busy does not end it."""
    return replace(chosen, statement_timeout_ms=max(chosen.statement_timeout_ms, STATEMENT_TIMEOUT_MS))
