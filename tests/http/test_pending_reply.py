"""A pending reply leaves nothing for the garbage collector, which would take a tenth of all time."""

import gc
import weakref
from types import SimpleNamespace
from typing import Any

from koshel.errors import Overloaded
from koshel.http.connection.pending_reply import PendingReply


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
