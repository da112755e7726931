"""Whose command leaves next: nobody starves, nobody has more than a turn's more, and order in a share holds."""

from collections import Counter, deque
from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from koshel.batching.fair_queue import Commands, FairQueue, RoundRobin
from koshel.batching.waiting import Waiting
from tests.batch.test_queue import NOWHERE, Caller

HEAVIEST = 9


class Sent(NamedTuple):
    """A command: whose it is, which of its sender's, and how heavy."""

    house: int
    who: int
    number: int
    weight: int


def queue_of(sent: Sequence[Sent], quantum: int = 1) -> "FairQueue[Sent, str]":
    queue: FairQueue[Sent, str] = FairQueue(quantum)
    for one in sent:
        queue.append(waiting(one))
    return queue


def waiting(one: Sent) -> "Waiting[Sent, str]":
    return Waiting(one, 1, one.weight, 1e9, Caller(), NOWHERE, (one.house, one.who))


def leaving(commands: "Commands[Sent, str]", count: int) -> list[Sent]:
    left = []
    for _ in range(min(count, len(commands))):
        first = commands[0]
        assert commands.popleft() is first
        left.append(first.command)
    return left


def crowd(*, houses: int, keys: int, commands: int, weight: int = 1) -> list[Sent]:
    return [
        Sent(house, who, number, weight) for number in range(commands) for house in range(houses) for who in range(keys)
    ]


senders = st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, HEAVIEST))
lists = st.lists(senders, max_size=60).map(
    lambda all_: [Sent(h, w, n, weight) for n, (h, w, weight) in enumerate(all_)]
)


@given(sent=lists, quantum=st.integers(1, HEAVIEST))
def test_all_that_comes_leaves_once_and_each_senders_in_the_order_in_which_it_came(
    sent: list[Sent], quantum: int
) -> None:
    left = leaving(queue_of(sent, quantum).for_room(0), len(sent))
    assert sorted(left) == sorted(sent)
    for share in {(one.house, one.who) for one in sent}:
        assert [one for one in left if (one.house, one.who) == share] == [
            one for one in sent if (one.house, one.who) == share
        ]


@given(sent=lists, quantum=st.integers(1, HEAVIEST), data=st.data())
def test_of_two_that_both_still_wait_neither_has_had_more_than_a_turn_more(
    sent: list[Sent], quantum: int, data: st.DataObject
) -> None:
    commands = queue_of(sent, quantum).for_room(0)
    left = leaving(commands, data.draw(st.integers(0, len(sent)), label="leave"))
    rest = [one for one in sent if one not in left]
    had = Counter[int]()
    for one in left:
        had[one.house] += one.weight
    waits = {one.house for one in rest}
    for house in waits:
        for other in waits:
            assert had[house] - had[other] <= quantum + HEAVIEST
    for house in waits:
        keys = {one.who for one in rest if one.house == house}
        had_there = Counter[int]()
        for one in left:
            if one.house == house:
                had_there[one.who] += one.weight
        assert max(had_there[who] for who in keys) - min(had_there[who] for who in keys) <= quantum + HEAVIEST


def test_a_ledger_with_many_keys_has_no_more_than_one_with_few() -> None:
    many = [Sent(1, who, number, 1) for number in range(5) for who in range(20)]
    few = [Sent(2, 0, number, 1) for number in range(20)]
    left = leaving(queue_of([*many, *few]).for_room(40), 40)
    assert Counter(one.house for one in left) == {1: 20, 2: 20}
    assert set(Counter(one.who for one in left if one.house == 1).values()) == {1}, "and in it each key had one turn"


def test_who_comes_late_to_a_queue_that_is_full_of_anothers_waits_for_one_turn() -> None:
    queue = queue_of([Sent(1, 1, number, 1) for number in range(10_000)])
    assert isinstance(queue.commands, deque)
    queue.append(waiting(Sent(1, 2, 0, 1)))
    queue.append(waiting(Sent(2, 1, 0, 1)))
    left = leaving(queue.for_room(5), 5)
    assert {(one.house, one.who) for one in left} == {(1, 1), (1, 2), (2, 1)}
    assert len(left) == 5


def test_what_was_withdrawn_takes_nobodys_turn() -> None:
    sent = [waiting(one) for one in crowd(houses=2, keys=1, commands=6)]
    queue: FairQueue[Sent, str] = FairQueue(1)
    for one in sent:
        queue.append(one)
        one.has_left = one.command.house == 0 and one.command.number < 5
    left = [one for one in leaving(queue.for_room(0), 12) if one.house == 1 or one.number == 5]
    assert [one.house for one in left][:3] != [1, 1, 1], "the one that is left of the first has its turn at once"
    assert len(left) == 7


def test_turns_are_taken_by_weight() -> None:
    heavy = [Sent(1, 1, number, 5) for number in range(20)]
    light = [Sent(2, 1, number, 1) for number in range(100)]
    left = leaving(queue_of([*heavy, *light], quantum=5).for_room(60), 60)
    by_house = Counter[int]()
    for one in left:
        by_house[one.house] += one.weight
    assert abs(by_house[1] - by_house[2]) <= 5


def test_several_shares_take_turns_only_where_not_all_of_them_have_room() -> None:
    sent = crowd(houses=2, keys=2, commands=3)
    queue = queue_of(sent)
    assert queue.is_shared
    assert isinstance(queue.for_room(12), deque)
    assert leaving(queue.for_room(12), 12) == sent, "in the order in which they came"
    queue = queue_of(sent)
    assert isinstance(queue.for_room(11), RoundRobin)
    assert {(one.house, one.who) for one in leaving(queue.commands, 4)} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert isinstance(queue.for_room(12), RoundRobin), "whose turn it is stays so until all have left"


def test_one_share_waits_in_a_plain_deque_and_does_again_when_the_others_have_left() -> None:
    queue = queue_of(crowd(houses=1, keys=1, commands=3))
    assert isinstance(queue.for_room(1), deque)
    assert not queue.is_shared
    queue.append(waiting(Sent(0, 1, 0, 1)))
    assert isinstance(queue.for_room(1), RoundRobin)
    assert len(leaving(queue.commands, 4)) == 4
    assert not queue.is_shared
    queue.append(waiting(Sent(0, 1, 1, 1)))
    assert isinstance(queue.for_room(0), deque)
