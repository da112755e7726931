"""What holds for every book and every sequence of commands: batches, groups, keys."""

import copy
from collections import Counter
from collections.abc import Iterator
from itertools import count

from hypothesis import event, given, settings
from msgspec.structs import replace

from koshel.core.book import after
from koshel.core.commands import Command, Due, Execute, Group, Kind, Split
from koshel.core.decide import decide
from koshel.core.ending import EndSplit
from koshel.core.exchanging import Exchange
from koshel.core.legs import LeftOut
from koshel.core.model import (
    Annotated,
    Book,
    Changed,
    Declined,
    Executed,
    Found,
    Grouped,
    Opened,
    Outcome,
    Posted,
    Queued,
    Refusal,
    Replayed,
)
from koshel.db.settling.ids import renewed
from tests.support.histories import NEVER
from tests.support.looks import fieldless
from tests.support.strategies import situations
from tests.support.wallets import parts, postings, written

Situation = tuple[Book, list[Command]]

thorough = settings(max_examples=600, deadline=None, derandomize=True)
TOGETHER: dict[type, str] = {Split: "split", Exchange: "exchanged", EndSplit: "ended"}


def names(outcome: Outcome) -> Iterator[str]:
    """What kinds of outcome it is, finely enough to see that each occurs."""
    match outcome:
        case Posted():
            yield outcome.kind
        case Declined():
            yield outcome.refusal
        case Replayed():
            yield f"replayed {type(outcome.first).__name__}"
        case Executed():
            yield f"executed {type(outcome.outcome).__name__}"
            yield from (f"executed {name}" for name in names(outcome.outcome) if name in TOGETHER.values())
            yield from names(outcome.outcome)
        case Grouped():
            is_group = isinstance(outcome.command, Group)
            yield ("whole" if outcome.has_id else "each") if is_group else TOGETHER[type(outcome.command)]
            for member in outcome.outcomes:
                yield from names(member)
                if is_group and isinstance(member, Grouped) and isinstance(member.command, Exchange):
                    yield "exchanged in a group"
        case Opened() | Found() | Changed() | Annotated() | Queued() | LeftOut():
            yield type(outcome).__name__


def text(outcomes: list[Outcome]) -> list[str]:
    """Exactly: 1.0 and 1.00 are equal, but not the same text."""
    return [repr(outcome) for outcome in outcomes]


def nameless(outcomes: list[Outcome]) -> list[str]:
    """The same, without the ids that the database has given."""
    firsts = [one.first for one in parts(outcomes) if isinstance(one, Replayed)]
    named = [one for one in parts([*outcomes, *firsts]) if isinstance(one, Posted | Queued) and one.id >= NEVER]
    return text(renewed(outcomes, {id(one): replace(one, id=0) for one in named}))


@thorough
@given(situations)
def test_where_one_batch_ends_and_the_next_begins_never_changes_an_answer(situation: Situation) -> None:
    book, commands = situation
    whole = decide(book, commands)
    for cut in range(len(commands) + 1):
        first = decide(book, commands[:cut])
        second = decide(after(book, first), commands[cut:])
        assert whole == first + second
        assert text(whole) == text(first + second)
        assert after(book, whole) == after(after(book, first), second)
    for outcome in whole:
        for name in names(outcome):
            event(name)


@thorough
@given(situations)
def test_a_batch_answers_as_if_each_command_came_alone(situation: Situation) -> None:
    book, commands = situation
    alone: list[Outcome] = []
    ahead = book
    for command in commands:
        outcomes = decide(ahead, [command])
        ahead = after(ahead, outcomes)
        alone += outcomes
    assert text(decide(book, commands)) == text(alone)


@thorough
@given(situations)
def test_the_ids_that_are_given_between_two_batches_change_no_answer(situation: Situation) -> None:
    book, commands = situation
    alone: list[Outcome] = []
    ahead, ids = book, count(NEVER)
    for command in commands:
        outcomes = decide(ahead, [command])
        ahead = written(ahead, outcomes, ids)
        alone += outcomes
    assert nameless(decide(book, commands)) == nameless(alone)


@thorough
@given(situations)
def test_a_group_is_done_whole_or_not_at_all_or_as_if_each_member_came_alone(situation: Situation) -> None:
    book, commands = situation
    for command in commands:
        (outcome,) = decide(book, [command])
        if isinstance(command, Group) and not isinstance(outcome, Replayed) and command.key is None:
            alone = decide(book, command.members)
            firsts = [one.first if isinstance(one, Replayed) else one for one in alone]
            refused = [place for place, one in enumerate(firsts) if isinstance(one, Declined)]
            if command.atomic and refused:
                assert isinstance(outcome, Declined)
                assert (outcome.refusal, outcome.facts) == (Refusal.BATCH_REFUSED, {"index": refused[0]})
                assert outcome.cause is not None
                assert fieldless(outcome.cause) == fieldless(firsts[refused[0]])
                assert after(book, [outcome]) == book
            else:
                assert isinstance(outcome, Grouped)
                assert text([*map(fieldless, outcome.outcomes)]) == text([*map(fieldless, alone)])
                assert after(book, [outcome]) == after(book, alone)
        book = after(book, [outcome])


