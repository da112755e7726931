"""A reply as bytes: head and body leave in one piece.

aiohttp's own response can be streamed, compressed and changed until it leaves, which takes an eighth of a request.
"""

from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from time import time
from typing import TYPE_CHECKING

from aiohttp import ClientConnectionResetError, HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from koshel.callers import Caller
from koshel.http import streaming
from koshel.http.call import HTML, Call, Reply
from koshel.http.docs_page import STYLE_HASH
from koshel.telemetry.metrics import NO_ROUTE

if TYPE_CHECKING:
    from koshel.telemetry.tracing import RequestTrace

CALLER = web.RequestKey("caller", Caller)  # of a request, once it is known
CALL = web.RequestKey("call", Call)  # of a request, once it is read

_UNSENT_MAX = 64 * 1024  # bytes of answers on one connection

_WITHOUT_BODY = frozenset({204, 304})
# For every answer: its media type is what it is, and nobody keeps a copy of it.
_SAFE = "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
# A page is its own style and nothing else; nobody may frame it, or learn from a link where it was.
_PAGE = (
    f"Content-Security-Policy: default-src 'none'; style-src '{STYLE_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'\r\nX-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n"
)
_HEADS = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\nServer: koshel\r\n{_SAFE}Content-Type: " for s in HTTPStatus}


class Response(web.StreamResponse):
    """A Reply, as aiohttp sends it. Every header's value is ours, or has been checked: none can hold a line break."""

    def __init__(
        self,
        reply: Reply,
        request_id: str,
        route: str = NO_ROUTE,
        began: float | None = None,
        trace: "RequestTrace | None" = None,
    ) -> None:
        super().__init__(status=reply.status)
        self.reply = reply
        self.request_id = request_id
        self.route = route
        self.began = began  # by the performance counter; None: it never came to a route
        self.trace = trace

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Nothing is sent yet."""
        self._req = request
        ends_by_closing = self.reply.stream is not None and request.version < HttpVersion11
        self._keep_alive = request.keep_alive and not self.reply.closes and not ends_by_closing
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Send the whole reply, and wait for a client that does not take its replies."""
        request = self._req
        assert request is not None
        assert not data
        transport = request.transport
        if transport is None or transport.is_closing():
            raise ClientConnectionResetError("the client has gone")
        if self.reply.stream is not None and request.method != "HEAD":
            await streaming.send(self.reply.stream, _head(self, request), request)
            return
        transport.write(_whole(self, request))
        if transport.get_write_buffer_size() > _UNSENT_MAX:
            await request.writer.drain()


def whole(reply: Reply, request_id: str, last: str = "", *, is_head: bool = False) -> bytes:
    """The bytes of a reply; `last` are its last headers, `is_head`: the request was a HEAD."""
    if reply.status not in _WITHOUT_BODY and reply.stream is None:
        last = f"Content-Length: {len(reply.body)}\r\n{last}"
    return head(reply, request_id, last) + (b"" if is_head else reply.body)


def head(reply: Reply, request_id: str, last: str) -> bytes:
    """The head of a reply; `last` are its last headers."""
    date = _date(int(time()))
    text = f"{_HEADS[reply.status]}{reply.media_type}\r\nX-Request-Id: {request_id}\r\nDate: {date}\r\n"
    if reply.media_type == HTML:
        text += _PAGE
    for name, value in reply.headers.items():
        text += f"{name}: {value}\r\n"
    return f"{text}{last}\r\n".encode()


def _whole(response: Response, request: web.BaseRequest) -> bytes:
    return whole(response.reply, response.request_id, _last(response, request), is_head=request.method == "HEAD")


def _head(response: Response, request: web.BaseRequest) -> bytes:
    """The head of what comes in parts. HTTP/1.0 knows none: there the body ends with the connection."""
    last = _last(response, request)
    if request.version >= HttpVersion11:
        last = f"Transfer-Encoding: chunked\r\n{last}"
    return head(response.reply, response.request_id, last)


def _last(response: Response, request: web.BaseRequest) -> str:
    last = "" if response.trace is None else response.trace.header
    if not response.keep_alive:
        last += "Connection: close\r\n"
    elif request.version < HttpVersion11:
        last += "Connection: keep-alive\r\n"
    return last


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)
