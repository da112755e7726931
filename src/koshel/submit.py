"""Where a command goes: with all others of this process, or only to find out, or into the caller's own transaction."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

from koshel.core.commands import Command, Enqueue
from koshel.core.model import Outcome
from koshel.core.reach import weight_of
from koshel.db.reads import Reads
from koshel.db.settling.batches import Batches
from koshel.engine import Engine
from koshel.settle import settle

Submit: TypeAlias = Callable[[Command], Awaitable[Outcome]]  # the outcome of a command, refusals too


def settled(engine: Engine) -> Submit:
    """Together with what others ask for at the same moment. Raises StoreError."""

    def submit(command: Command) -> Awaitable[Outcome]:
        answer = engine.batcher.submit(command, size=0, weight=weight_of(command))
        if isinstance(command, Enqueue):
            answer.add_done_callback(lambda _: engine.background.wake())
        return answer

    return submit


def rehearsed(reads: Reads) -> Submit:
    """As it would be, a few at a time: no id, no lock, no receipt. Raises StoreError."""

    async def submit(command: Command) -> Outcome:
        return await reads.rehearse(partial(_settle_one, reads.rehearsals, command), weight=weight_of(command))

    return submit


def alone(batches: Batches) -> Submit:
    """In one of these batches, by itself. Raises StoreError."""
    return partial(_settle_one, batches)


async def _settle_one(batches: Batches, command: Command) -> Outcome:
    (outcome,) = await settle(batches, [command])
    return outcome
