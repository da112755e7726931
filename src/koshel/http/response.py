"""A reply as bytes: head and body, which are whole before they are sent, leave in one piece.

aiohttp's own response can be streamed, compressed and changed until it leaves; that took an eighth of a request.
"""

from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from time import time

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from koshel.http.call import Reply

_WITHOUT_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
_HEADS = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\nServer: koshel\r\nContent-Type: " for s in HTTPStatus}


class Response(web.StreamResponse):
    """What aiohttp sends for a Reply. Every header's value is ours, or has been checked: none can hold a line break."""

    def __init__(self, reply: Reply, request_id: str) -> None:
        super().__init__(status=reply.status)
        self.reply = reply
        self.request_id = request_id

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Nothing is sent yet."""
        self._req = request
        self._keep_alive = request.keep_alive and not self.reply.closes
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Send it all."""
        assert self._req is not None
        assert not data
        await self._req.writer.write(self._bytes(self._req))

    def _bytes(self, request: web.BaseRequest) -> bytes:
        reply = self.reply
        lines = [
            f"{_HEADS[reply.status]}{reply.media_type}\r\nX-Request-Id: {self.request_id}",
            f"Date: {_date(int(time()))}",
            *[f"{name}: {value}" for name, value in reply.headers.items()],
        ]
        if reply.status not in _WITHOUT_BODY:
            lines.append(f"Content-Length: {len(reply.body)}")
        if not self._keep_alive:
            lines.append("Connection: close")
        elif request.version < (1, 1):
            lines.append("Connection: keep-alive")
        body = b"" if request.method == "HEAD" else reply.body
        return "\r\n".join([*lines, "", ""]).encode() + body


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
