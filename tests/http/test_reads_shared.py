"""What a request reads, it reads in its caller's turn; and who is refused again and again waits for that."""

import asyncio
from typing import Any

import pytest

from koshel.callers import Caller, Scope
from koshel.config.settings import Settings
from koshel.errors import Overloaded
from koshel.http.limits import CallerLimits
from koshel.http.problems import Failure
from koshel.http.rests import SLOW_PER_S
from tests.support.generate import ROOT

SHOP = Caller(2, "shop", Scope.READ, "1")
MAIN = Caller(1, "main", Scope.READ, "2")
REFUSED = 30

# Those that have no caller, or ask for no read.
HAVE_NONE = {
    "call.py": "where the caller's reads are made",
    "meta.py": "of what everybody may ask, and of metrics",
    "server.py": "whether a dry run has a place",
}


def test_no_handler_reads_but_in_its_callers_turn() -> None:
    found = {
        path.name
        for path in (ROOT / "src/koshel/http").rglob("*.py")
        if "engine.store" in path.read_text(encoding="utf-8")
    }
    assert found == HAVE_NONE.keys()


async def refused(limits: CallerLimits, caller: Caller) -> float:
    """How long it took."""

    async def answer() -> Any:
        raise Overloaded

    began = asyncio.get_running_loop().time()
    with pytest.raises(Overloaded):
        await limits.within(caller, answer)
    return asyncio.get_running_loop().time() - began


async def test_a_refusal_that_waits_is_under_way_no_more() -> None:
    limits = CallerLimits(Settings(concurrency_per_key=1))
    async with asyncio.TaskGroup() as waiting:
        for _ in range(20):
            waiting.create_task(refused(limits, SHOP))
            await asyncio.sleep(0)
    limits.enter(SHOP)
    with pytest.raises(Failure):
        limits.enter(SHOP)
    limits.leave(SHOP)


async def test_the_first_refusal_is_told_at_once_and_a_flood_of_them_at_a_rate() -> None:
    limits = CallerLimits(Settings())
    began = asyncio.get_running_loop().time()
    flood = [asyncio.create_task(refused(limits, SHOP)) for _ in range(REFUSED)]
    await asyncio.sleep(0)
    assert await refused(limits, MAIN) < 0.5 * REFUSED / SLOW_PER_S, "another caller's is told at once"
    took = sorted(await asyncio.gather(*flood))
    assert asyncio.get_running_loop().time() - began > 0.9 * (REFUSED - 1) / SLOW_PER_S
    assert took[0] < 0.5 * took[-1]
