"""Accounts and transactions from a file: all of it is checked first, then it is settled, a batch at a time.

Each batch is atomic, and each line has a name or a key. So an import that was stopped goes on where it stopped, when it
is run again.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct, field

from koshel.asking.requests import Requests
from koshel.core.model import Opened, Outcome, Posted
from koshel.db.store import Store
from koshel.files.checks import Checks
from koshel.files.faults import FAULTS_MAX, Fault, Faulty, Stopped
from koshel.files.formats import IMPORTED
from koshel.files.order import Order
from koshel.files.lines import Line
from koshel.files.reading import lines_of
from koshel.files.settling import Settling
from koshel.files.spool import Spool
from koshel.files.wishes import Reader, TransactionWish, Wish
from koshel.inputs.values import MEMBERS_MAX, Invalid
from koshel.submit import Submit

Progress: TypeAlias = Callable[[float], None]


class Source(Struct, frozen=True):
    """A file, and how its lines are meant."""

    path: str
    form: str  # one of FORMATS
    kind: str  # accounts or transactions
    ids_as: str | None = None  # before an id, it makes the name of an account of it
    with_balances: bool = True


class Result(Struct):
    """How many lines were imported, how many had been before, and what was passed over, in words."""

    new: int = 0
    known: int = 0
    passed_over: Counter[str] = field(default_factory=Counter)

    def count(self, outcome: Outcome) -> None:
        """One line more."""
        if isinstance(outcome, Opened | Posted):
            self.new += 1
        else:
            self.known += 1


class Import:
    """The import of one file into the ledger of the requests."""

    def __init__(self, source: Source, requests: Requests, store: Store, submit: Submit, spool: Spool) -> None:
        self._source = source
        self._settling = Settling(requests, submit, store)
        self._spool = spool
        self._checks = Checks(store, requests)
        self._reader = Reader(requests, ids_as=source.ids_as, with_balances=source.with_balances, ids=self._checks.ids)
        self._order = Order()
        self._bytes = max(1, Path(source.path).stat().st_size)
        self._count = 0  # of lines that ask for something

    async def check(self, progress: Progress) -> int:
        """Look at every line, and write nothing; returns how many ask for something. Raises Faulty, UnfitFile."""
        faults = list[Fault]()
        for wishes, wrong in self._batches(progress):
            faults += sorted([*wrong, *await self._checks.faults(wishes)], key=lambda fault: fault.line)
            self._count += len(wishes)
            if len(faults) >= FAULTS_MAX:
                break
            if not faults:
                self._spool.put(self._checks.with_ids(wishes))
        if faults:
            raise Faulty(faults[:FAULTS_MAX])
        return self._count

    async def run(self, progress: Progress) -> Result:
        """Settle what was checked, in its order. Raises Stopped where a line is refused."""
        result = Result(passed_over=self._reader.passed_over)
        count, whole = 0, max(1, self._count)
        stretches = map(self._settling.stretch, self._spool.stretches(self._settling.together.count))
        stretch = next(stretches, None)
        while stretch is not None:
            # While PostgreSQL is at work, what comes next is read.
            reading = asyncio.create_task(asyncio.to_thread(next, stretches, None))
            try:
                outcomes = await self._settling.settle_together(stretch)
            except Stopped as error:
                raise Stopped(error.line, error.since, error.refused, self._order.older) from None
            finally:
                following = await reading
            for outcome in outcomes:
                result.count(outcome)
            count += sum(map(len, stretch.batches))
            progress(count / whole)
            stretch = following
        return result

    def _transaction(self, line: Line) -> TransactionWish | None:
        self._order.look(line)
        return self._reader.transaction(line)

    def _batches(self, progress: Progress) -> Iterator[tuple[list[Wish], list[Fault]]]:
        """What the lines ask for, as many as fit into one batch, and what is wrong with lines among them."""
        read = self._reader.account if self._source.kind == "accounts" else self._transaction
        wishes, faults, weight = list[Wish](), list[Fault](), 0
        for line in lines_of(self._source.path, self._source.form, IMPORTED[self._source.kind]):
            if isinstance(line, Fault):
                faults.append(line)
            else:
                try:
                    wish = read(line)
                except Invalid as error:
                    faults.append(Fault(line.number, error.field, error.reason))
                    wish = None
                if wish is not None:
                    if weight + wish.weight > MEMBERS_MAX:
                        progress(line.end / self._bytes)
                        yield wishes, faults
                        wishes, faults, weight = [], [], 0
                    wishes.append(wish)
                    weight += wish.weight
            if len(faults) >= FAULTS_MAX:
                break
        if wishes or faults:
            yield wishes, faults
