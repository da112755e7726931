"""What becomes of a group: its members' answers, or if it is atomic and one was refused, that refusal."""

from collections.abc import Sequence

from koshel.core import declined
from koshel.core.commands import Group
from koshel.core.model import Declined, Executed, Grouped, Outcome, Posted, Replayed


def grouped(command: Group, outcomes: Sequence[Outcome]) -> Grouped | Declined:
    """The group's answer, given those of its members, decided in order."""
    answers = []
    for index, (member, outcome) in enumerate(zip(command.members, outcomes, strict=True)):
        assert isinstance(outcome, Posted | Declined | Executed | Replayed)
        if member.key is not None and member.key == command.key:
            return declined.key_reused(command, f"transactions/{index}/idempotency_key")
        answers.append(outcome)
    if command.atomic:
        for index, outcome in enumerate(outcomes):
            cause = outcome.first if isinstance(outcome, Replayed) else outcome
            if isinstance(cause, Declined):
                return declined.batch_refused(command, index, cause)
    return Grouped(command, answers)
