"""The places of statements under way: a bounded number, each given back however its statement ends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from koshel.config.settings import Settings
from koshel.errors import Overloaded
from koshel.http.limits import CallerLimits
from koshel.http.statements import STREAMS_MAX, Slot, _held


async def parts() -> AsyncIterator[bytes]:
    for _ in range(3):
        await asyncio.sleep(0)
        yield b"x"


async def test_no_more_are_let_in_however_many_come_at_once_and_all_are_given_back() -> None:
    limits = CallerLimits(Settings())

    async def ask() -> bool:
        try:
            slot = Slot.taken(limits)
        except Overloaded:
            return False
        await asyncio.sleep(0)  # the look-up
        async for _ in _held(slot, parts()):
            assert limits.streams <= STREAMS_MAX
        return True

    assert sum(await asyncio.gather(*(ask() for _ in range(200)))) == STREAMS_MAX
    assert limits.streams == 0


@pytest.mark.parametrize("read", [0, 1])
async def test_a_place_is_given_back_though_its_statement_is_broken_off_or_never_begun(read: int) -> None:
    limits = CallerLimits(Settings())
    stream = _held(Slot.taken(limits), parts())
    for _ in range(read):
        await anext(stream)
    assert limits.streams == 1
    await stream.aclose()  # type: ignore[attr-defined]
    del stream
    assert limits.streams == 0


async def test_a_place_is_given_back_if_the_look_up_fails() -> None:
    limits = CallerLimits(Settings())

    async def ask() -> None:
        slot = Slot.taken(limits)
        assert slot is not None
        raise ZeroDivisionError

    with contextlib.suppress(ZeroDivisionError):
        await ask()
    assert limits.streams == 0
