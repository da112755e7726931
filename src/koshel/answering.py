"""Settles a batch and gives each caller its own answer; what others' locks stop is put off. Knows nothing of money."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any, Generic, TypeAlias, TypeVar

from msgspec import Struct

from koshel.queue import PUT_OFF_MAX, Waiting, is_wanted

CommandT = TypeVar("CommandT")
OutcomeT = TypeVar("OutcomeT")

Batch: TypeAlias = Sequence[Waiting[CommandT, OutcomeT]]
Settle: TypeAlias = Callable[..., Awaitable[Sequence[Any]]]


class Interrupted(Exception):
    """The settling was stopped in the middle: whether it was done is not known."""


class Free(Struct, frozen=True):
    """How to settle what others' locks do not stop.

    In the place of a command that it puts off stands a frozenset of the command's lines. `settle` takes commands, and:

    - `taken`: lines; commands on them are put off. The batcher's own `settle` takes it too.
    - `wait_ms`, with `first=True`: so long what is locked is waited for, before anything else is locked.

    What is `obstructed` is raised by both where a lock was waited for in vain; then nothing was done.
    """

    settle: Settle
    obstructed: tuple[type[Exception], ...]


class Answering(Generic[CommandT, OutcomeT]):
    """`outages` are everybody's answer, `singles_max` is how many commands are settled alone at once."""

    def __init__(
        self, settle: Settle, free: Free | None, outages: tuple[type[Exception], ...], singles_max: int
    ) -> None:
        self._settle = settle
        self._free = free
        self._outages = outages
        self._singles_max = singles_max
        self._loop = asyncio.get_running_loop()

    async def answer(
        self, batch: Batch[CommandT, OutcomeT], taken: AbstractSet[Hashable], *, waits: bool
    ) -> Batch[CommandT, OutcomeT]:
        """Settle a batch of the queue, which waits for locks, but not for long, or does not; returns what was put off.

        What is on a line that is `taken` is put off.
        """
        free = self._free
        if free is None:
            return await self._answer(batch, self._settle)
        arguments = {"taken": taken} if taken else {}
        without_waiting = partial(free.settle, **arguments)
        if not waits:
            return await self._answer(batch, without_waiting)
        try:
            put_off = await self._answer(batch, partial(self._settle, **arguments), raises=free.obstructed)
        except free.obstructed:
            put_off = await self._answer(batch, without_waiting)
        for one in put_off:
            one.put_off = PUT_OFF_MAX  # others have its lock for longer than a batch
        return put_off

    async def answer_lane(
        self, batch: Batch[CommandT, OutcomeT], wait_ms: int
    ) -> tuple[Batch[CommandT, OutcomeT], bool]:
        """Settle a batch of a lane; returns what was put off, and whether locks were waited for in vain.

        Then what is free is settled nevertheless, and a command that has waited for as long as it may is told why.
        """
        free = self._free
        assert free is not None, "nothing is put off without it"
        wait = partial(free.settle, wait_ms=wait_ms, first=True)
        try:
            return await self._answer(batch, wait, raises=free.obstructed), False
        except free.obstructed as error:
            put_off, now = await self._answer(batch, free.settle), self._loop.time()
            answer_all([one for one in put_off if one.until <= now], error)
            return [one for one in put_off if one.until > now], True

    async def _answer(
        self, batch: Batch[CommandT, OutcomeT], settle: Settle, raises: tuple[type[Exception], ...] = ()
    ) -> Batch[CommandT, OutcomeT]:
        """Settle and answer; returns what was put off. Whatever is in `raises` is raised: nothing was done."""
        put_off = []
        try:
            outcomes = await settle([one.command for one in batch])
        except raises:
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, every caller gets an answer
            if len(batch) > 1 and not isinstance(error, self._outages):
                return await self._answer_one_by_one(batch, settle)
            answer_all(batch, error)
            return []
        except BaseException:
            answer_all(batch, Interrupted())
            raise
        for one, outcome in zip(batch, outcomes, strict=False):
            if isinstance(outcome, frozenset):
                one.lines = outcome
                one.put_off += 1
                put_off.append(one)
            elif not one.answer.done():
                one.answer.set_result(outcome)
        if len(outcomes) != len(batch):  # a fault of ours, and what it did is done: nothing is settled again
            answer_all(batch, RuntimeError("settle has not answered every command"))
            return []
        return put_off

    async def _answer_one_by_one(self, batch: Batch[CommandT, OutcomeT], settle: Settle) -> Batch[CommandT, OutcomeT]:
        # An accident, and nothing was done: so a poisonous command hurts itself only. A few at a time, since
        # each may wait for the same lock that stopped the batch.
        rest = iter(batch)
        put_off: list[Waiting[CommandT, OutcomeT]] = []

        async def one_after_another() -> None:
            for one in rest:
                if is_wanted(one, self._loop.time()):
                    put_off.extend(await self._answer([one], settle))

        await asyncio.gather(*(one_after_another() for _ in range(self._singles_max)))
        return sorted(put_off, key=lambda one: one.number)


def answer_all(batch: Batch[CommandT, OutcomeT], error: Exception) -> None:
    """The error, to all who have no answer yet."""
    for one in batch:
        if not one.answer.done():
            one.answer.set_exception(error)
