"""The places of statements under way: a bounded number, each given back however its statement ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from koshel.errors import Overloaded
from koshel.http.handlers.statements import _held
from koshel.http.slots import Slots
from koshel.shares import NOBODY

MOST = 16


async def parts() -> AsyncIterator[bytes]:
    for _ in range(3):
        await asyncio.sleep(0)
        yield b"x"


async def test_no_more_are_let_in_however_many_come_at_once_and_all_are_given_back() -> None:
    slots = Slots(MOST)

    async def ask() -> bool:
        try:
            slot = slots.take(NOBODY)
        except Overloaded:
            return False
        await asyncio.sleep(0)  # the look-up
        async for _ in _held(slot, parts()):
            assert slots.taken <= MOST
        return True

    assert sum(await asyncio.gather(*(ask() for _ in range(200)))) == MOST
    assert slots.taken == 0


@pytest.mark.parametrize("read", [0, 1])
async def test_a_place_is_given_back_though_its_statement_is_broken_off_or_never_begun(read: int) -> None:
    slots = Slots(MOST)
    stream = _held(slots.take(NOBODY), parts())
    for _ in range(read):
        await anext(stream)
    assert slots.taken == 1
    await stream.aclose()  # type: ignore[attr-defined]
    del stream
    assert slots.taken == 0


async def test_a_place_is_given_back_if_the_look_up_fails() -> None:
    slots = Slots(MOST)

    async def ask() -> None:
        slot = slots.take(NOBODY)
        assert slot is not None
        raise ZeroDivisionError

    with contextlib.suppress(ZeroDivisionError):
        await ask()
    assert slots.taken == 0