@thorough
@given(situations)
def test_what_was_queued_is_decided_as_if_it_was_asked_when_it_is_executed(situation: Situation) -> None:
    book, commands = situation
    for command in commands:
        (outcome,) = decide(book, [command])
        if isinstance(outcome, Executed):
            now = replace(outcome.command.command, key=None)
            (expected,) = decide(book, [now])
            told = outcome.outcome
            if isinstance(told, Posted):
                assert told.id == outcome.command.id
                assert text([replace(told, id=0, key=None, request=told.request and now)]) == text([expected])
            elif isinstance(told, Grouped):
                assert isinstance(expected, Grouped)
                made = postings([told])
                assert [one.id for one in made] == [outcome.command.id, *[0] * (len(made) - 1)]
                assert text([replace(one, id=0, key=None) for one in made]) == text([*postings([expected])])
                assert len(told.outcomes) == len(expected.outcomes)
            else:
                assert isinstance(expected, Declined)
                assert (told.refusal, told.facts) == (expected.refusal, expected.facts)
        book = after(book, [outcome])


@thorough
@given(situations)
def test_a_refused_or_repeated_command_changes_nothing(situation: Situation) -> None:
    book, commands = situation
    outcomes = decide(book, commands)
    for command, outcome in zip(commands, outcomes, strict=True):
        ahead = after(book, [outcome])
        if isinstance(outcome, Declined | Replayed | Found | Queued):
            assert replace(ahead.state, receipts=book.state.receipts) == book.state
        if isinstance(outcome, Opened):
            new = {outcome.account.id: outcome.account} if outcome.account.name is not None else {}
            assert ahead.state.accounts == book.state.accounts | new
            assert ahead.state.details == book.state.details | new
        if isinstance(outcome, Replayed) or (command.key is None and not isinstance(command, Group)):
            assert ahead.state.receipts == book.state.receipts
        book = ahead


@thorough
@given(situations)
def test_a_refused_command_without_a_key_might_as_well_not_have_been_sent(situation: Situation) -> None:
    book, commands = situation
    pairs = list(zip(commands, decide(book, commands), strict=True))
    kept = [(c, o) for c, o in pairs if not (isinstance(o, Declined) and c.key is None)]
    assert decide(book, [command for command, _ in kept]) == [outcome for _, outcome in kept]


def keyed(command: Command, outcome: Outcome) -> Iterator[tuple[Command, Outcome]]:
    """Who asked with a key, and the answer: the members of a group, then the group."""
    if isinstance(outcome, Grouped) and isinstance(outcome.command, Group):
        yield from zip(outcome.command.members, outcome.outcomes, strict=True)
    if not isinstance(command, Execute | Due):
        yield command, outcome


@thorough
@given(situations)
def test_a_key_keeps_its_first_answer_and_has_one_effect(situation: Situation) -> None:
    book, commands = situation
    for command, outcome in zip(commands, decide(book, commands), strict=True):
        ahead = after(book, [outcome])
        assert ahead.state.receipts.items() >= book.state.receipts.items()
        for one, answer in keyed(command, outcome):
            if one.key is not None:
                place = one.ledger_id, one.key
                own_key = isinstance(answer, Declined) and "idempotency_key" in str(answer.facts.get("field"))
                assert place in ahead.state.receipts or own_key
                assert place not in book.state.receipts or isinstance(answer, Replayed | Declined)
                assert not isinstance(answer, Replayed) or ahead.state.receipts[place] == answer.first
        book = ahead


@thorough
@given(situations)
def test_deciding_changes_neither_the_book_nor_the_commands(situation: Situation) -> None:
    before = copy.deepcopy(situation)
    decide(*situation)
    assert situation == before
    assert decide(*situation) == decide(*before)


def test_the_situations_above_lead_to_every_outcome() -> None:
    seen: Counter[str] = Counter()

    @settings(thorough, max_examples=3500)
    @given(situations)
    def observe(situation: Situation) -> None:
        outcomes = decide(*situation)
        seen.update({name for outcome in outcomes for name in names(outcome)})
        seen["refers to what was executed"] += any(one.parent_id in range(200, 300) for one in postings(outcomes))

    observe()
    replays = {f"replayed {kind.__name__}" for kind in (Posted, Opened, Changed, Annotated, Queued, Grouped, Declined)}
    executed = {"executed Posted", "executed Declined", *(f"executed {name}" for name in TOGETHER.values())}
    executed |= {"refers to what was executed", "exchanged in a group"}
    others = ("Opened", "Found", "Changed", "Annotated", "Queued", "LeftOut", "whole", "each", *TOGETHER.values())
    for outcome in (*Kind, *Refusal, *others, *replays, *executed):
        assert seen[outcome] >= 5, f"{outcome} is too rare: {seen}"
