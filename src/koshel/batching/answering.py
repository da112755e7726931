"""Settles a batch and gives each caller its own answer; what others' locks stop is put off. Knows nothing of money."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from functools import partial
from typing import Any, Generic, TypeAlias, TypeVar

from msgspec import Struct

from koshel.batching.chains import chains, in_order
from koshel.batching.queue import PUT_OFF_MAX
from koshel.batching.waiting import Waiting, is_wanted
from koshel.errors import OutcomeUnknown
from koshel.outcomes import Outcomes
from koshel.telemetry import metrics

CommandT = TypeVar("CommandT")
OutcomeT = TypeVar("OutcomeT")

Batch: TypeAlias = Sequence[Waiting[CommandT, OutcomeT]]
Settle: TypeAlias = Callable[..., Awaitable[Sequence[Any]]]
Lines: TypeAlias = AbstractSet[Hashable]
Taken: TypeAlias = Callable[[], Lines]
Carry: TypeAlias = Callable[[Sequence[object]], object]

NONE: frozenset[Hashable] = frozenset()


class Interrupted(OutcomeUnknown):
    """The settling was stopped in the middle: whether it was done is not known."""

    meaning = "the settling was stopped in the middle; repeat the call with the same key"


class Way(Enum):
    """How long locks are waited for, where the commands that need a locked row are put off."""

    NOT = "not at all"
    SPENT = "not at all, after a wait in vain"
    FIRST = "for a while, before anything else is locked"
    LAST = "as SPENT; and for what is no row, as long as there is time"


class Free(Struct, frozen=True):
    """How to settle what others' locks do not stop.

    `settle` takes a Way, the commands, and lines: those that are taken, commands on which are put off; and those that
    are watched, on which nothing overtakes what is put off (None: all lines). In the place of a command that is put off
    stands a frozenset: the lines that stop it. What is `obstructed` is raised, here and by the
    batcher's own `settle`, where something was waited for in vain; then nothing was done.
    """

    settle: Settle
    obstructed: tuple[type[Exception], ...]
    lines: Callable[[Any], Lines]  # of a command: what it is settled in order along
    keys: Callable[[Any], Lines]  # those of its lines that are no rows, and so cannot be found to be locked
    too_long: Callable[[], Exception]  # the answer to a command that has waited for long enough


class Answering(Generic[CommandT, OutcomeT]):
    """`outages` are everybody's answer, `singles_max` is how many commands are settled alone at once.

    `carry` is told the traces of the commands that are settled next, in this context.
    """

    def __init__(
        self,
        settle: Settle,
        free: Free | None,
        outages: tuple[type[Exception], ...],
        singles_max: int,
        carry: Carry | None = None,
    ) -> None:
        self._settle = settle
        self._free = free
        self._outages = outages
        self._singles_max = singles_max
        self._carry = carry
        self._loop = asyncio.get_running_loop()

    async def answer(self, batch: Batch[CommandT, OutcomeT], taken: Taken, *, waits: bool) -> Batch[CommandT, OutcomeT]:
        """Settle a batch of the queue, which waits for locks, but not for long, or does not; returns what was put off.

        What is on a line that is `taken` is put off: asked anew whenever something is settled.
        """
        free = self._free
        if free is None:
            return await self._answer(batch, self._settle, taken)
        settle = (
            partial(self._settle, **_known(batch, taken())) if waits else partial(free.settle, Way.NOT, taken=taken())
        )
        try:
            put_off = await self._answer(batch, settle, taken)
        except free.obstructed:
            put_off, waits = await self._answer_spent(batch, taken, free), True
        if waits:
            for one in put_off:
                one.put_off = PUT_OFF_MAX  # others have its lock for longer than a batch
        return put_off

    async def answer_lanes(
        self, batch: Batch[CommandT, OutcomeT], taken: Taken, *, waits: bool
    ) -> tuple[Batch[CommandT, OutcomeT], bool]:
        """Settle what is in lanes; returns what was put off, and whether locks were waited for in vain.

        Then what is free is settled nevertheless.
        """
        free = self._free
        assert free is not None, "nothing is put off without it"
        if not waits:
            return await self._answer_spent(batch, taken, free), True
        try:
            return await self._answer(batch, self._freely(free, Way.FIRST, batch, taken), taken), False
        except free.obstructed:
            return await self._answer_spent(batch, taken, free), True

    def give_up(self, one: Waiting[CommandT, OutcomeT]) -> None:
        """Answer a command that has waited for long enough, unless it has its answer."""
        assert self._free is not None, "nothing is put off without it"
        answer_all([one], self._free.too_long())

    @staticmethod
    def _freely(free: Free, way: Way, batch: Batch[CommandT, OutcomeT], taken: Taken) -> Settle:
        """So as nothing overtakes a command on a line that has stopped it before."""
        return partial(free.settle, way, taken=taken(), watched=NONE.union(*(one.lines for one in batch)))

    async def _answer_spent(
        self, batch: Batch[CommandT, OutcomeT], taken: Taken, free: Free
    ) -> Batch[CommandT, OutcomeT]:
        """Settle without waiting for rows. If that is obstructed, it is by a key: then those that have one go alone."""
        try:
            return await self._answer(batch, self._freely(free, Way.SPENT, batch, taken), taken)
        except free.obstructed:
            keyed = [one for one in batch if free.keys(one.command)]
        if not keyed:  # nor by a key: whatever it is, it stops everybody
            return await self._answer(batch, self._freely(free, Way.LAST, batch, taken), taken, raises=())
        if len(batch) == 1:
            _put_off(batch[0], free.keys(batch[0].command))
            return batch
        with_key: list[Waiting[CommandT, OutcomeT]] = []
        without: list[Waiting[CommandT, OutcomeT]] = []
        for chain in chains(batch, free.lines):
            (with_key if any(free.keys(one.command) for one in chain) else without).extend(chain)
        put_off = [*await self._answer_spent(in_order(without), taken, free)] if without else []
        return in_order([*put_off, *await self._answer_one_by_one(in_order(with_key), taken, free)])

    async def _answer(
        self,
        batch: Batch[CommandT, OutcomeT],
        settle: Settle,
        taken: Taken,
        raises: tuple[type[Exception], ...] | None = None,
    ) -> Batch[CommandT, OutcomeT]:
        """Settle and answer; returns what was put off. Raises what is obstructed, or else is in `raises`."""
        free = self._free
        if raises is None:
            raises = () if free is None else free.obstructed
        put_off = []
        try:
            outcomes = await settle(self._commands(batch))
        except raises:
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, every caller gets an answer
            if len(batch) > 1 and not isinstance(error, (*self._outages, *(free.obstructed if free else ()))):
                metrics.settled_again("accident")
                return await self._answer_one_by_one(batch, taken, free)
            answer_all(batch, error)
            return []
        except BaseException:
            answer_all(batch, Interrupted())
            raise
        batch_id = outcomes.batch_id if isinstance(outcomes, Outcomes) else None
        for one, outcome in zip(batch, outcomes, strict=False):
            one.batch_id = batch_id
            if isinstance(outcome, frozenset):
                _put_off(one, outcome)
                put_off.append(one)
            elif not one.recipient.done():
                one.recipient.set_result(outcome)
        if len(outcomes) != len(batch):  # a fault of ours, and what it did is done: nothing is settled again
            answer_all(batch, RuntimeError("settle has not answered every command"))
            return []
        return put_off

    def _commands(self, batch: Batch[CommandT, OutcomeT]) -> list[CommandT]:
        if self._carry is not None:
            self._carry([one.trace for one in batch])
        return [one.command for one in batch]

    async def _answer_one_by_one(
        self, batch: Batch[CommandT, OutcomeT], taken: Taken, free: Free | None
    ) -> Batch[CommandT, OutcomeT]:
        # Nothing was done: so a poisonous command hurts itself only. A few at a time, but one after another on a line.
        waiting = iter(chains(batch, free.lines) if free else [[one] for one in batch])
        put_off: list[Waiting[CommandT, OutcomeT]] = []

        async def one_after_another() -> None:
            for chain in waiting:
                stopped: set[Hashable] = set()
                for one in chain:
                    if not is_wanted(one, self._loop.time()):
                        continue
                    if free is None:
                        await self._answer([one], self._settle, taken)
                    elif stops := stopped & (free.lines(one.command) | one.lines):
                        _put_off(one, stops | free.keys(one.command))
                        put_off.append(one)
                    else:
                        put_off.extend(await self._answer_spent([one], taken, free))
                    stopped |= one.lines

        await asyncio.gather(*(one_after_another() for _ in range(self._singles_max)))
        return in_order(put_off)


def answer_all(batch: Batch[CommandT, OutcomeT], error: Exception) -> None:
    """The error, to all who have no answer yet."""
    for one in batch:
        if not one.recipient.done():
            one.recipient.set_exception(error)


def _known(batch: Batch[CommandT, OutcomeT], taken: Lines) -> dict[str, Lines]:
    """What is to be said of lines: nearly always nothing."""
    watched = NONE.union(*(one.lines for one in batch)) if batch[0].lines else NONE  # what was put off comes first
    return {"taken": taken, "watched": watched} if taken or watched else {}


def _put_off(one: Waiting[CommandT, OutcomeT], on: Lines) -> None:
    one.lasting |= getattr(on, "lasting", NONE)
    one.lines = on | one.lasting
    one.put_off += 1
