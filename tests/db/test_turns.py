"""Whose call is next: shares take turns, and beside others nobody has more than a part of the time."""

from collections import Counter, defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from koshel.db.sharing import turns
from koshel.db.sharing.turns import AHEAD_S, REST_MAX_S, TIME_PART, Gate, Round, Waiting
from koshel.shares import NOBODY, PRESENT_S, Neighbours, Share

A, B, C = (1, "a"), (1, "b"), (2, "c")
NOW = 100.0
RUNNING_PART = 2
TARGET_S = 1.0


def waiting(share: Share, weight: int = 1) -> Waiting:
    nobody: Any = None  # waits for it
    return Waiting(share, weight, nobody)


def gate(*seen: Share, now: float = NOW) -> Gate:
    """A gate beside those who were seen a moment ago."""
    neighbours = Neighbours()
    neighbours.saw(seen, now)
    return Gate(neighbours, RUNNING_PART, now)


def round_of(*shares: Share) -> Round:
    found = Round(TARGET_S)
    for share in shares:
        found.append(waiting(share), NOW)
    return found


def next_ones(waits: Round, through: Gate) -> list[Share]:
    """Whose calls may begin, in order, where each ends before the next begins."""
    found = []
    while one := waits.next(through):
        waits.withdraw(one)
        found.append(one.share)
    return found


ORDERS = {
    "one share": ([A] * 3, [A] * 3),
    "two ledgers": ([A] * 4 + [C] * 2, [A, C, A, C, A, A]),
    "two keys": ([A] * 4 + [B] * 2, [A, B, A, B, A, A]),
    "keys share what their ledger has": ([A] * 3 + [B] * 3 + [C] * 3, [A, C, B, C, A, C, B, A, B]),
    "the service itself": ([A] * 3 + [NOBODY], [A, NOBODY, A, A]),
}


@pytest.mark.parametrize(("came", "leave"), ORDERS.values(), ids=ORDERS)
def test_ledgers_take_turns_and_in_a_ledger_its_keys(came: list[Share], leave: list[Share]) -> None:
    assert next_ones(round_of(*came), gate()) == leave


@pytest.mark.parametrize("keys", [1, 50])
def test_however_many_keys_flood_another_ledger_is_next_but_one(keys: int) -> None:
    flood = [(1, number % keys) for number in range(500)]
    assert C in next_ones(round_of(*flood, C), gate())[:2]


SHARES = st.sampled_from([A, B, C, NOBODY])


@settings(max_examples=50)
@given(st.lists(st.tuples(SHARES, st.integers(0, 30), st.sampled_from(["come", "leave", "next"])), max_size=40))
def test_each_share_is_in_order_and_nothing_is_left(steps: list[tuple[Share, int, str]]) -> None:
    waits, model = Round(TARGET_S), defaultdict[Share, list[Waiting]](list)
    for share, weight, step in steps:
        if step == "come":
            one = waiting(share, weight)
            waits.append(one, NOW)
            model[share].append(one)
        elif step == "leave" and model[share]:
            waits.withdraw(model[share].pop())
        elif step == "next" and (found := waits.next(gate())):
            waits.withdraw(found)
            assert model[found.share].pop(0) is found
        for known in (A, B, C, NOBODY):
            assert waits.both(known, NOW)[1].weight == sum(one.weight for one in model[known])
    assert len(waits) == len({share[0] for share, line in model.items() if line})
    assert Counter(next_ones(waits, gate())) == Counter({share: len(line) for share, line in model.items() if line})
    assert len(waits) == 0


BESIDE = {"ledger": (A, C), "key": (A, B)}


@pytest.mark.parametrize("seen", BESIDE.values(), ids=BESIDE)
def test_beside_others_a_share_has_half_of_the_connections(seen: tuple[Share, ...]) -> None:
    waits = round_of(A)
    for running, lets in ((1, True), (2, False)):
        for one in waits.both(A, NOW):
            one.running = running
        assert (waits.next(gate(*seen)) is not None) is lets
        assert waits.next(gate(A)) is not None, "alone it has all"


@pytest.mark.parametrize("seen", BESIDE.values(), ids=BESIDE)
def test_beside_others_who_has_used_much_time_rests_and_the_others_do_not(seen: tuple[Share, ...]) -> None:
    waits = round_of(A, A, *seen[1:])
    for one in waits.both(A, NOW):
        one.takes(0.05, NOW)
    through = gate(*seen)
    assert next_ones(waits, through) == [seen[1]]
    assert waits.next(through) is None
    assert through.opens_at == pytest.approx(NOW + 0.05 / TIME_PART - AHEAD_S)
    later = Gate(through.neighbours, RUNNING_PART, through.opens_at + 0.001)
    assert A in next_ones(waits, later)


def test_who_is_alone_never_rests() -> None:
    waits = round_of(A, A)
    for one in waits.both(A, NOW):
        one.takes(100, NOW)
    assert next_ones(waits, gate(A)) == [A, A]
    waits = round_of(A)
    for one in waits.both(A, NOW):
        one.takes(0.1, NOW)
    past = gate(A, C)
    past.now += PRESENT_S
    assert next_ones(waits, past) == [A], "others were here, and have gone"


def test_what_the_service_itself_asks_never_rests() -> None:
    waits = round_of(NOBODY)
    for one in waits.both(NOBODY, NOW):
        one.takes(100, NOW)
        one.running = RUNNING_PART
    assert next_ones(waits, gate(A, C)) == [NOBODY]


def test_nobody_rests_for_long_whatever_one_call_took() -> None:
    waits = round_of(A)
    for one in waits.both(A, NOW):
        one.takes(100, NOW)
    assert waits.next(gate(A, C)) is None
    assert next_ones(waits, gate(A, C, now=NOW + REST_MAX_S)) == [A]


def test_small_calls_are_not_held_up_as_long_as_they_take_little() -> None:
    waits = round_of(A)
    for number in range(100):
        for one in waits.both(A, NOW):
            one.takes(0.0002, NOW + number / 1_000)
    assert next_ones(waits, gate(A, C, now=NOW + 0.1)) == [A]


def test_shares_that_have_rested_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "KEPT_MAX", 10)
    waits = Round(TARGET_S)
    waits._sweep_at = 10
    waits.append(waiting(A), NOW)
    for number in range(200):
        waits.both((number + 10, None), NOW)[0].takes(0.001, NOW)
    assert len(waits._turns) > 100, "none has rested yet"
    for number in range(400):
        waits.both((number + 1_000, None), NOW + 10)
    assert len(waits._turns) < 450
    assert next_ones(waits, gate()) == [A], "but none that waits"
