"""The express lane: a plain money POST that came whole is answered without a task, a request object or a future.

    bytes ─▶ plain? ─▶ body ─▶ command ─▶ batcher ─▶ outcome ─▶ bytes
               └── no: aiohttp, on the same connection

The reply is aiohttp's, to the byte. So a request that is not quite plain, or wrong in any way, is left to aiohttp, and
the express lane knows no error of its own, but for those that must be cheap: keys that are none, rates, and a queue
that is full. One request at a time on each connection: what is pipelined behind it waits.
"""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from koshel.batching.batcher import Batcher
from koshel.callers import IssuerUnavailable, Unauthenticated
from koshel.core.commands import Command
from koshel.core.model import Outcome
from koshel.db.errors import StoreError
from koshel.errors import Overloaded
from koshel.http.call import Reply
from koshel.http.connection.made_once import overloaded
from koshel.http.connection.pending_reply import PendingReply
from koshel.http.connection.plain import NotPlain, Plain, Reader, still_to_come
from koshel.http.connection.protocol import Protocol
from koshel.http.connection.senders import Senders, ToBeLookedUp
from koshel.http.connection.watch import Watcher
from koshel.http.limits import CallerLimits, RateLimited
from koshel.http.problems import Failure
from koshel.http.response import whole
from koshel.http.rests import Rest
from koshel.http.server import failure_of, problem

if TYPE_CHECKING:
    from koshel.telemetry.tracing import Tracing

MOMENT_S = 0.05  # that the rest of a request may take
UNREAD_MAX = 64 * 1024  # bytes behind a request, before no more are received


