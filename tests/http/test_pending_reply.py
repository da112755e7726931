"""A pending reply leaves nothing for the garbage collector, which would take a tenth of all time."""

import asyncio
import gc
import weakref
from collections.abc import Mapping
from time import perf_counter
from types import SimpleNamespace
from typing import Any, NamedTuple

from koshel.callers import Unauthenticated
from koshel.errors import Overloaded
from koshel.http.connection.pending_reply import PendingReply
from koshel.http.rests import Waits


class Connection:
    """Takes replies."""

    def __init__(self) -> None:
        self.replies: list[int] = []

    def reply(self, _: PendingReply, reply: Any, /) -> None:
        self.replies.append(reply.status)

    def force_close(self) -> None:
        raise AssertionError("every reply can be sent")


class Waiting:
    """As the batcher's: it knows who waits for it."""

    def __init__(self, recipient: PendingReply) -> None:
        self.recipient = recipient


def test_what_is_answered_is_gone_without_the_garbage_collector() -> None:
    connection = Connection()
    plain: Any = SimpleNamespace(said={})
    pending = PendingReply(connection, plain)
    waiting: Any = Waiting(pending)
    pending.waiting = waiting
    known = weakref.ref(waiting)
    gc.disable()
    try:
        del waiting
        pending.set_exception(Overloaded())
        assert connection.replies == [503]
        assert known() is None
    finally:
        gc.enable()


class Plain(NamedTuple):
    """Of a plain request, what is looked at here."""

    body: bytes = b"{}"
    said: Mapping[str, str] = {}


def resting(connection: Connection, wait_s: float, waiting: Waits) -> PendingReply:
    """What is to be refused in a while, with nothing left of its body."""
    plain: Any = Plain()
    pending = PendingReply(connection, plain)
    pending.refuse_at(asyncio.get_running_loop().time() + wait_s, Unauthenticated("unknown"), waiting)
    assert list(waiting) == [connection]
    assert pending.plain.body == b""
    return pending


async def test_what_waits_to_be_refused_is_refused_once_and_its_wait_is_none_of_the_time_it_took() -> None:
    connection, waiting = Connection(), Waits()
    pending = resting(connection, 0.1, waiting)
    assert not connection.replies
    await asyncio.sleep(0.2)
    assert connection.replies == [401]
    assert not waiting
    assert perf_counter() - pending.started < 0.15
    assert not pending.refuse()
    assert connection.replies == [401]


async def test_what_is_refused_before_its_turn_is_refused_once_and_nothing_is_kept_of_it() -> None:
    """When the worker stops, or the client hangs up."""
    connection, waiting = Connection(), Waits()
    pending = resting(connection, 0.1, waiting)
    assert pending.refuse()
    await asyncio.sleep(0.2)
    assert connection.replies == [401]
    assert not waiting
    known = weakref.ref(connection)
    del connection
    assert known() is None


async def test_what_is_not_to_be_refused_is_not() -> None:
    plain: Any = Plain()
    assert not PendingReply(Connection(), plain).refuse()
