"""The commands of ledgers and of personal data, and how they, and those of keys, ask the database.

As in `commands`, each imports what it needs when it is run.
"""

import sys
from argparse import ArgumentTypeError
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from koshel.callers import MAIN_LEDGER
from koshel.command_line.commands import CommandError, Options, opened
from koshel.config.settings import Settings
from koshel.core.commands import Status
from koshel.inputs.texts import is_ledger_name
from koshel.inputs.values import ID_MAX

if TYPE_CHECKING:
    from koshel.db.access.ledgers import LedgerRow

PAGE = 500

T = TypeVar("T")

Work = Callable[..., Awaitable[T]]


class Questions:
    """Questions to the database, each in a database transaction of its own."""

    def __init__(self, url: str, schema: str | None) -> None:
        self._url = url
        self._schema = schema

    def ask(self, work: Work[T], *arguments: Any, ledger_id: int | None = None, **named: Any) -> T:
        """What the work returns, once it is committed. `ledger_id`: whose rows it needs; None: those of all."""
        import asyncio

        from koshel.db.starting import once

        def bound(connection: Any, q: Any) -> Awaitable[T]:
            return work(connection, q, *arguments, **named)

        return asyncio.run(once.transact(self._url, bound, ledger_id=ledger_id, schema=self._schema))

    def ask_of(self, ledger_id: int, work: Work[T], *arguments: Any, **named: Any) -> T:
        """The same, of one ledger."""
        return self.ask(work, ledger_id, *arguments, ledger_id=ledger_id, **named)

    def ledger(self, name: str) -> "LedgerRow":
        """The ledger of this name. Raises CommandError."""
        from koshel.db.access import ledgers

        found = self.ask(ledgers.find, name)
        if found is None:
            raise CommandError(f"there is no ledger {name!r}; make it with `koshel ledger create {name}`")
        return found


def create_ledger(chosen: Settings, options: Options) -> int:
    """Make a ledger."""
    from koshel.db.access import ledgers

    name = _checked(options["name"])
    with questions(chosen) as database:
        try:
            database.ask(ledgers.add, name)
        except ledgers.NameTaken as error:
            raise CommandError(f"there is a ledger {name} already") from error
    sys.stdout.write(f"{name}\n")
    return 0


def list_ledgers(chosen: Settings, _: Options) -> int:
    """List the ledgers."""
    from koshel.db.access import ledgers

    with questions(chosen) as database:
        for one in database.ask(ledgers.all_of_them):
            sys.stdout.write(f"{one.name}\t{shown(one.ctime)}\n")
    return 0


def rename_ledger(chosen: Settings, options: Options) -> int:
    """Give a ledger another name."""
    from koshel.db.access import ledgers

    name = _checked(options["new_name"])
    if options["name"] == MAIN_LEDGER:
        raise CommandError(f"the ledger {MAIN_LEDGER} keeps its name")
    with questions(chosen) as database:
        ledger = database.ledger(options["name"])
        try:
            database.ask(ledgers.rename, ledger.id, name)
        except ledgers.NameTaken as error:
            raise CommandError(f"there is a ledger {name} already") from error
    sys.stdout.write(f"{name}\n")
    return 0


def account_of(text: str) -> int | str:
    """Which account is meant: its id, or after an @ its name."""
    if text.startswith("@"):
        return text.removeprefix("@")
    if not text.isascii() or not text.isdigit() or int(text) > ID_MAX:
        raise ArgumentTypeError(f"{text!r} is neither an id nor @ and a name")
    return int(text)


def erase_account(chosen: Settings, options: Options) -> int:
    """Erase the personal data of a closed account. An id is found in any ledger, unless one is named."""
    from koshel.db import erasure

    account, name = options["account"], options["ledger"]
    asked = str(account) if isinstance(account, int) else f"@{account}"
    with questions(chosen) as database:
        if isinstance(account, int) and name is None:
            ledger_id, where = database.ask(erasure.ledger_of, account), ""
        else:
            ledger = database.ledger(MAIN_LEDGER if name is None else name)
            ledger_id, where = ledger.id, f" in the ledger {ledger.name}"
        erased = None if ledger_id is None else database.ask_of(ledger_id, erasure.erase, account)
    if erased is None:
        raise CommandError(f"there is no account {asked}{where}")
    if erased.status is not Status.CLOSED:
        raise CommandError(f"account {asked} is {erased.status}; close it first")
    sys.stdout.write(f"{asked}: its email and its metadata are erased\n")
    return 0


@contextmanager
def questions(chosen: Settings) -> Iterator[Questions]:
    """To ask of the database, whose schema is current. Raises CommandError."""
    with opened(chosen) as at:
        yield Questions(at.owner_url, chosen.schema)


def _checked(name: str) -> str:
    if not is_ledger_name(name):
        raise CommandError(f"{name!r} is not 1 to 64 characters of a-z, 0-9, _ and -")
    return name


def shown(moment: datetime | None) -> str:
    """A moment in UTC, to the second."""
    return "-" if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
