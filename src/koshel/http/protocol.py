"""Below the routes: connections that are too slow, and bytes that are not HTTP."""

import asyncio
from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler

from koshel.http import request_id
from koshel.http.access import AccessLog, AccessLogger
from koshel.http.problems import Failure
from koshel.http.response import Response
from koshel.http.server import failure_of, problem
from koshel.settings import Settings

LINGER_S = 1  # how long what nobody will read is still taken in, so that its sender can read the answer


class Protocol(RequestHandler):
    """One connection. A head that trickles in for longer than the limit is cut off."""

    __slots__ = ("_head_timeout_s", "_head_timer")

    def __init__(self, *args: Any, head_timeout_s: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_timeout_s = head_timeout_s
        self._head_timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Bytes came; if they do not complete a head, the clock for it runs from the first of them."""
        super().data_received(data)
        if self._waiter is not None and not self._waiter.done():
            if self._head_timer is None:
                self._head_timer = self._loop.call_later(self._head_timeout_s, self.force_close)
        elif self._head_timer is not None:
            self._stop_timer()

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002  aiohttp's signature
        """A body was read; resume only what was paused, as aiohttp itself does not ask (a tenth of a request)."""
        if self._reading_paused or self._buffer_paused:
            super().resume_reading(resume_parser)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection ended."""
        self._stop_timer()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """A problem instead of aiohttp's own page, for what never reached a route."""
        name = request_id.of(request)
        if isinstance(exc, LineTooLong):
            failure = Failure("headers-too-large", "A line of the request's head is over the limit.")
        elif status == 400:
            failure = _malformed()
        else:
            failure = failure_of(exc if isinstance(exc, Exception) else RuntimeError(message), name)
        reply = problem(failure)
        reply.closes = True  # what follows on this connection may be the rest of what was not understood
        return Response(reply, name)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """A problem instead of aiohttp's own replies, such as to a method that has no path."""
        if isinstance(resp, web.HTTPException):
            known = resp.status == HTTPStatus.NOT_FOUND
            failure = Failure("not-found", "There is no such route; see /docs.") if known else _malformed()
            resp = Response(problem(failure), request_id.of(request))
        return await super().finish_response(request, resp, start_time)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def _malformed() -> Failure:
    return Failure("malformed-request", "The request is not valid HTTP, or has too many header lines.")


class Server(web.Server):
    """aiohttp's server, with our connections."""

    def __init__(self, plain: web.Server, head_timeout_s: float) -> None:
        super().__init__(
            plain.request_handler,
            request_factory=plain.request_factory,
            # Who hangs up before the batch leaves takes the command along.
            handler_cancellation=True,
            **plain._kwargs,
        )
        self._head_timeout_s = head_timeout_s

    def __call__(self) -> RequestHandler:
        """A new connection."""
        return Protocol(self, loop=self._loop, head_timeout_s=self._head_timeout_s, **self._kwargs)


class Runner(web.AppRunner):
    """aiohttp's runner, with our server and our limits."""

    __slots__ = ("_head_timeout_s",)

    def __init__(self, app: web.Application, settings: Settings, access_log: AccessLog | None) -> None:
        super().__init__(
            app,
            keepalive_timeout=settings.keepalive_timeout_s,
            shutdown_timeout=settings.shutdown_timeout_s / 2,  # aiohttp waits that long twice
            lingering_time=LINGER_S,
            auto_decompress=False,
            max_line_size=settings.header_bytes_max,
            max_field_size=settings.header_bytes_max,
            access_log=access_log,
            access_log_class=AccessLogger,
        )
        self._head_timeout_s = settings.receive_timeout_ms / 1_000

    async def _make_server(self) -> web.Server:
        return Server(await super()._make_server(), self._head_timeout_s)
