"""Which commands can be decided while others have locked some accounts: no answer becomes another by it."""

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from koshel.core.apart import Line, PutOff, apart, keys, lines
from koshel.core.book import after
from koshel.core.commands import AutoCapture, ChangeAccount, Command, Execute, Expire, Group
from koshel.core.decide import decide
from koshel.core.model import Book
from koshel.core.notes import Annotate
from koshel.core.reach import QualifiedId
from tests.support.strategies import situations
from tests.support.wallets import (
    account,
    book,
    capture,
    enqueue,
    group,
    hold,
    kept,
    payment,
    refund,
    transfer,
    void,
    withdrawal,
)

HELD, PAID = 101, 102
ORIGINALS = kept(book(account(1, "100.00"), account(2, "5.00")), hold(1, 2, "40"), payment(2, "1")).state.originals

# Commands, the accounts that others have locked, and which of the commands are decided: "x" for each, "-" for a wait.
TABLE: list[tuple[list[Command], set[int], str]] = [
    ([], {1}, ""),
    ([payment(1, "1"), withdrawal(2, "1")], set(), "xx"),
    ([payment(1, "1"), payment(2, "1")], {1}, "-x"),
    ([withdrawal(1, "1"), withdrawal(2, "1")], {2}, "x-"),
    ([transfer(1, 2, "1"), transfer(3, 4, "1")], {2}, "-x"),
    # What comes later on an account of what waits does not overtake it, nor what comes after that.
    ([transfer(1, 2, "1"), transfer(2, 3, "1"), transfer(3, 4, "1"), payment(5, "1")], {1}, "---x"),
    # What came before does not wait for it.
    ([payment(2, "1"), transfer(1, 2, "1"), payment(2, "1")], {1}, "x--"),
    # The world outside is nobody's account: payments have it in common.
    ([payment(1, "1"), payment(2, "1"), withdrawal(3, "1")], {1}, "-xx"),
    # A key is answered in order too.
    ([payment(1, "1", key="k"), payment(2, "1", key="k"), payment(3, "1", key="l")], {1}, "--x"),
    ([hold(1, 2, "1"), hold(3, None, "1")], {2}, "-x"),
    ([void(HELD), payment(3, "1"), refund(PAID)], {1}, "-x-"),  # a hold of 1 for 2
    ([capture(HELD), payment(2, "1")], {1}, "--"),
    ([refund(PAID), payment(1, "1")], {2}, "-x"),
    ([capture(404), refund(404)], {1, 2}, "xx"),  # they refer to nothing, and are refused
    # An Enqueue locks nothing; but what comes before on the same accounts is done before it.
    ([enqueue(payment(1, "1")), payment(1, "1")], {1}, "x-"),
    ([payment(1, "1"), enqueue(withdrawal(1, "1")), enqueue(withdrawal(2, "1"))], {1}, "--x"),
    ([payment(1, "1"), enqueue(transfer(1, 2, "1")), enqueue(transfer(2, 3, "1"))], {1}, "---"),
    ([payment(2, "1"), enqueue(refund(PAID)), enqueue(capture(HELD))], {2}, "---"),
    ([payment(2, "1"), enqueue(payment(3, "1", key="k")), enqueue(payment(2, "1", key="k"))], {2}, "-x-"),
    ([group(payment(1, "1"), payment(2, "1")), payment(2, "1"), payment(3, "1")], {1}, "--x"),
    ([group(payment(1, "1", key="k"), payment(2, "1")), payment(3, "1", key="k")], {1}, "--"),
]


def ours(ids: set[int]) -> set[QualifiedId]:
    """The ids in the ledger of the commands here."""
    return {(1, id_) for id_ in ids}


@pytest.mark.parametrize(("commands", "locked", "expected"), TABLE)
def test_what_waits(commands: list[Command], locked: set[int], expected: str) -> None:
    free = apart(commands, ORIGINALS, ours(locked))
    assert "".join("-" if isinstance(one, PutOff) else "x" for one in free) == expected
    assert all(isinstance(one, PutOff) or one is command for one, command in zip(free, commands, strict=True))


ELSEWHERE = 2  # another ledger
# Commands of another ledger that name what is not theirs.
STRANGE: dict[str, Command] = {
    "source": withdrawal(1, "1", ledger_id=ELSEWHERE),
    "target": payment(1, "1", ledger_id=ELSEWHERE),
    "hold": capture(HELD, ledger_id=ELSEWHERE),
    "voided": void(HELD, ledger_id=ELSEWHERE),
    "refunded": refund(PAID, ledger_id=ELSEWHERE),
    "queued": enqueue(transfer(1, 2, "1", ledger_id=ELSEWHERE)),
    "queued refund": enqueue(refund(PAID, ledger_id=ELSEWHERE)),
    "group": group(transfer(1, 2, "1", ledger_id=ELSEWHERE), capture(HELD, ledger_id=ELSEWHERE), ledger_id=ELSEWHERE),
    "changed": ChangeAccount(ELSEWHERE, 1),
    "noted": Annotate(ELSEWHERE, PAID, description="mine"),
    "due": Execute(ELSEWHERE, 8, refund(PAID, ledger_id=ELSEWHERE)),
}


