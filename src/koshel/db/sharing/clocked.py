"""How much of the event loop's time a coroutine takes: that of its steps, without what it waits for."""

import types
from collections.abc import Coroutine, Generator
from time import perf_counter
from typing import Any, TypeVar

T = TypeVar("T")


class Clock:
    """What was taken so far, in seconds."""

    __slots__ = ("took_s",)

    def __init__(self) -> None:
        self.took_s = 0.0


async def clocked(coroutine: Coroutine[Any, Any, T], clock: Clock) -> T:
    """What the coroutine returns or raises; the clock goes on while it is at work."""
    return await _stepwise(coroutine, clock)


@types.coroutine
def _stepwise(coroutine: Coroutine[Any, Any, T], clock: Clock) -> Generator[Any, Any, T]:
    thrown: BaseException | None = None
    while True:
        began = perf_counter()
        try:
            waits_for = coroutine.send(None) if thrown is None else coroutine.throw(thrown)
        except StopIteration as end:
            found: T = end.value
            return found
        finally:
            clock.took_s += perf_counter() - began
        thrown = None
        try:
            yield waits_for
        except BaseException as error:  # noqa: BLE001  a cancellation is the coroutine's, too
            thrown = error
