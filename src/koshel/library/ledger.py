"""Koshel as a library: what the HTTP service does, for Python.

    async with Ledger.open(dsn) as ledger:
        await ledger.transfer(source=1, target=2, amount="12.50", key="order-17")

A refusal is raised as Refused; whatever else is raised says whether anything was done. All of it is a KoshelError.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from koshel.asking.checks import checked, checked_id, checked_settings
from koshel.asking.requests import Requests, Strings
from koshel.asking.terms import terms_of
from koshel.callers import MAIN_LEDGER
from koshel.config.settings import Settings
from koshel.core.changes import Change
from koshel.core.commands import Command
from koshel.core.ending import EndSplit
from koshel.core.labelled import MetadataPatch
from koshel.core.model import Outcome
from koshel.db import cancelling
from koshel.db.access import ledgers
from koshel.db.borrowed import borrow
from koshel.db.errors import Away, DatabaseUnavailable, HistoryArchived
from koshel.db.facts import applied_migrations
from koshel.db.reading import changes
from koshel.db.reads import Reads
from koshel.db.starting import once
from koshel.engine import open_engine
from koshel.errors import Refused
from koshel.inputs.texts import AccountRef, asked, is_ledger_name
from koshel.inputs.values import LEDGER_REASON, Invalid
from koshel.library import history, results
from koshel.library.annotations import annotated_of, annotation
from koshel.library.books import Books
from koshel.library.life import Life, check_migrations, ledger_id_of
from koshel.library.methods import Methods
from koshel.library.results import Account, Promise, Transaction
from koshel.library.volumes import Volumes
from koshel.submit import Submit, alone, rehearsed, settled

if TYPE_CHECKING:
    from koshel.db.borrowed import Borrowable
    from koshel.db.pools import AnyConnection
    from koshel.db.queries import Queries


class Ledger(Methods, Books, Volumes):
    """One ledger: open it with `Ledger.open`, or get it from another by `within` or `rehearsal`.

    It belongs to the event loop in which it was opened, where any number of tasks may use it at once.
    """

    def __init__(
        self, life: Life, requests: Requests, reads: Reads, submit: Submit, *, rehearses: bool = False
    ) -> None:
        self.requests = requests
        self._life = life
        self._submit = submit
        self._reads = reads
        self._rehearses = rehearses

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        dsn: str,
        settings: Settings | None = None,
        *,
        ledger: str = MAIN_LEDGER,
        schema: str | None = None,
        background: bool = False,
    ) -> "AsyncIterator[Ledger]":
        """A ledger of a migrated database, by its name, over connections of its own.

        `schema` is that of its tables; without it the settings say it, or else they are looked for.
        `background`: also execute queued transactions and release expired holds, as `koshel serve` does.
        Raises SchemaNotCurrent, Misuse for a URL that cannot be used or a ledger that is not there, StoreError.
        """
        chosen = checked_settings(settings, schema)
        if not is_ledger_name(ledger):
            raise Invalid("ledger", LEDGER_REASON)
        async with open_engine(chosen, dsn, background=background) as engine:
            check_migrations(await engine.store.applied_migrations())
            ledger_id = await ledger_id_of(engine, ledger)
            life = Life()
            try:
                yield cls(life, Requests(ledger_id, terms_of(chosen)), engine.store, settled(engine))
            finally:
                life.is_over = True

    @staticmethod
    async def create(dsn: str, ledger: str, *, schema: str | None = None) -> bool:
        """Make a ledger in a migrated database; False if there was one of this name.

        Raises SchemaNotCurrent, Invalid for what can be no name, Misuse for a URL that cannot be used, StoreError.
        """
        if not is_ledger_name(ledger):
            raise Invalid("ledger", LEDGER_REASON)

        async def make(connection: "AnyConnection", q: "Queries") -> None:
            check_migrations(await applied_migrations(connection, q))
            await ledgers.add(connection, q, ledger)

        try:
            await once.transact(dsn, make, schema=schema)
        except ledgers.NameTaken:
            return False
        except Away as error:
            raise DatabaseUnavailable(str(error)) from error
        return True

    def rehearsal(self) -> "Ledger":
        """This ledger, where everything is answered as it would be, and nothing is done: no id, no lock, no receipt.

        A few at a time: beyond that it raises Overloaded.
        """
        return Ledger(self._life, self.requests, self._reads, rehearsed(self._reads), rehearses=True)

    def within(self, connection: "Borrowable") -> "Ledger":
        """This ledger in the caller's own transaction: money and the caller's rows commit together or not at all.

        The connection is one of asyncpg, or an AsyncConnection of psycopg 3; its search_path may be anything.
        The accounts stay locked until that transaction ends: do all at once, with `batch`, and commit soon.
        Each call is a savepoint, so what fails leaves nothing behind. Koshel's Conflict means that another
        transaction came in between: roll back, which lets that one go on, and begin again. Raises Misuse
        outside of a transaction; its calls do where the transaction has ended, has failed or is read only.
        """
        self._life.check()
        borrowed = borrow(connection, self._reads.namespace, rehearses=self._rehearses)
        return Ledger(self._life, self.requests, borrowed, alone(borrowed), rehearses=self._rehearses)

    async def account(self, account: AccountRef) -> Account | None:
        """The account, by its id or by "@" and its name; None if there is none. Raises StoreError, Misuse."""
        self._life.check()
        id_, name = asked(account, "account")
        wanted = checked_id(id_, "account_id") if name is None else name
        details = await self._reads.get_account(self.requests.ledger_id, wanted)
        return None if details is None else results.account(details)

    async def transaction(self, transaction_id: int) -> Transaction | Promise | None:
        """The transaction as it stands now, None if there is none. Raises StoreError, Misuse.

        A Promise if it is not decided yet, or was declined in the background, or cancelled; a Hold if it is one.
        """
        self._life.check()
        found = await self._reads.get_transaction(self.requests.ledger_id, checked_id(transaction_id, "transaction_id"))
        return None if found is None else results.read(found)

    async def cancel(self, transaction_id: int) -> Promise:
        """Cancel a queued transaction, for ever; cancelled again, it is the same. Raises StoreError, Misuse.

        Refused as `transaction-not-found` if there is none, as `not-cancellable` if it is decided.
        """
        self._life.check()
        ledger_id, id_ = self.requests.ledger_id, checked_id(transaction_id, "transaction_id")
        if self._rehearses:
            found = await self._reads.get_transaction(ledger_id, id_)
            found = replace(found, status="cancelled") if found is not None and found.status == "queued" else found
        else:
            work = partial(cancelling.cancel, ledger_id=ledger_id, transaction_id=id_, request_id=None)
            found = await self._reads.transact([ledger_id], work)
        if found is None:
            raise Refused("transaction-not-found", {"transaction_id": id_})
        cancelled = results.read(found)
        if not isinstance(cancelled, Promise) or cancelled.status != "cancelled":
            raise Refused("not-cancellable", {"transaction_id": id_, "status": found.status})
        return cancelled

    async def split_transactions(self, group_id: int) -> list[Transaction] | None:
        """The transactions of a split as they stand now, None if there is none. Raises Refused, StoreError, Misuse."""
        self._life.check()
        id_ = checked_id(group_id, "group_id")
        try:
            found = await self._reads.get_split(self.requests.ledger_id, id_)
        except HistoryArchived as error:
            raise history.refused(error) from None
        if found is None:
            return None
        return [made for made in map(results.read, found) if isinstance(made, Transaction)]

    async def _with_holds(self, command: EndSplit) -> EndSplit:
        self._life.check()
        split_id = checked_id(command.split_id, "group_id")
        holds = await self._reads.get_split_ids(self.requests.ledger_id, split_id)
        if holds is None:
            raise Refused("split-not-found", {"split_id": split_id})
        return replace(command, holds=holds)

    async def annotate(
        self,
        transaction_id: int,
        *,
        metadata: Strings | UnsetType = UNSET,
        metadata_patch: MetadataPatch | UnsetType = UNSET,
        description: str | UnsetType | None = UNSET,
        key: str | None = None,
    ) -> Transaction:
        """The posted transaction, with other notes. Raises Refused, Misuse, StoreError.

        `metadata` replaces what is there, `metadata_patch` is merged into it: None removes an entry. A `description` of
        None is none. The transaction itself never changes: each change is kept beside it, and `changes_of_transaction`
        has them. Refused as `not-posted` while it is queued, and once it was declined or cancelled.
        """
        command = annotation(
            self.requests.ledger_id,
            transaction_id,
            metadata=metadata,
            metadata_patch=metadata_patch,
            description=description,
            key=key,
        )
        return annotated_of(await self._settle(command))

    async def changes_of_account(self, account: AccountRef) -> Sequence[Change] | None:
        """What was changed of an account, its opening first; None if there is no such account.

        Before the opening everything was None. Raises StoreError, Misuse.
        """
        id_, name = asked(account, "account")
        return await self._changes(changes.of_account, checked_id(id_, "account_id") if name is None else name)

    async def changes_of_transaction(self, transaction_id: int) -> Sequence[Change] | None:
        """What was changed of the notes on a transaction, oldest first; None if there is no such transaction.

        Raises StoreError, Misuse.
        """
        return await self._changes(changes.of_transaction, checked_id(transaction_id, "transaction_id"))

    async def _changes(self, read: changes.Read, of: int | str) -> Sequence[Change] | None:
        self._life.check()
        ledger_id = self.requests.ledger_id
        return await self._reads.look_up(ledger_id, partial(changes.all_of, read=read, ledger_id=ledger_id, of=of))

    async def _settle(self, command: Command) -> Outcome:
        self._life.check()
        return await self._submit(checked(command, self.requests.ledger_id))
