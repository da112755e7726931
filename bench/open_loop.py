"""An open loop: requests are sent when they are due, whether or not earlier ones are answered.

`drive` runs it in a process of its own: streams as JSON on standard input, what became of each on standard output.

Each stream sends transfers at its own rate, over connections of its own, one request at a time on each. A request that
finds no connection free is not sent, and counted. The time of the others runs from when they were due.
"""

import asyncio
import itertools
import random
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TypeVar, cast

import msgspec
import uvloop
from msgspec import Struct, field

from bench.servers import ROOT

TICK_S = 0.001
POOL = 4_096  # requests that are built before, and sent round and round
ENDS_WITHIN_S = 10

WhatT = TypeVar("WhatT")


class Stream(Struct, frozen=True):
    """So many requests a second, from `starts_s` on, until `ends_s`; a rate of 0: each connection as fast as it can."""

    name: str
    port: int
    per_s: float
    ends_s: float
    starts_s: float = 0.0
    connections: int = 256
    headers: str = ""
    accounts: Sequence[int] = (1, 10_000)  # the first and the last of those that pay each other
    tokens: Sequence[str] = ()  # bearer tokens, one after another


class Became(Struct):
    """What became of a stream's requests."""

    sent: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    by_second: dict[int, int] = field(default_factory=dict)  # those that were made, by when they were answered
    unsent: int = 0  # as no connection was free
    p50_ms: float = 0.0  # of those that were made
    p99_ms: float = 0.0
    refused_p99_ms: float = 0.0

    @property
    def made(self) -> int:
        """How many transfers were made."""
        return self.statuses.get("201", 0)

    @property
    def refused(self) -> dict[str, int]:
        """How many were not, by status."""
        return {status: count for status, count in self.statuses.items() if status != "201"}


class _Connection(asyncio.Protocol):
    """One connection, with at most one request under way."""

    def __init__(self, sender: "_Sender") -> None:
        self._sender = sender
        self._received = b""
        self.due = 0.0
        self.transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        start = head.find(b"Content-Length: ") + 16
        if len(body) >= int(head[start:].partition(b"\r")[0]):
            self._received = b""
            self._sender.answered(self, head[9:12].decode())

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        self.transport = None
        if self.due:
            self._sender.answered(self, "broken")


class _Sender:
    """One stream at work."""

    def __init__(self, stream: Stream) -> None:
        self.became = Became()
        self._stream = stream
        self._began = 0.0
        self._requests = itertools.cycle(list(_requests(stream)))
        self._free: deque[_Connection] = deque()
        self._due: deque[float] = deque()
        self._took: list[float] = []
        self._refused_took: list[float] = []
        self._is_over = False
        self._under_way = 0

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(self._stream.connections):
            _, one = await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._stream.port)
            self._free.append(one)

    async def run(self, began: float) -> Became:
        self._began, stream, count = began, self._stream, 0
        starts, ends = began + stream.starts_s, began + stream.ends_s
        if stream.starts_s:
            await asyncio.sleep(starts - time.monotonic())
            await self.connect()  # not before: a connection on which nothing comes is closed
            starts = time.monotonic()
        while (now := time.monotonic()) < ends:
            if not stream.per_s and now >= starts:
                self._due.extend([now] * len(self._free))
            due = int((now - starts) * stream.per_s) if now >= starts else 0
            self._due.extend(starts + n / stream.per_s for n in range(count, due))
            count = max(count, due)
            self._send()
            self.became.unsent += len(self._due)
            self._due.clear()
            await asyncio.sleep(TICK_S)
        self._is_over = True
        deadline = now + ENDS_WITHIN_S
        while self._under_way and time.monotonic() < deadline:  # noqa: ASYNC110  a thousand answers, no event each
            await asyncio.sleep(TICK_S)
        return self._summed()

    def answered(self, one: _Connection, status: str) -> None:
        now, due, one.due = time.monotonic(), one.due, 0.0
        self._under_way -= 1
        _count(self.became.statuses, status)
        if status == "201":
            self._took.append(now - due)
            _count(self.became.by_second, int(now - self._began))
        else:
            self._refused_took.append(now - due)
        if one.transport is not None:
            self._free.append(one)
        if not self._is_over:
            if not self._stream.per_s:
                self._due.append(now)
            self._send()

    def _send(self) -> None:
        while self._due and self._free:
            one, self.became.sent = self._free.popleft(), self.became.sent + 1
            one.due = self._due.popleft()
            if one.transport is not None:
                self._under_way += 1
                one.transport.write(next(self._requests))

    def _summed(self) -> Became:
        became = self.became
        became.p50_ms, became.p99_ms = _quantile(self._took, 0.5), _quantile(self._took, 0.99)
        became.refused_p99_ms = _quantile(self._refused_took, 0.99)
        return became


def drive(streams: Sequence[Stream]) -> dict[str, Became]:
    """Send all the streams at once; what became of each, by name."""
    command = [sys.executable, "-m", "bench.open_loop"]
    done = subprocess.run(command, cwd=ROOT, input=msgspec.json.encode(streams), capture_output=True, check=True)
    return msgspec.json.decode(done.stdout, type=dict[str, Became])


def _count(counts: dict[WhatT, int], what: WhatT) -> None:
    counts[what] = counts.get(what, 0) + 1


def _quantile(took: Sequence[float], part: float) -> float:
    return sorted(took)[int(len(took) * part)] * 1_000 if took else 0.0


def _requests(stream: Stream) -> Iterator[bytes]:
    chance, (first, last) = random.Random(stream.name), stream.accounts
    headers = [f"{stream.headers}\r\nAuthorization: Bearer {token}" for token in stream.tokens] or [stream.headers]
    for number in range(max(POOL, len(headers))):
        source, target = chance.sample(range(first, last + 1), 2)
        body = f'{{"source_account_id": {source}, "target_account_id": {target}, "amount": "0.01"}}'
        yield (
            f"POST /transaction HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json"
            f"{headers[number % len(headers)]}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()


async def _run(streams: Sequence[Stream]) -> dict[str, Became]:
    senders = [_Sender(stream) for stream in streams]
    for stream, sender in zip(streams, senders, strict=True):
        if not stream.starts_s:
            await sender.connect()
    began = time.monotonic()
    became = await asyncio.gather(*(sender.run(began) for sender in senders))
    return {stream.name: one for stream, one in zip(streams, became, strict=True)}


if __name__ == "__main__":
    wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=list[Stream])
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(_run(wanted))))
