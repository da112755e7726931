"""The commands of ledgers, keys and personal data.

A key leaves alone on standard output, once; what is said of it on standard error.

As in `commands`, each imports what it needs when it is run.
"""

import os
import sys
from argparse import ArgumentTypeError
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from koshel.callers import MAIN_LEDGER, Scope
from koshel.command_line.commands import CommandError, Options, opened
from koshel.config.settings import Settings
from koshel.core.commands import Status
from koshel.inputs.texts import is_ledger_name
from koshel.inputs.values import ID_MAX

if TYPE_CHECKING:
    from koshel.db.access.api_keys import KeyRow, NewKey
    from koshel.db.access.ledgers import LedgerRow

PAGE = 500

T = TypeVar("T")

Work = Callable[..., Awaitable[T]]


class _Database:
    """Asks the database, a database transaction for each question."""

    def __init__(self, url: str, schema: str | None) -> None:
        self._url = url
        self._schema = schema

    def ask(self, work: Work[T], *arguments: Any, ledger_id: int | None = None, **named: Any) -> T:
        import asyncio

        from koshel.db.starting import once

        def bound(connection: Any, q: Any) -> Awaitable[T]:
            return work(connection, q, *arguments, **named)

        return asyncio.run(once.transact(self._url, bound, ledger_id=ledger_id, schema=self._schema))

    def ask_of(self, ledger_id: int, work: Work[T], *arguments: Any, **named: Any) -> T:
        return self.ask(work, ledger_id, *arguments, ledger_id=ledger_id, **named)

    def ledger(self, name: str) -> "LedgerRow":
        from koshel.db.access import ledgers

        found = self.ask(ledgers.find, name)
        if found is None:
            raise CommandError(f"there is no ledger {name!r}; make it with `koshel ledger create {name}`")
        return found

    def ledger_of_key(self, key_id: int) -> int:
        from koshel.db.access import api_keys

        found = self.ask(api_keys.ledger_of, key_id)
        if found is None:
            raise CommandError(f"there is no key {key_id}; `koshel key list` shows all")
        return found


def create_ledger(chosen: Settings, options: Options) -> int:
    """Make a ledger."""
    from koshel.db.access import ledgers

    name = _checked(options["name"])
    with _opened(chosen) as database:
        try:
            database.ask(ledgers.add, name)
        except ledgers.NameTaken as error:
            raise CommandError(f"there is a ledger {name} already") from error
    sys.stdout.write(f"{name}\n")
    return 0


def list_ledgers(chosen: Settings, _: Options) -> int:
    """List the ledgers."""
    from koshel.db.access import ledgers

    with _opened(chosen) as database:
        for one in database.ask(ledgers.all_of_them):
            sys.stdout.write(f"{one.name}\t{_moment(one.ctime)}\n")
    return 0


def rename_ledger(chosen: Settings, options: Options) -> int:
    """Give a ledger another name."""
    from koshel.db.access import ledgers

    name = _checked(options["new_name"])
    if options["name"] == MAIN_LEDGER:
        raise CommandError(f"the ledger {MAIN_LEDGER} keeps its name")
    with _opened(chosen) as database:
        ledger = database.ledger(options["name"])
        try:
            database.ask(ledgers.rename, ledger.id, name)
        except ledgers.NameTaken as error:
            raise CommandError(f"there is a ledger {name} already") from error
    sys.stdout.write(f"{name}\n")
    return 0


def create_key(chosen: Settings, options: Options) -> int:
    """Make a key, and print it."""
    from koshel.db.access import api_keys

    scope, path = Scope(options["scope"]), options["output"]
    with _output(path) as output:
        if output is None:
            sys.stderr.write(f"koshel: {path} is there already, so no key is made\n")
            return 0
        with _opened(chosen) as database:
            ledger = database.ledger(options["ledger"])
            new = database.ask_of(ledger.id, api_keys.add, scope, name=options["name"], lasts_s=options["expires"])
        _print_key(new, f"of the ledger {ledger.name}", output)
    return 0


