"""What becomes of a group: its members' answers, or if it is atomic and one was refused, that refusal."""

from collections.abc import Iterable, Iterator, Sequence

from koshel.core import declined
from koshel.core.commands import Group
from koshel.core.model import Declined, Executed, Found, Grouped, MemberOutcome, Opened, Outcome, Posted, Replayed

_MEMBERS = (Opened, Found, Posted, Declined, Executed, Replayed, Grouped)


def grouped(command: Group, outcomes: Sequence[Outcome]) -> Grouped | Declined:
    """The group's answer, given those of its members, decided in order."""
    if command.key is not None:
        for index, member in enumerate(command.members):
            if member.key == command.key:
                return declined.key_reused(command, f"transactions/{index}/idempotency_key")
    answers: list[MemberOutcome] = []
    for index, outcome in enumerate(outcomes):
        assert isinstance(outcome, _MEMBERS)
        cause = outcome.first if isinstance(outcome, Replayed) else outcome
        if isinstance(cause, Declined) and command.atomic:
            if cause.facts.get("account_id") in {*_opened(answers)}:
                cause = declined.not_opened(cause)
            return declined.batch_refused(command, index, cause)
        answers.append(outcome)
    return Grouped(command, answers)


def _opened(outcomes: Iterable[Outcome]) -> Iterator[int]:
    """The ids of the accounts that these open."""
    for one in outcomes:
        if isinstance(one, Opened):
            yield one.account.id
        elif isinstance(one, Grouped):
            yield from _opened(one.outcomes)