@pytest.mark.parametrize("name", STRANGE)
def test_who_names_what_another_ledger_has_waits_for_nobody_there_and_stops_nobody(name: str) -> None:
    strange, locked = STRANGE[name], ours({1, 2})
    own: list[Command] = [transfer(1, 2, "1"), Execute(1, PAID, transfer(1, 2, "1"))]
    for watched in (None, frozenset[Line]()):
        for commands in ([strange, *own], [*own, strange]):
            free = apart(commands, ORIGINALS, locked, {(1, HELD, "transaction")}, watched=watched)
            assert [one is strange for one in free] == [not isinstance(one, PutOff) for one in free]
    assert all(lines(strange).isdisjoint(lines(one)) for one in own)


def test_what_stops_a_command_and_what_it_is_on() -> None:
    commands: list[Command] = [transfer(1, 2, "1", key="k"), payment(2, "1"), payment(3, "1", key="k")]
    free = apart(commands, ORIGINALS, {(1, 1)}, {(1, "x"), (1, 3)})
    key = (1, "k")
    assert [one.on for one in free if isinstance(one, PutOff)] == [{(1, 1), key}, {(1, 2)}, {(1, 3), key}]
    assert [one.lines for one in free if isinstance(one, PutOff)] == [{(1, 1), (1, 2), key}, {(1, 2)}, {(1, 3), key}]


@pytest.mark.parametrize(
    ("commands", "locked", "expected"),
    [
        # An account that nobody has locked is nobody's to wait for.
        ([transfer(1, 2, "1"), transfer(2, 3, "1"), transfer(1, 3, "1"), payment(2, "1")], {1}, "-x-x"),
        ([payment(1, "1", key="k"), payment(2, "1", key="k"), payment(2, "1")], {1}, "--x"),
        ([enqueue(payment(1, "1")), payment(1, "1"), enqueue(payment(1, "1"))], {1}, "x-x"),
        ([payment(1, "1", key="k"), enqueue(payment(2, "1", key="k"))], {1}, "--"),
    ],
)
def test_if_nothing_is_watched_only_what_is_locked_stops_what_comes_later(
    commands: list[Command], locked: set[int], expected: str
) -> None:
    free = apart(commands, ORIGINALS, ours(locked), watched=frozenset())
    assert "".join("-" if isinstance(one, PutOff) else "x" for one in free) == expected


def test_a_queued_transaction_waits_with_the_one_that_it_follows() -> None:
    commands: list[Command] = [
        Execute(1, 7, hold(1, 2, "1")),
        Execute(1, 8, capture(7)),
        Execute(1, 9, payment(3, "1")),
        Execute(1, 10, refund(8)),
    ]
    free = apart(commands, {}, {(1, 1)})
    assert [isinstance(one, PutOff) for one in free] == [True, True, False, True]


def test_what_is_locked_but_not_for_long_is_no_line_to_wait_on() -> None:
    commands: list[Command] = [transfer(1, 2, "1", key="k"), payment(2, "1"), payment(2, "1", key="l"), payment(3, "1")]
    free = apart(commands, ORIGINALS, ours({1, 2}), watched=frozenset(), held={(1, 1)})
    assert [one.lasting for one in free if isinstance(one, PutOff)] == [{(1, 1)}, set(), set()]
    assert [one.on if isinstance(one, PutOff) else None for one in free] == [{(1, 1), (1, "k")}, set(), set(), None]


def test_what_is_watched_is_not_overtaken_on() -> None:
    commands: list[Command] = [transfer(1, 2, "1"), payment(2, "1"), payment(3, "1"), transfer(1, 3, "1")]
    free = apart(commands, ORIGINALS, {(1, 1)}, watched={(1, 2)})
    assert [one.on if isinstance(one, PutOff) else None for one in free] == [{(1, 1)}, {(1, 2)}, None, {(1, 1)}]


def test_the_lines_that_a_command_says_itself() -> None:
    assert lines(transfer(1, 2, "1", key="k")) == frozenset[Line]({(1, 1), (1, 2), (1, "k")})
    assert lines(capture(HELD)) == frozenset[Line]({(1, HELD, "transaction")})
    assert keys(transfer(1, 2, "1", key="k")) == frozenset[Line]({(1, "k")})
    assert keys(group(payment(1, "1", key="a"), capture(HELD))) == frozenset[Line]({(1, "a")})
    assert keys(payment(1, "1")) == frozenset()


@settings(max_examples=600, deadline=None, derandomize=True)
@given(situations, st.integers(0, 100_000))
def test_what_is_put_off_gets_the_answer_it_would_have_had_and_so_does_the_rest(
    situation: tuple[Book, list[Command]], seed: int
) -> None:
    start, commands = situation
    claimed = {Execute, Expire, AutoCapture}
    commands = [command for command in commands if not set(map(type, _each_command(command))) & claimed]
    dice = Random(seed)
    locked = {(one.ledger_id, one.id) for one in start.state.accounts.values() if dice.random() < 0.4}
    free = apart(commands, start.state.originals, locked)
    first = decide(start, [one for one in free if not isinstance(one, PutOff)])
    second = decide(after(start, first), [c for c, one in zip(commands, free, strict=True) if isinstance(one, PutOff)])
    now, later = iter(first), iter(second)
    together = [next(later if isinstance(one, PutOff) else now) for one in free]
    assert list(map(repr, together)) == list(map(repr, decide(start, commands)))
    event(f"put off: {bool(second)}, settled beside it: {bool(first and second)}")


def _each_command(command: Command) -> Iterator[Command]:
    yield command
    if isinstance(command, Group):
        yield from command.members
