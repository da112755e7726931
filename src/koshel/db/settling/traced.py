"""A batch that is traced: when it ends it has a span, with its steps, and links to the requests that it carried."""

from collections.abc import Callable, Sequence
from functools import partial
from time import time_ns
from typing import TYPE_CHECKING

from koshel import events
from koshel.core.commands import Command, Group
from koshel.db.namespace import Namespace
from koshel.db.settling.batch import Batch
from koshel.db.settling.claims import Claim, ClaimHolds, ClaimQueued
from koshel.db.settling.known import Known
from koshel.db.settling.strangers import Strangers
from koshel.db.settling.timed import TimedBatch

if TYPE_CHECKING:
    from koshel.telemetry.tracing import Tracing

_log = events.get_logger()


class TracedBatch(TimedBatch):
    """Its span is made when it ends: only then is all known that it says."""

    def __init__(self, tracing: "Tracing", namespace: Namespace, known: Known, strangers: Strangers) -> None:
        super().__init__(namespace, known, strangers)
        self._tracing = tracing
        self._trace = tracing.batch()
        self._said: dict[str, str | int] = {"koshel.batch.id": str(self.id)}

    async def resolve(self, commands: Sequence[Command | Claim]) -> Sequence[Command]:
        """As a TimedBatch does."""
        self._trace.steps_ns = time_ns()
        resolved = await super().resolve(commands)
        self._said["koshel.batch.commands"] = sum(len(one.members) if isinstance(one, Group) else 1 for one in resolved)
        match commands:
            case [ClaimQueued()]:
                self._said["koshel.batch.claim"] = "queued"
            case [ClaimHolds()]:
                self._said["koshel.batch.claim"] = "expired"
            case _:
                pass
        return resolved

    def ended(self, error: Exception | None = None) -> None:
        """As a TimedBatch does."""
        super().ended(error)
        try:
            self._tracing.end_batch(self._trace, self._watch.took, self._said, error)
        except Exception:  # noqa: BLE001  it is committed: were this raised, it would be settled again
            _log.exception("a batch has lost its span")


def batch_maker(tracing: "Tracing | None", *, measured: bool) -> Callable[[Namespace, Known, Strangers], Batch]:
    """What makes a store's batches."""
    if tracing is not None:
        return partial(TracedBatch, tracing)
    return TimedBatch if measured else Batch
