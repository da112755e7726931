"""Several refusals apply at once: the first in Refusal's own order is the answer, for every command."""

from collections.abc import Mapping
from itertools import combinations

import pytest

from koshel.core.book import after
from koshel.core.commands import Command, Expire, Kind, Member
from koshel.core.decide import decide
from koshel.core.model import Declined, Executed, Outcome, Refusal
from tests.support.faults import BOOK, CASES, HELD, OF_A_HOLD, REUSED, Fault, Scene, over, reserving
from tests.support.wallets import execute, expire


def answer(command: Command, *faults: Fault) -> Outcome:
    scene = Scene(after(BOOK, ()), command)
    if isinstance(command, Expire):
        over(scene)
    for fault in faults:
        fault(scene)
    (outcome,) = decide(scene.book, [scene.command])
    return outcome.outcome if isinstance(outcome, Executed) else outcome


def background() -> list[tuple[Member, Mapping[Refusal, Fault]]]:
    """What has no key when it is decided: queued transactions, and the sweeper's."""
    cases: list[tuple[Member, Mapping[Refusal, Fault]]] = [
        (expire(HELD), OF_A_HOLD | {Refusal.HOLD_EXPIRED: reserving(Kind.EXPIRY)})
    ]
    for command, faults in CASES[:6]:
        unkeyed = {refusal: fault for refusal, fault in faults.items() if fault is not REUSED}
        cases.append((execute(201, command), unkeyed))  # type: ignore[arg-type]  # the first six are requests
    return cases


ALL = [pytest.param(command, faults, id=str(command)[:60]) for command, faults in (*CASES, *background())]


@pytest.mark.parametrize(("command", "faults"), ALL)
def test_without_a_fault_nothing_is_refused(command: Command, faults: Mapping[Refusal, Fault]) -> None:
    assert not isinstance(answer(command), Declined)
    assert list(faults) == sorted(faults, key=list(Refusal).index), "the table is in order"


def refusal_of(outcome: Outcome) -> Refusal | None:
    return outcome.refusal if isinstance(outcome, Declined) else None


@pytest.mark.parametrize(("command", "faults"), ALL)
def test_each_fault_has_its_refusal(command: Command, faults: Mapping[Refusal, Fault]) -> None:
    assert [refusal_of(answer(command, fault)) for fault in faults.values()] == list(faults)


@pytest.mark.parametrize(("command", "faults"), ALL)
def test_of_two_faults_the_first_is_the_answer(command: Command, faults: Mapping[Refusal, Fault]) -> None:
    for earlier, later in combinations(faults, 2):
        assert refusal_of(answer(command, faults[later], faults[earlier])) is earlier, later


@pytest.mark.parametrize(("command", "faults"), ALL)
def test_each_fault_that_is_mended_reveals_the_next(command: Command, faults: Mapping[Refusal, Fault]) -> None:
    left = list(faults)
    while left:
        assert refusal_of(answer(command, *[faults[refusal] for refusal in reversed(left)])) is left.pop(0)


def test_every_refusal_is_in_a_table() -> None:
    assert {refusal for _, faults in CASES for refusal in faults} == set(Refusal)
