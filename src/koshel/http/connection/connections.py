"""The open connections of a worker: how many there may be, and which have to go.

too many ───────────▶ the one that has waited longest for the refusal of a wrong key; if none does, the one that
                      has been idle longest; if none is, the new one
answers not read ───▶ that one, after `send_timeout_ms`; when the worker stops, sooner
"""

import asyncio
import time
from collections import deque
from typing import Protocol

import structlog
from msgspec import Struct

from koshel.http.rests import Waits
from koshel.telemetry import metrics

READ_RATE_MIN = 1_024  # bytes a second: a client that takes less of what waits for it counts as one that does not read
LOOKS_PER_TIMEOUT = 4
STOP_PATIENCE_S = 0.5  # how long a worker that stops waits for a client that does not read
FLUSH_PAUSE_S = 0.02

_log = structlog.get_logger()


class Peer(Protocol):
    """One connection, as far as it matters here."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is asked, and nothing half received."""

    @property
    def idle_until(self) -> float:
        """When the connection will be closed if nothing comes: the longer it has been idle, the sooner."""


class _Unsent(Struct):
    """The bytes that wait in a connection's buffer: `start` of them at `since`, when watching began."""

    since: float
    start: int
    last: int


class Connections:
    """The open connections. It is told of every one that begins and ends, and closes those that must not stay."""

    def __init__(self, most: int, send_timeout_s: float, refused: Waits) -> None:
        self._most = most
        self._refused = refused  # those that wait for the refusal of a wrong key
        self._patience_s = send_timeout_s
        self._open: dict[Peer, asyncio.Transport] = {}
        self._unsent: dict[Peer, _Unsent] = {}
        self._idle: deque[tuple[float, Peer]] = deque()  # as of the last look, the longest first
        self._next_search = 0.0
        self._closed = 0  # since there have been too many
        self._next_look: asyncio.TimerHandle | None = None

    def opened(self, peer: Peer, transport: asyncio.Transport) -> None:
        """A connection began: another one may have to go for it, or it goes itself."""
        self._open[peer] = transport
        metrics.CONNECTIONS_OPENED.add()
        metrics.CONNECTIONS.set(len(self._open))
        if len(self._open) > self._most:
            self._make_room(peer)

    def ended(self, peer: Peer) -> None:
        """A connection ended."""
        self._open.pop(peer, None)
        metrics.CONNECTIONS.set(len(self._open))
        if self._closed and len(self._open) < self._most * 0.9:
            _log.info("there is room for connections again", connections_max=self._most, closed=self._closed)
            self._closed = 0

    def _make_room(self, new: Peer) -> None:
        if not self._closed:
            _log.warning("too many connections: the ones idle longest are closed", connections_max=self._most)
        self._closed += 1
        metrics.CONNECTIONS_CLOSED.add("room")
        if (transport := self._longest_refused()) is None:
            victim = self._longest_idle()
            if victim is None and self._search(new):
                victim = self._longest_idle()
            transport = self._open.pop(victim or new)
        transport.abort()

    def _longest_refused(self) -> asyncio.Transport | None:
        """Of those that wait for the refusal of a wrong key: else a flood of them would cost others their place."""
        while self._refused:
            peer, _ = self._refused.popitem(last=False)
            if peer in self._open:
                return self._open.pop(peer)
        return None

    def _longest_idle(self) -> Peer | None:
        """The first of those found by the last search that has not been used since."""
        while self._idle:
            until, peer = self._idle.popleft()
            if peer in self._open and peer.is_idle and peer.idle_until == until:
                return peer
        return None

    def _search(self, new: Peer) -> bool:
        """Look at all connections for idle ones; whether it was done. Connections do nothing for it themselves.

        After a search that found few, there is none for nine times as long as it took.
        """
        began = time.perf_counter()
        if began < self._next_search:
            return False
        idle = [(peer.idle_until, peer) for peer in self._open if peer is not new and peer.is_idle]
        self._idle = deque(sorted(idle, key=lambda one: one[0]))
        if len(idle) * 10 < len(self._open):
            self._next_search = began + 10 * (time.perf_counter() - began)
        return True

    def watch(self) -> None:
        """Look now for answers that nobody reads, and from now on."""
        self._stop_looking()
        loop = asyncio.get_running_loop()
        now = loop.time()
        seen, self._unsent = self._unsent, {}
        for peer, transport in list(self._open.items()):
            if size := transport.get_write_buffer_size():
                self._unsent[peer] = self._watched(seen.get(peer), size, now)
                if now - self._unsent[peer].since >= self._patience_s:
                    _log.info(
                        "a client does not read its answers",
                        remote=str(transport.get_extra_info("peername")),
                        unsent_bytes=size,
                    )
                    metrics.CONNECTIONS_CLOSED.add("unread")
                    transport.abort()
        self._next_look = loop.call_later(self._patience_s / LOOKS_PER_TIMEOUT, self.watch)

    def _watched(self, unsent: _Unsent | None, size: int, now: float) -> _Unsent:
        """Start anew if the buffer is new, enough was taken, or more has come, which hides how much was taken."""
        enough = READ_RATE_MIN * self._patience_s
        if unsent is None or size > unsent.last or unsent.start - size >= enough:
            return _Unsent(now, size, size)
        unsent.last = size
        return unsent

    def hurry(self) -> None:
        """The worker stops: from now on it waits only for those who read."""
        self._patience_s = min(self._patience_s, STOP_PATIENCE_S)
        self.watch()

    async def flush(self, timeout_s: float) -> None:
        """Return when all that was written is sent or given up, or when time is up; then look no more."""
        deadline = time.monotonic() + timeout_s
        while self._is_sending() and time.monotonic() < deadline:  # noqa: ASYNC110  no transport says when it is done
            await asyncio.sleep(FLUSH_PAUSE_S)
        self._stop_looking()

    def _is_sending(self) -> bool:
        return any(transport.get_write_buffer_size() for transport in self._open.values())

    def _stop_looking(self) -> None:
        if self._next_look is not None:
            self._next_look.cancel()
