"""Accounts and transactions from a file: all of it is checked first, then it is settled, a batch at a time.

Each batch is atomic, and each line has a name or a key. So an import that was stopped goes on where it stopped, when it
is run again.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct, field

from koshel import results
from koshel.core.commands import EnsureAccount, Move, OpenAccount
from koshel.core.model import Declined, Grouped, Opened, Outcome, Posted
from koshel.db.reads import Reads
from koshel.files.checks import Checks
from koshel.files.faults import FAULTS_MAX, Fault, Faulty, Stopped
from koshel.files.formats import IMPORTED
from koshel.files.reading import lines_of
from koshel.files.spool import Spool
from koshel.files.wishes import AccountWish, Reader, TransactionWish, Wish
from koshel.requests import Requests
from koshel.submit import Submit
from koshel.texts import AT
from koshel.values import MEMBERS_MAX, Invalid

_OPENING = "Opening balance"  # how the transaction is described that brings one
_OPENED_AT_ONCE = 200  # accounts without a name, each a command of its own

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

    def __init__(self, source: Source, requests: Requests, reads: Reads, submit: Submit, spool: Spool) -> None:
        self._source = source
        self._requests = requests
        self._reads = reads
        self._submit = submit
        self._spool = spool
        self._reader = Reader(requests, ids_as=source.ids_as, with_balances=source.with_balances)
        self._bytes = max(1, Path(source.path).stat().st_size)
        self._count = 0  # of lines that ask for something

    async def check(self, progress: Progress) -> int:
        """Look at every line, and write nothing; returns how many ask for something. Raises Faulty, UnfitFile."""
        checks, faults = Checks(self._reads, self._requests), list[Fault]()
        for wishes, wrong in self._batches(progress):
            faults += sorted([*wrong, *await checks.faults(wishes)], key=lambda fault: fault.line)
            self._count += len(wishes)
            if len(faults) >= FAULTS_MAX:
                break
            if not faults:
                self._spool.put(wishes)
        if faults:
            raise Faulty(faults[:FAULTS_MAX])
        return self._count

    async def run(self, progress: Progress) -> Result:
        """Settle what was checked, in its order. Raises Stopped where a line is refused."""
        result = Result(passed_over=self._reader.passed_over)
        count, whole = 0, max(1, self._count)
        for wishes in self._spool.batches():
            await self._settle(wishes, result)
            count += len(wishes)
            progress(count / whole)
        return result

    def _batches(self, progress: Progress) -> Iterator[tuple[list[Wish], list[Fault]]]:
        """What the lines ask for, as many as fit into one batch, and what is wrong with lines among them."""
        read = self._reader.account if self._source.kind == "accounts" else self._reader.transaction
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

    async def _settle(self, wishes: Sequence[Wish], result: Result) -> None:
        accounts = [one for one in wishes if isinstance(one, AccountWish)]
        ids = await self._open_nameless(accounts, result)
        wanted = [*self._members(accounts, ids), *(_Member(one.line, one.move) for one in _moves(wishes))]
        if not wanted:
            return
        outcome = await self._submit(self._requests.batch([one.command for one in wanted]))
        if isinstance(outcome, Declined):
            at = wanted[int(outcome.facts["index"])].line if outcome.cause is not None else wishes[0].line
            raise Stopped(at, wishes[0].line, results.refusal(outcome.cause or outcome))
        assert isinstance(outcome, Grouped)
        for one, became in zip(wanted, outcome.outcomes, strict=True):
            if one.is_counted:
                result.count(became)

    async def _open_nameless(self, wishes: Sequence[AccountWish], result: Result) -> dict[int, int]:
        """Accounts that no batch can open, having no name: their ids, by their lines."""
        ids: dict[int, int] = {}
        nameless = [(one.line, one.opening) for one in wishes if isinstance(one.opening, OpenAccount)]
        for place in range(0, len(nameless), _OPENED_AT_ONCE):
            some = nameless[place : place + _OPENED_AT_ONCE]
            for (line, _), outcome in zip(
                some, await asyncio.gather(*(self._submit(one) for _, one in some)), strict=True
            ):
                if isinstance(outcome, Declined):
                    raise Stopped(line, line, results.refusal(outcome))
                ids[line] = results.account_of(outcome).id
                result.count(outcome)
        return ids

    def _members(self, wishes: Sequence[AccountWish], ids: dict[int, int]) -> Iterator["_Member"]:
        for one in wishes:
            if isinstance(one.opening, EnsureAccount):
                yield _Member(one.line, one.opening)
            if one.balance:
                account = ids[one.line] if one.opening.name is None else f"{AT}{one.opening.name}"
                make = self._requests.payment if one.balance > 0 else self._requests.withdrawal
                brings = make(account, amount=abs(one.balance), key=one.key, description=_OPENING)
                yield _Member(one.line, brings, is_counted=False)


class _Member(Struct, frozen=True):
    """A member of a batch, and the line that it is of."""

    line: int
    command: EnsureAccount | Move
    is_counted: bool = True


def _moves(wishes: Sequence[Wish]) -> list[TransactionWish]:
    return [one for one in wishes if isinstance(one, TransactionWish)]
