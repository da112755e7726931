"""A batch that is measured: how long each of its steps takes, and what it has settled."""

from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from koshel.core.apart import Line, PutOff
from koshel.core.commands import Command
from koshel.core.model import Book, Declined, Executed, Grouped, Outcome, Posted, Replayed
from koshel.db.namespace import Namespace
from koshel.db.settling.batch import Batch
from koshel.db.settling.claims import Claim
from koshel.db.settling.known import Known
from koshel.db.settling.strangers import Patience, Strangers
from koshel.telemetry import metrics


class TimedBatch(Batch):
    """What it has measured counts once it is committed."""

    def __init__(self, namespace: Namespace, known: Known, strangers: Strangers) -> None:
        super().__init__(namespace, known, strangers)
        self._watch = metrics.Stopwatch()
        self._outcomes: Sequence[Outcome] = ()

    async def resolve(self, commands: Sequence[Command | Claim]) -> Sequence[Command]:
        """As a Batch does; the watch begins here, not with waiting for a connection."""
        self._watch.start()
        resolved = await super().resolve(commands)
        self._watch.lap("resolve")
        return resolved

    async def lock(self, commands: Sequence[Command]) -> Book:
        """As a Batch does."""
        book = await super().lock(commands)
        self._watch.lap("lock")
        return book

    async def lock_free(
        self,
        commands: Sequence[Command],
        taken: AbstractSet[Line],
        patience: Patience,
        watched: AbstractSet[Line] | None,
    ) -> tuple[Book, list[Command | PutOff]]:
        """As a Batch does."""
        found = await super().lock_free(commands, taken, patience, watched)
        self._watch.lap("lock")
        return found

    async def write(self, outcomes: list[Outcome]) -> list[Outcome]:
        """As a Batch does; what was since the locks were there was to decide."""
        self._watch.lap("decide")
        self._outcomes = written = await super().write(outcomes)
        self._watch.lap("write")
        return written

    def ended(self, error: Exception | None = None) -> None:
        """If it is committed, all that was measured counts."""
        if error is not None:
            return
        self._watch.lap("commit")
        self._watch.count()
        if self._outcomes:
            _count(self._outcomes)


def _count(outcomes: Sequence[Outcome]) -> None:
    """What became of the commands. Of what is posted, which is nearly all, only the kind is looked at."""
    first = outcomes[0]
    if type(first) is Posted:
        kind = first.kind
        if not [one for one in outcomes if type(one) is not Posted or one.kind is not kind]:
            metrics.BATCH_COMMANDS.observe(len(outcomes))
            metrics.TRANSACTIONS.add(kind, by=len(outcomes))
            return
    _count_each(outcomes)


def _count_each(outcomes: Sequence[Outcome]) -> None:
    posted: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    commands = replays = 0
    for one in _each(outcomes):
        commands += 1
        if type(one) is Posted:  # as nearly all are
            posted[one.kind] += 1
            continue
        match one:
            case Declined():
                refused[one.refusal] += 1
                if one.cause is not None:
                    refused[one.cause.refusal] += 1
            case Replayed():
                replays += 1
            case _:  # accounts, and what is queued: neither money that moved nor a refusal
                pass
    metrics.BATCH_COMMANDS.observe(commands)
    for name, count in posted.items():
        metrics.TRANSACTIONS.add(name, by=count)
    for code, count in refused.items():
        metrics.REFUSALS.add(code, by=count)
    if replays:
        metrics.REPLAYS.add(by=replays)


def _each(outcomes: Sequence[Outcome]) -> "list[Outcome]":
    """The outcomes; in the place of a group its members', in that of what was executed what became of it."""
    found: list[Outcome] = []
    for one in outcomes:
        if isinstance(one, Grouped):
            found += _each(one.outcomes)
        elif isinstance(one, Executed):
            found += _each([one.outcome])  # of a split that was queued, a group
        else:
            found.append(one)
    return found
