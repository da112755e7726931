"""Ending all holds of a split together: each as it would end alone, all of them or none."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from msgspec.structs import replace

from koshel.core import declined
from koshel.core.book import apply
from koshel.core.commands import Capture, Void
from koshel.core.ending import EndSplit
from koshel.core.holds import capture, release
from koshel.core.labelled import labels
from koshel.core.model import Book, Declined, Grouped, MemberOutcome, State

KeyT = TypeVar("KeyT")
ValueT = TypeVar("ValueT")


def end_split(book: Book, command: EndSplit) -> Grouped | Declined:
    """What becomes of each hold, in order; or the refusal of the first that cannot end so. The book stays as it was."""
    ahead = Book(book.facts, _small(book.state, command))
    outcomes: list[MemberOutcome] = []
    for index, end in enumerate(ends(command)):
        outcome = capture(ahead, end) if isinstance(end, Capture) else release(ahead, end)
        if isinstance(outcome, Declined):
            return declined.batch_refused(command, index, outcome)
        apply(ahead.state, outcome)
        outcomes.append(replace(outcome, request=None))  # the command says what was asked
    return Grouped(command, outcomes)


def ends(command: EndSplit) -> list[Capture | Void]:
    """What would end each hold alone."""
    ledger_id, said = command.ledger_id, labels(command)
    if command.kind == "capture":
        return [Capture(ledger_id, hold_id, **said) for hold_id in command.holds]
    return [Void(ledger_id, hold_id, **said) for hold_id in command.holds]


def _small(state: State, command: EndSplit) -> State:
    """What the ends change, to be changed without changing the whole: that is large where much is settled together."""
    held = [original for id_ in command.holds if (original := state.originals.get(id_)) is not None]
    ids = {id_ for one in held for id_ in (one.source_account_id, one.target_account_id) if id_ is not None}
    return State(
        _only(state.accounts, ids),
        originals=state.originals,
        holds=_only(state.holds, command.holds),
        pending=state.pending,
        turnovers=_only(state.turnovers, ids),
    )


def _only(found: Mapping[KeyT, ValueT], keys: Iterable[KeyT]) -> dict[KeyT, ValueT]:
    return {key: found[key] for key in keys if key in found}