def list_keys(chosen: Settings, options: Options) -> int:
    """List keys, of a ledger or of all."""
    from koshel.db.access import ledgers

    with _opened(chosen) as database:
        name = options["ledger"]
        for ledger in [database.ledger(name)] if name else database.ask(ledgers.all_of_them):
            for key in _keys(database, ledger.id):
                cells = (str(key.id), ledger.name, key.name or "-", key.scope, key.status)
                moments = map(_moment, (key.ctime, key.expires_at, key.last_used_at))
                sys.stdout.write("\t".join([*cells, *moments]) + "\n")
    return 0


def revoke_key(chosen: Settings, options: Options) -> int:
    """Revoke a key."""
    from koshel.db.access import api_keys

    key_id = options["id"]
    with _opened(chosen) as database:
        ledger_id = database.ledger_of_key(key_id)
        revoke = partial(database.ask_of, ledger_id, api_keys.revoke, key_id)
        try:
            revoke()
        except api_keys.LastAdminKey:
            revoke(even_the_last=True)
            said = "no other admin key of its ledger is valid as long; make another one with `koshel key create`"
            sys.stderr.write(f"koshel: key {key_id} is revoked; {said}\n")
    sys.stdout.write(f"{key_id}: revoked\n")
    return 0


def rotate_key(chosen: Settings, options: Options) -> int:
    """Make a key in place of another one, and print it."""
    from koshel.db.access import api_keys

    key_id, overlap_s = options["id"], options["overlap"]
    with _opened(chosen) as database:
        ledger_id = database.ledger_of_key(key_id)
        try:
            new = database.ask_of(ledger_id, api_keys.rotate, key_id, overlap_s=overlap_s)
        except api_keys.NotUsable as error:
            raise CommandError(f"key {key_id} was revoked or has expired; make a new one") from error
    assert new is not None, "a key stays for ever"
    _print_key(new, f"in place of key {key_id}, which expires at {_moment(new.old_expires_at)}", sys.stdout)
    return 0


def account_of(text: str) -> int | str:
    """Which account is meant: its id, or after an @ its name."""
    if text.startswith("@"):
        return text.removeprefix("@")
    if not text.isascii() or not text.isdigit() or int(text) > ID_MAX:
        raise ArgumentTypeError(f"{text!r} is neither an id nor @ and a name")
    return int(text)


def erase_account(chosen: Settings, options: Options) -> int:
    """Erase the personal data of a closed account."""
    from koshel.db import erasure

    account = options["account"]
    with _opened(chosen) as database:
        if isinstance(account, int):
            ledger_id, asked = database.ask(erasure.ledger_of, account), str(account)
        else:
            ledger_id, asked = database.ledger(options["ledger"]).id, f"@{account}"
        erased = None if ledger_id is None else database.ask_of(ledger_id, erasure.erase, account)
    if erased is None:
        raise CommandError(f"there is no account {asked}")
    if erased.status is not Status.CLOSED:
        raise CommandError(f"account {asked} is {erased.status}; close it first")
    sys.stdout.write(f"{asked}: its email and its metadata are erased\n")
    return 0


@contextmanager
def _opened(chosen: Settings) -> Iterator[_Database]:
    with opened(chosen) as at:
        yield _Database(at.owner_url, chosen.schema)


@contextmanager
def _output(path: str | None) -> Iterator[TextIO | None]:
    """Standard output, or a new file; None if the file is there. One that stays empty is as good as none."""
    if path is None:
        yield sys.stdout
        return
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+") as file:
        yield None if os.fstat(file.fileno()).st_size else file


def _checked(name: str) -> str:
    if not is_ledger_name(name):
        raise CommandError(f"{name!r} is not 1 to 64 characters of a-z, 0-9, _ and -")
    return name


def _keys(database: _Database, ledger_id: int) -> "Iterator[KeyRow]":
    from koshel.db.access import api_keys

    before = ID_MAX
    while page := database.ask_of(ledger_id, api_keys.page, before=before, count=PAGE):
        yield from page
        before = page[-1].id


def _print_key(new: "NewKey", what: str, output: TextIO) -> None:
    until = "" if new.row.expires_at is None else f", until {_moment(new.row.expires_at)}"
    sys.stderr.write(f"koshel: key {new.row.id} {what}, scope {new.row.scope}{until}; it is not shown again\n")
    output.write(f"{new.text}\n")


def _moment(moment: datetime | None) -> str:
    return "-" if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
