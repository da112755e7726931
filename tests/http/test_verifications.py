"""Verifications of JWTs: each in its turn, with a part of the worker's time, and a bounded number of them waiting."""

import asyncio
import time

import pytest

from koshel.access import verifications
from koshel.access.jwts import Claims
from koshel.access.verifications import SHARE, WAITING_MAX, Verifications
from koshel.callers import Scope, Unauthenticated
from koshel.errors import Overloaded

pytestmark = pytest.mark.alone

SAID = Claims("main", Scope.READ, "jwt:a", 1.0)
COSTS_S = 0.002


def costly() -> Claims:
    """As wrong ones are, only more so."""
    until = time.perf_counter() + COSTS_S
    while time.perf_counter() < until:
        pass
    return SAID


def wrong() -> Claims:
    raise Unauthenticated("jwt-signature")


async def test_each_gets_its_own_answer() -> None:
    made = Verifications()
    right, refused, fault = await asyncio.gather(
        made.verify(b"1", lambda: SAID),
        made.verify(b"2", wrong),
        made.verify(b"3", lambda: 1 / 0),  # type: ignore[arg-type,return-value]
        return_exceptions=True,
    )
    assert right == SAID
    assert isinstance(refused, Unauthenticated)
    assert isinstance(fault, ZeroDivisionError)
    assert await made.verify(b"4", lambda: SAID) == SAID, "and it goes on"


async def test_however_many_come_they_take_their_share_of_the_time_and_no_more() -> None:
    made = Verifications()
    began, busy = time.perf_counter(), time.process_time()
    await asyncio.gather(*[made.verify(bytes([number]), costly) for number in range(60)])
    took, busy = time.perf_counter() - began, time.process_time() - busy
    assert took > 0.8 * (60 * COSTS_S / SHARE - verifications.AHEAD_MAX_S)
    assert busy < 0.5 * took, "the others have the rest"


async def test_those_that_come_one_after_the_other_have_the_same_share() -> None:
    made = Verifications()
    began = time.perf_counter()
    for number in range(60):
        await made.verify(bytes([number]), costly)
    assert time.perf_counter() - began > 0.8 * (60 * COSTS_S / SHARE - 2 * verifications.AHEAD_MAX_S)


async def test_a_few_that_come_together_do_not_wait() -> None:
    took = []
    for _ in range(5):  # on a busy machine one try may be late by itself
        made, began = Verifications(), time.perf_counter()
        asked = [made.verify(bytes([number]), lambda: SAID) for number in range(10)]
        assert await asyncio.gather(*asked) == [SAID] * 10
        took.append(time.perf_counter() - began)
    assert min(took) < 0.5 * verifications.AHEAD_MAX_S


async def test_what_has_no_place_is_refused_at_once_and_what_has_one_keeps_it() -> None:
    made = Verifications()
    waiting = [asyncio.ensure_future(made.verify(number.to_bytes(2), lambda: SAID)) for number in range(WAITING_MAX)]
    await asyncio.sleep(0)
    made.check((WAITING_MAX - 1).to_bytes(2))
    with pytest.raises(Overloaded):
        made.check(b"more")
    with pytest.raises(Overloaded):
        await made.verify(b"more", lambda: SAID)
    assert await asyncio.gather(*waiting) == [SAID] * WAITING_MAX


async def test_one_who_hangs_up_leaves_the_others_their_answer() -> None:
    made = Verifications()
    first, second = (asyncio.ensure_future(made.verify(b"1", costly)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == SAID


async def test_at_the_end_nobody_waits_for_ever() -> None:
    made = Verifications()
    waiting = [asyncio.ensure_future(made.verify(bytes([number]), costly)) for number in range(20)]
    await asyncio.sleep(0)
    await made.close()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(one, asyncio.CancelledError) for one in ended)
