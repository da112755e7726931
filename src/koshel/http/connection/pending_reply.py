"""A request of the express lane that is under way, and where the batcher puts its outcome."""

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple, Protocol

import structlog

from koshel.batching.waiting import Waiting
from koshel.callers import ANYBODY, Unauthenticated
from koshel.core.commands import Command
from koshel.core.model import Outcome
from koshel.http import answers, request_id
from koshel.http.call import Reply
from koshel.http.connection.made_once import unknown_sender
from koshel.http.connection.plain import Plain
from koshel.http.rests import Waits
from koshel.http.server import failure_of, problem
from koshel.telemetry import metrics

if TYPE_CHECKING:
    from koshel.telemetry.tracing import RequestTrace

_log = structlog.get_logger()


class Connection(Protocol):
    """Where the reply goes."""

    def reply(self, pending: "PendingReply", reply: Reply, /) -> None:
        """Send the answer, and go on to what came meanwhile."""

    def force_close(self) -> None:
        """Hang up."""


class _Turn(NamedTuple):
    """Of the refusal of a sender that nobody knows."""

    timer: asyncio.TimerHandle
    waiting: Waits  # has the connection until then


class PendingReply:
    """A request whose reply is not sent yet, and where the batcher puts its outcome."""

    __slots__ = ("_turn", "caller", "connection", "error", "name", "plain", "started", "trace", "waiting")

    def __init__(self, connection: Connection, plain: Plain) -> None:
        self.caller = ANYBODY  # until it is known who it is
        self.connection: Connection | None = connection  # None: it is answered, or the caller hung up
        self.error: Exception | None = None  # what came of it when it was looked up who sends it
        self.name = request_id.named(plain.said.get("x-request-id"))
        self.plain = plain
        self._turn: _Turn | None = None  # None: it does not wait to be refused
        self.started = perf_counter()  # the loop's own clock has milliseconds
        self.trace: RequestTrace | None = None
        self.waiting: Waiting[Command, Outcome] | None = None  # None: it was refused at once

    def done(self) -> bool:
        """Whether nobody waits for the reply any more."""
        return self.connection is None

    def set_result(self, outcome: Outcome) -> None:
        """The outcome is final."""
        try:
            reply = answers.reply(outcome)
        except Exception as error:  # noqa: BLE001  whatever it is, the caller gets a problem
            reply = problem(failure_of(error, self.name))
        self._reply(reply)

    def set_exception(self, error: Exception) -> None:
        """There is no outcome, for this reason."""
        self._reply(problem(failure_of(error, self.name)))

    def refuse_at(self, due: float, error: Unauthenticated, waiting: Waits) -> None:
        """It is refused, and told so when it is its turn. Until then its body is nothing that has to be kept."""
        metrics.key_refused(error.reason)  # now: its client may hang up
        self.error, self.plain = error, self.plain._replace(body=b"")
        self.started -= perf_counter()  # how long it takes is said without the wait
        self._turn = _Turn(asyncio.get_running_loop().call_at(due, self.refuse), waiting)
        waiting[self.connection] = None

    def refuse(self) -> bool:
        """Tell it now that it is refused, if it is: its turn has come, the worker stops, or its client hung up."""
        if self._turn is None or self.connection is None:
            return False
        assert isinstance(self.error, Unauthenticated), "nothing else waits for a turn to be refused"
        self._turn.timer.cancel()
        self._turn.waiting.pop(self.connection, None)
        self._turn = None  # its timer knows this one too
        self.started += perf_counter()
        self._reply(unknown_sender(self.error.reason))
        return True

    def _reply(self, reply: Reply) -> None:
        connection, self.connection = self.connection, None
        assert connection is not None, "it is answered once"
        try:
            connection.reply(self, reply)
        except Exception:  # noqa: BLE001  the batcher has others to answer
            _log.exception("an answer could not be sent", request_id=self.name)
            connection.force_close()
        # It knows this one too: two that know each other would wait for the garbage collector, at a tenth of all time.
        self.waiting = None
