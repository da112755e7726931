"""Accounts and transactions from a file: all of it is checked first, then it is settled, a batch at a time.

Each batch is atomic, and each line has a name or a key. So an import that was stopped goes on where it stopped, when it
is run again.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct, field

from koshel.asking.requests import Requests
from koshel.core.model import Opened, Outcome, Posted
from koshel.db.store import Store
from koshel.files.accounts import Accounts
from koshel.files.checks import Checks
from koshel.files.faults import FAULTS_MAX, Fault, Faulty, Stopped
from koshel.files.formats import IMPORTED
from koshel.files.lines import Line, Read
from koshel.files.order import Order
from koshel.files.plain import Plain
from koshel.files.reading import lines_of
from koshel.files.settling import Settling
from koshel.files.spool import Spool
from koshel.files.wishes import Reader, TransactionWish, Wish
from koshel.inputs.values import MEMBERS_MAX, Invalid
from koshel.submit import Submit

LINES_AT_ONCE = {"transactions": MEMBERS_MAX, "accounts": MEMBERS_MAX // 2}  # an account's balance is a member too

Progress: TypeAlias = Callable[[float], None]


class Source(Struct, frozen=True):
    """A file, and how its lines are meant."""

    path: str
    form: str  # one of FORMATS
    kind: str  # accounts or transactions
    ids_as: str | None = None  # before an id, it makes the name of an account of it
    with_balances: bool = True


class Result(Struct):
    """How many lines were imported, how many had been before, and what was passed over, in words.

    `equal`: those of the known ones that are known by nothing but what they say, and `equal_line` the first of them.
    """

    new: int = 0
    known: int = 0
    equal: int = 0
    equal_line: int | None = None
    passed_over: Counter[str] = field(default_factory=Counter)

    def count(self, batches: Sequence[Sequence[Wish]], outcomes: Sequence[Outcome]) -> None:
        """So many lines more, and what became of each."""
        counted = Counter(map(type, outcomes))  # while PostgreSQL waits for the next ones: by type, since that is quick
        new = counted[Opened] + counted[Posted]
        self.new += new
        self.known += len(outcomes) - new
        if new < len(outcomes):
            wishes = zip(chain(*batches), outcomes, strict=True)
            equal = [one.line for one, outcome in wishes if one.by_content and not isinstance(outcome, Opened | Posted)]
            self.equal += len(equal)
            if equal and self.equal_line is None:
                self.equal_line = equal[0]


class Import:
    """The import of one file into the ledger of the requests."""

    def __init__(self, source: Source, requests: Requests, store: Store, submit: Submit, spool: Spool) -> None:
        self._source = source
        self._settling = Settling(requests, submit, store)
        self._spool = spool
        accounts = Accounts(store, requests.ledger_id)
        self._checks = Checks(store, requests, accounts)
        self._reader = Reader(requests, ids_as=source.ids_as, with_balances=source.with_balances, known=accounts.asked)
        self._plain = Plain(requests.ledger_id, accounts, self._reader.keys)
        self._order = Order()
        self._bytes = max(1, Path(source.path).stat().st_size)
        self._count = 0  # of lines that ask for something

    async def check(self, progress: Progress) -> int:
        """Look at every line, and write nothing; returns how many ask for something. Raises Faulty, UnfitFile."""
        faults = list[Fault]()
        lines = lines_of(self._source.path, self._source.form, IMPORTED[self._source.kind])
        while some := [*islice(lines, LINES_AT_ONCE[self._source.kind])]:
            wishes, wrong = await self._checked(some)
            faults += wrong
            self._count += len(wishes)
            if len(faults) >= FAULTS_MAX:
                break
            if wishes and not faults:
                self._spool.put(wishes)
            if isinstance(some[-1], Line):
                progress(some[-1].end / self._bytes)
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
            result.count(stretch.batches, outcomes)
            count += sum(map(len, stretch.batches))
            progress(count / whole)
            stretch = following
        return result

    def _transaction(self, line: Line) -> TransactionWish | None:
        self._order.look(line)
        return self._reader.transaction(line)

    async def _checked(self, lines: Sequence[Read]) -> tuple[Sequence[Wish], Sequence[Fault]]:
        """What lines ask for, and what is wrong with them, in their order."""
        if self._source.kind == "transactions":
            plain = await self._plain.transactions(lines)
            if plain is not None:
                return plain, ()
        wishes, wrong = self._read(lines)
        faults = sorted([*wrong, *await self._checks.faults(wishes)], key=lambda fault: fault.line)
        return wishes if faults else self._checks.with_ids(wishes), faults

    def _read(self, lines: Sequence[Read]) -> tuple[Sequence[Wish], Sequence[Fault]]:
        """What lines ask for, one by one, and what is wrong with some of them."""
        read = self._reader.account if self._source.kind == "accounts" else self._transaction
        wishes, faults = list[Wish](), list[Fault]()
        for line in lines:
            if isinstance(line, Fault):
                faults.append(line)
                continue
            try:
                wish = read(line)
            except Invalid as error:
                faults.append(Fault(line.number, error.field, error.reason))
            else:
                if wish is not None:
                    wishes.append(wish)
        return wishes, faults