class Connection(Protocol):
    """One connection: what is plain is answered here, all else by aiohttp."""

    __slots__ = (
        *("_asked", "_at", "_batcher", "_is_limited", "_limits", "_moment", "_owed", "_pending", "_reader"),
        *("_replied", "_rest", "_senders", "_tracing", "_unread", "_watch"),
    )

    def __init__(
        self,
        *args: Any,
        reader: Reader,
        batcher: Batcher[Command, Outcome],
        limits: CallerLimits,
        senders: Senders,
        tracing: "Tracing | None",
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._reader, self._batcher, self._tracing = reader, batcher, tracing
        self._limits, self._is_limited, self._senders = limits, not limits.are_none, senders
        # Asked once, and not for each reply: `isinstance` is slow for an abstract class.
        self._watch = self.access_logger.logger if isinstance(self.access_logger, Watcher) else None
        self._unread = b""  # from `_at` on: what came, and is not taken off yet
        self._at = 0
        self._owed = 0  # bytes of aiohttp's last request that are still to come; less than 0: not known
        self._pending: PendingReply | None = None
        self._asked: PendingReply | None = None  # it was looked up who sends the request that is next
        self._replied: asyncio.Future[None] | None = None
        self._moment: asyncio.TimerHandle | None = None  # when what is unread goes to aiohttp, or is looked at again
        self._rest = Rest()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is asked, and nothing half received."""
        return self._pending is None and not self._unread and super().is_idle

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if not data:  # aiohttp itself goes on to what it has kept
            super().data_received(data)
            return
        if self._is_new:
            self._begin()
        if self._unread:
            data = self._unread[self._at :] + data
        self._unread, self._at = data, 0
        if self._may_go_on():
            self._advance()
        elif len(data) > UNREAD_MAX and not self._buffer_paused:
            self._pause_reading_for_buffer()

    def resume_writing(self) -> None:
        """The client takes its answers again."""
        super().resume_writing()
        if self._pending is None and self._unread:
            self._advance()

    def reply(self, pending: PendingReply, reply: Reply) -> None:
        """Send the answer, and go on to what came meanwhile."""
        self._pending = None
        if self._is_limited and pending.waiting is not None:
            self._limits.leave(pending.caller)
        self._mark_replied()
        self._send(reply, pending)
        if self._close and self.transport is not None:
            self.transport.close()
        elif self._unread:
            self._advance()

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109  aiohttp's signature
        """Stop, after the reply to the request that is under way."""
        if self._pending is not None and not self._pending.refuse():  # what waits to be refused waits no more
            self._replied = self._loop.create_future()
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._replied
        await super().shutdown(timeout)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection ended; a command that has not left the queue is not done, nor what is pipelined behind it."""
        self._unread, self._at = b"", 0
        if self._pending is not None and not self._pending.refuse():  # a refusal is counted, and in the access log
            if self._pending.waiting is not None:
                self._limits.leave(self._pending.caller)
            self._pending.connection = self._pending.waiting = None
            self._pending = None
            self._mark_replied()
        self._stop_moment()
        super().connection_lost(exc)

    def _process_keepalive(self) -> None:
        if self._pending is not None or self._unread:  # of a request that aiohttp does not know
            self._next_keepalive_close_time = self._loop.time() + self.keepalive_timeout
        super()._process_keepalive()

    def _advance(self) -> None:
        """Take the next request off, and all that can be answered at once."""
        while self._may_go_on() and self._at < len(self._unread):
            found = self._reader.read(self._unread, self._at) if self._is_at_rest() else None
            if found == "partial":
                if self._moment is None:  # one for the whole request, not another for each byte of it
                    self._moment = self._loop.call_later(MOMENT_S, self._hand_over)
                break
            # What was sent together with a refused request is refused together with it; what comes after that, waits.
            if self._rest.until and self._at == 0 and found and self._rest.delays(found.credentials, self._loop.time()):
                if self._moment is None:
                    self._moment = self._loop.call_at(self._rest.until, self._wake)
                break
            if found is None or not self._take_off(found):
                self._hand_over()
                return
            self._stop_moment()
        if self._at == len(self._unread):
            self._unread, self._at = b"", 0
        if self._buffer_paused and len(self._unread) - self._at <= UNREAD_MAX:
            self._resume_reading_for_buffer()

    def _may_go_on(self) -> bool:
        """Whether what comes is looked at now: nothing is under way, and the answers are taken; or it is aiohttp's."""
        return self._pending is None and (self._owed != 0 or not self._paused)

    def _wake(self) -> None:
        self._moment, self._rest.until = None, 0.0
        self._advance()

    def _is_at_rest(self) -> bool:
        """Whether aiohttp stands between two requests."""
        waiter = self._waiter
        return self._owed == 0 and waiter is not None and not waiter.done()

    def _take_off(self, plain: Plain) -> bool:
        """Send the request's command to the batcher; False if anything is wrong with it, and nothing was done."""
        asked, self._asked = self._asked, None
        pending = asked or PendingReply(self, plain)
        if self._tracing is not None and asked is None:
            pending.trace = plain.begin(self._tracing)
        try:
            pending.caller = self._senders.of(plain, pending)
            if self._is_limited:
                self._limits.enter(pending.caller)
        except NotPlain:
            return False
        except ToBeLookedUp as error:
            self._pending = pending
            self._senders.ask(pending, error.token, self._again)
            return True
        except Unauthenticated as error:
            self._senders.refuse(pending, error, self.peername)
        except (IssuerUnavailable, Failure, Overloaded, StoreError) as error:  # cheaply: anybody can send them
            return self._refuse(plain, pending, error)
        else:
            return self._send_command(plain, pending)
        self._at, self._pending = plain.end, pending
        return True

    def _send_command(self, plain: Plain, pending: PendingReply) -> bool:
        caller, share, size = pending.caller, pending.caller.share, len(plain.body)
        try:
            self._batcher.check(share, size)  # before it is decoded
            command, weight = self._reader.command(plain, caller)
            if weight > 1:
                self._limits.weigh(caller, weight)
            pending.waiting = waiting = self._batcher.send(command, pending, size=size, weight=weight, share=share)
            waiting.trace = pending.trace
        except (Overloaded, RateLimited) as error:
            self._limits.leave(caller)
            return self._refuse(plain, pending, error)
        except Exception:  # noqa: BLE001  whatever it is, aiohttp meets it again, and answers it
            self._limits.take_back(caller)
            return False
        self._at, self._pending = plain.end, pending
        return True

    def _again(self) -> None:
        """Who sends the request is remembered now."""
        self._asked, self._pending = self._pending, None
        self._advance()

    def _refuse(self, plain: Plain, pending: PendingReply, error: Exception) -> bool:
        """Answer at once, as aiohttp would."""
        self._at = plain.end
        self._rest.begin(plain.credentials, self._limits.rests.until(plain.credentials, self._loop.time()))
        self._send(overloaded() if isinstance(error, Overloaded) else problem(failure_of(error, pending.name)), pending)
        return True

    def _send(self, reply: Reply, pending: PendingReply) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(whole(reply, pending.name, "" if pending.trace is None else pending.trace.header))
            self._next_keepalive_close_time = self._loop.time() + self.keepalive_timeout
        if self._watch is not None:
            self._watch.answered(pending, reply, self.peername)

    def _mark_replied(self) -> None:
        if self._replied is not None and not self._replied.done():
            self._replied.set_result(None)

    def _hand_over(self) -> None:
        """Give aiohttp all that is unread."""
        self._stop_moment()
        data, self._unread, self._at = self._unread[self._at :], b"", 0
        self._owed = still_to_come(data) if self._owed == 0 else self._owed - len(data)
        if self._buffer_paused:
            self._resume_reading_for_buffer()
        super().data_received(data)

    def _stop_moment(self) -> None:
        if self._moment is not None:
            self._moment.cancel()
            self._moment = None
