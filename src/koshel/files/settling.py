"""What lines ask for, settled: a batch of them at a time, all of it or nothing.

Several batches of transactions are settled in one database transaction, by COPY, which takes half the time. If
anything stands in the way of one, nothing of them is done, and they are settled one by one, as all others are.
"""

import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from koshel.asking.requests import Requests
from koshel.core.commands import EnsureAccount, Group, Move
from koshel.core.model import Declined, Grouped, Outcome, Replayed
from koshel.db.borrowed import borrow
from koshel.db.errors import Conflict, NoPartition, Obstructed
from koshel.db.queries import Queries
from koshel.db.settling.parts import Prepared, prepared
from koshel.db.store import Store
from koshel.files.faults import Stopped
from koshel.files.together import Together
from koshel.files.wishes import AccountWish, TransactionWish, Wish, balance_of, has_ids
from koshel.inputs.texts import AT
from koshel.library import results
from koshel.settle import settle
from koshel.settle_parts import PartRefused, settle_parts
from koshel.submit import Submit, alone

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection


class Stretch(NamedTuple):
    """Batches that are settled together, if there is work of that kind."""

    batches: Sequence[Sequence[Wish]]
    work: Prepared | None


class Settling:
    """Settles batches of one file, each as a group of commands; what opens accounts without names, as two."""

    def __init__(self, requests: Requests, submit: Submit, store: Store) -> None:
        self._requests = requests
        self._submit = submit
        self._store = store
        self.together = Together()  # how many batches a stretch should have
        self._are_new = False  # whether the keys of the next lines are taken for new, as those before them were
        self._looks_always = False  # since they were not
        self._is_waited_for = False  # whether callers wait for the accounts of the last stretch

    def stretch(self, batches: Sequence[Sequence[Wish]]) -> Stretch:
        """Some batches, to be settled together. No connection is used, so another thread can do this."""
        groups = [self._moves(wishes) for wishes in batches]
        together = [one for one in groups if one is not None]
        if len(together) < len(batches):
            return Stretch(batches, None)
        return Stretch(batches, prepared(together, are_new=self._are_new))

    async def settle_together(self, stretch: Stretch) -> list[Outcome]:
        """What became of each line of some batches. Raises Stopped: then what stands before the batch is done."""
        begun, is_obstructed = time.monotonic(), False
        self._is_waited_for = False
        outcomes: list[Outcome] | None = None
        if stretch.work is not None and not self._store.namespace.is_confined and not self.together.is_apart:
            try:
                outcomes = await self._settle_parts(stretch.work)
            except Obstructed:
                is_obstructed = True
            except NoPartition:  # it is made when they are settled one by one
                pass
            except (Conflict, PartRefused):
                self._are_new, self._looks_always = False, True
        if outcomes is None:
            begun = time.monotonic()
            outcomes = [outcome for wishes in stretch.batches for outcome in await self.settle(wishes)]
        self.together.settled(len(stretch.batches), time.monotonic() - begun, is_waited_for=self._is_waited_for)
        if is_obstructed:
            self.together.obstructed()
        return outcomes

    async def _settle_parts(self, work: Prepared) -> list[Outcome]:
        async with self._store.parts(work) as parts:
            done = await settle_parts(parts)
            self._is_waited_for = parts.is_waited_for
        outcomes: list[Outcome] = [outcome for part in done for outcome in part.outcomes]
        # Where one line was imported before, the next one may have been too; elsewhere to look for each key is in vain.
        self._are_new = not (self._looks_always or Replayed in set(map(type, outcomes)))
        return outcomes

    def _moves(self, wishes: Sequence[Wish]) -> Group | None:
        """The group of a batch that has nothing but moves between accounts whose ids are known."""
        moves = [one.move for one in wishes if isinstance(one, TransactionWish) and has_ids(one.move)]
        return self._requests.batch(moves) if len(moves) == len(wishes) else None

    async def settle(self, wishes: Sequence[Wish]) -> list[Outcome]:
        """What became of each line. Raises Stopped where one is refused: then nothing of the batch was done."""
        nameless = [one for one in wishes if isinstance(one, AccountWish) and one.opening.name is None]
        if not nameless:
            return await self._settle_group(wishes, self._submit, {})
        work = partial(self._settle_two, wishes=wishes, nameless=nameless)
        try:
            return await self._store.transact([self._requests.ledger_id], work)
        except NoPartition:  # it has been made since
            return await self._store.transact([self._requests.ledger_id], work)

    async def _settle_two(
        self, connection: "AnyConnection", _: Queries, *, wishes: Sequence[Wish], nameless: Sequence[AccountWish]
    ) -> list[Outcome]:
        """The same in one database transaction: what brings an account's balance must know its id, or its name."""
        batches = borrow(connection, self._store.namespace, rehearses=False)
        opened: dict[int, Outcome] = {}
        outcomes = await settle(batches, [one.opening for one in nameless])
        for one, outcome in zip(nameless, outcomes, strict=True):
            if isinstance(outcome, Declined):
                raise Stopped(one.line, wishes[0].line, results.refusal(outcome))
            opened[one.line] = outcome
        return await self._settle_group(wishes, alone(batches), opened)

    async def _settle_group(self, wishes: Sequence[Wish], submit: Submit, opened: dict[int, Outcome]) -> list[Outcome]:
        """The same, where those accounts were opened that have no name: by their lines."""
        members = [member for one in wishes for member in self._members(one, opened)]
        if not members:
            return [opened[one.line] for one in wishes]
        outcome = await submit(self._group(members))
        if isinstance(outcome, Declined):
            at = members[int(outcome.facts["index"])].line if outcome.cause is not None else wishes[0].line
            raise Stopped(at, wishes[0].line, results.refusal(outcome.cause or outcome))
        assert isinstance(outcome, Grouped)
        became = {member.line: one for member, one in zip(members, outcome.outcomes, strict=True) if member.is_counted}
        by_line = became | opened
        return [by_line[one.line] for one in wishes]

    def _group(self, members: Sequence["_Member"]) -> Group:
        return self._requests.batch([one.command for one in members])

    def _members(self, one: Wish, opened: dict[int, Outcome]) -> Iterator["_Member"]:
        if not isinstance(one, AccountWish):
            yield _Member(one.line, one.move)
            return
        if isinstance(one.opening, EnsureAccount):
            yield _Member(one.line, one.opening)
        if one.balance:
            brings = balance_of(one, _account(one, opened), self._requests)
            yield _Member(one.line, brings, is_counted=False)


class _Member(Struct, frozen=True):
    """A member of a batch, and the line that it is of."""

    line: int
    command: EnsureAccount | Move
    is_counted: bool = True


def _account(one: AccountWish, opened: dict[int, Outcome]) -> int | str:
    name = one.opening.name
    return results.account_of(opened[one.line]).id if name is None else f"{AT}{name}"
