"""Ending all holds of a split together: each as it would end alone, all of them or none."""

from msgspec.structs import replace

from koshel.core import declined
from koshel.core.book import after, apply
from koshel.core.commands import Capture, Void
from koshel.core.ending import EndSplit
from koshel.core.holds import capture, release
from koshel.core.labelled import labels
from koshel.core.model import Book, Declined, Grouped, MemberOutcome


def end_split(book: Book, command: EndSplit) -> Grouped | Declined:
    """What becomes of each hold, in order; or the refusal of the first that cannot end so. The book stays as it was."""
    ahead = after(book, ())
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
