"""Koshel as a library: what the HTTP service does, for Python.

    async with Ledger.open(dsn) as ledger:
        await ledger.transfer(1, 2, "12.50", key="order-17")

A refusal is raised as Refused; whatever else is raised is an accident, and says whether anything was done.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from koshel.core.commands import Command, Enqueue, Group
from koshel.core.model import (
    AccountDetails,
    Changed,
    Declined,
    Executed,
    First,
    Grouped,
    Opened,
    Outcome,
    Posted,
    Queued,
    Replayed,
)
from koshel.db import schema
from koshel.db.batch import Batches
from koshel.db.batches import Borrowed
from koshel.db.errors import Crowded
from koshel.db.reads import Reads
from koshel.db.rows import Found
from koshel.engine import Engine, open_engine
from koshel.queue import Overloaded
from koshel.requests import Requests, Terms, checked
from koshel.settings import Settings
from koshel.settle import settle

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

MAIN_LEDGER_ID = 1  # without API keys there is one ledger, `main`; the first migration makes it

P = ParamSpec("P")
AnswerT = TypeVar("AnswerT")
Submit = Callable[[Command], Awaitable[Outcome]]


class Refused(Exception):
    """The request was refused, and nothing was done. `code` is that of the HTTP problem, `facts` explain it."""

    def __init__(self, declined: Declined) -> None:
        self.code: str = declined.refusal
        self.facts: Mapping[str, str | int] = declined.facts
        self.cause = None if declined.cause is None else Refused(declined.cause)  # of a batch: the member's
        facts = ", ".join(f"{name} {fact}" for name, fact in self.facts.items())
        super().__init__(f"{self.code}: {facts}" if self.cause is None else f"{self.code}: {facts}: {self.cause}")


class SchemaNotCurrent(Exception):
    """The database lacks migrations: run `koshel migrate`."""


class Promised(Exception):
    """The key stands for a background transaction, which is decided by itself: see `Ledger.transaction`."""

    def __init__(self, queued: Queued) -> None:
        super().__init__(f"transaction {queued.id} is decided in the background")
        self.transaction_id = queued.id


def _posted(first: First) -> Posted:
    assert isinstance(first, Posted)
    return first


def _account(first: First) -> AccountDetails:
    assert isinstance(first, Opened | Changed)
    return first.account


def _members(first: First) -> list[Posted | Queued | Refused]:
    assert isinstance(first, Grouped)
    members = [one.first if isinstance(one, Replayed) else one for one in first.outcomes]
    answers: list[Posted | Queued | Refused] = []
    for one in members:
        assert isinstance(one, Posted | Queued | Declined)
        answers.append(Refused(one) if isinstance(one, Declined) else one)
    return answers


def _asking(
    build: Callable[Concatenate[Requests, P], Command],
    answer: Callable[[First], AnswerT],
) -> "Callable[Concatenate[Ledger, P], Coroutine[Any, Any, AnswerT]]":
    """The method of Ledger that settles what the method of Requests builds, with the same arguments."""

    @wraps(build)
    async def ask(ledger: "Ledger", /, *args: P.args, **kwargs: P.kwargs) -> AnswerT:
        outcome = await ledger.submit(build(ledger.requests, *args, **kwargs))
        first = outcome.first if isinstance(outcome, Replayed) else outcome
        assert not isinstance(first, Executed)
        if isinstance(first, Declined):
            raise Refused(first)
        if isinstance(first, Queued):
            raise Promised(first)
        return answer(first)

    return ask


class Ledger:
    """One ledger: open it with `Ledger.open`, or from another with `within`.

    Amounts are exact: Decimal, str or int. A `key` is an idempotency key: the same one gives the same answer
    for ever. Each method returns when its effect is durable, and raises Refused; values.Invalid, a ValueError, for
    an argument that can never be right; koshel.db.errors.StoreError; koshel.queue.Overloaded.
    """

    def __init__(self, ledger_id: int, terms: Terms, reads: Reads, submit: Submit, *, rehearses: bool = False) -> None:
        self.requests = Requests(ledger_id, terms)  # what the methods send, to put into a batch
        self._submit = submit
        self._ledger_id = ledger_id
        self._reads = reads
        self._rehearses = rehearses

    open_account = _asking(Requests.open_account, _account)
    change_account = _asking(Requests.change_account, _account)
    pay = _asking(Requests.payment, _posted)
    withdraw = _asking(Requests.withdrawal, _posted)
    transfer = _asking(Requests.transfer, _posted)
    hold = _asking(Requests.hold, _posted)
    capture = _asking(Requests.capture, _posted)
    void = _asking(Requests.void, _posted)
    refund = _asking(Requests.refund, _posted)
    batch = _asking(Requests.batch, _members)  # an atomic one, if it is refused, raises Refused with a `cause`

    @classmethod
    @asynccontextmanager
    async def open(
        cls, dsn: str, settings: Settings | None = None, *, background: bool = False
    ) -> "AsyncIterator[Ledger]":
        """The main ledger of a migrated database, over connections of its own.

        `background`: also execute queued transactions and release expired holds, as `koshel serve` does.
        Raises SchemaNotCurrent, StoreError.
        """
        chosen = Settings() if settings is None else settings
        async with open_engine(chosen, dsn, background=background) as engine:
            if missing := set(schema.known()) - await engine.store.applied_migrations():
                message = f"the schema lacks {', '.join(sorted(missing))}; run `koshel migrate`"
                raise SchemaNotCurrent(message)
            yield cls.of(engine, terms_of(chosen))

    @classmethod
    def of(cls, engine: Engine, terms: Terms) -> "Ledger":
        """The main ledger, over an engine that is open."""
        return cls(MAIN_LEDGER_ID, terms, engine.store, partial(_submit, engine))

    def rehearsal(self) -> "Ledger":
        """This ledger, where everything is answered as it would be, and nothing is done: no id, no lock, no receipt.

        A few at a time: beyond that it raises Overloaded.
        """
        submit = partial(_rehearse, self._reads)
        return Ledger(self._ledger_id, self.requests.terms, self._reads, submit, rehearses=True)

    def within(self, connection: "AnyConnection") -> "Ledger":
        """This ledger in the caller's own transaction: money and the caller's rows commit together or not at all.

        The accounts stay locked until that transaction ends: do all at once, with `batch`, and commit soon.
        Each call is a savepoint, so what fails leaves nothing behind. Koshel's Conflict means that another
        transaction came in between: roll back, which lets that one go on, and begin again. Raises ValueError
        outside of a transaction.
        """
        if not connection.is_in_transaction():
            raise ValueError("the connection is not in a transaction")
        borrowed = Borrowed(connection, rehearses=self._rehearses)
        submit = partial(_settle_one, borrowed)
        return Ledger(self._ledger_id, self.requests.terms, borrowed, submit, rehearses=self._rehearses)

    def submit(self, command: Command) -> Awaitable[Outcome]:
        """The outcome of a command, refusals too; `requests.enqueue(…)` is one that is queued. Raises ValueError."""
        return self._submit(checked(command))

    async def account(self, account_id: int) -> AccountDetails | None:
        """The account, None if there is none."""
        with _crowding():
            return await self._reads.get_account(self._ledger_id, account_id)

    async def transaction(self, transaction_id: int) -> Found | None:
        """The transaction and its status, None if there is none."""
        with _crowding():
            return await self._reads.get_transaction(self._ledger_id, transaction_id)


def terms_of(settings: Settings) -> Terms:
    """The settings that say what holds where a caller does not."""
    return Terms(settings.currency, settings.max_balance, settings.hold_lifetime_s, settings.hold_lifetime_max_s)


def _submit(engine: Engine, command: Command) -> "asyncio.Future[Outcome]":
    answer = engine.batcher.submit(command, size=0, weight=_weight(command))
    if isinstance(command, Enqueue):
        answer.add_done_callback(lambda _: engine.background.wake())
    return answer


def _weight(command: Command) -> int:
    return len(command.members) if isinstance(command, Group) else 1


async def _rehearse(reads: Reads, command: Command) -> Outcome:
    with _crowding():
        return await reads.rehearse(partial(_settle_one, reads.rehearsals, command), weight=_weight(command))


async def _settle_one(batches: Batches, command: Command) -> Outcome:
    (outcome,) = await settle(batches, [command])
    return outcome


@contextmanager
def _crowding() -> Iterator[None]:
    """To its callers the library says the same, whatever it is that too many wait for."""
    try:
        yield
    except Crowded as error:
        raise Overloaded from error
