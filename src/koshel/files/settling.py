"""What lines ask for, settled: a batch of them at a time, all of it or nothing."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from koshel.asking.requests import Requests
from koshel.core.commands import EnsureAccount, Group, Move
from koshel.core.model import Declined, Grouped, Outcome
from koshel.db.borrowed import borrow
from koshel.db.errors import NoPartition
from koshel.db.queries import Queries
from koshel.db.reads import Reads
from koshel.files.faults import Stopped
from koshel.files.wishes import AccountWish, Wish
from koshel.inputs.texts import AT
from koshel.library import results
from koshel.settle import settle
from koshel.submit import Submit, alone

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

_OPENING = "Opening balance"  # how the transaction is described that brings one


class Settling:
    """Settles batches of one file, each as a group of commands; what opens accounts without names, as two."""

    def __init__(self, requests: Requests, submit: Submit, reads: Reads) -> None:
        self._requests = requests
        self._submit = submit
        self._reads = reads

    async def settle(self, wishes: Sequence[Wish]) -> list[Outcome]:
        """What became of each line. Raises Stopped where one is refused: then nothing of the batch was done."""
        nameless = [one for one in wishes if isinstance(one, AccountWish) and one.opening.name is None]
        if not nameless:
            return await self._settle_group(wishes, self._submit, {})
        work = partial(self._settle_two, wishes=wishes, nameless=nameless)
        try:
            return await self._reads.transact([self._requests.ledger_id], work)
        except NoPartition:  # it has been made since
            return await self._reads.transact([self._requests.ledger_id], work)

    async def _settle_two(
        self, connection: "AnyConnection", _: Queries, *, wishes: Sequence[Wish], nameless: Sequence[AccountWish]
    ) -> list[Outcome]:
        """The same in one database transaction: what brings an account's balance must know its id, or its name."""
        batches = borrow(connection, self._reads.namespace, rehearses=False)
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
            return list(opened.values())
        outcome = await submit(self._group(members))
        if isinstance(outcome, Declined):
            at = members[int(outcome.facts["index"])].line if outcome.cause is not None else wishes[0].line
            raise Stopped(at, wishes[0].line, results.refusal(outcome.cause or outcome))
        assert isinstance(outcome, Grouped)
        became = {member.line: one for member, one in zip(members, outcome.outcomes, strict=True) if member.is_counted}
        return list((became | opened).values())

    def _group(self, members: Sequence["_Member"]) -> Group:
        return self._requests.batch([one.command for one in members])

    def _members(self, one: Wish, opened: dict[int, Outcome]) -> Iterator["_Member"]:
        if not isinstance(one, AccountWish):
            yield _Member(one.line, one.move)
            return
        if isinstance(one.opening, EnsureAccount):
            yield _Member(one.line, one.opening)
        if one.balance:
            make = self._requests.payment if one.balance > 0 else self._requests.withdrawal
            brings = make(_account(one, opened), amount=one.balance.copy_abs(), key=one.key, description=_OPENING)
            yield _Member(one.line, brings, is_counted=False)


class _Member(Struct, frozen=True):
    """A member of a batch, and the line that it is of."""

    line: int
    command: EnsureAccount | Move
    is_counted: bool = True


def _account(one: AccountWish, opened: dict[int, Outcome]) -> int | str:
    name = one.opening.name
    return results.account_of(opened[one.line]).id if name is None else f"{AT}{name}"
