"""Below the routes: connections that are too slow or too many, and bytes that are not HTTP."""

import asyncio
from http import HTTPStatus
from typing import Any, cast

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler
from msgspec import Struct

from koshel.descriptors import CONNECTIONS_MAX
from koshel.http import request_id
from koshel.http.access import AccessLog, AccessLogger
from koshel.http.connections import Connections
from koshel.http.problems import Failure
from koshel.http.response import Response
from koshel.http.server import failure_of, problem
from koshel.settings import Settings

LINGER_S = 1  # how long what nobody will read is still taken in, so that its sender can read the answer


class Limits(Struct, frozen=True):
    """How long a client may take, in seconds."""

    first_byte_s: float
    head_s: float  # from its first byte


class Protocol(RequestHandler):
    """One connection. One that says nothing, and a head that trickles in, are cut off when their time is up."""

    __slots__ = ("_connections", "_head_timer", "_is_new", "_limits")

    def __init__(self, *args: Any, limits: Limits, connections: Connections, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._limits = limits
        self._connections = connections
        self._head_timer: asyncio.TimerHandle | None = None  # runs for the first byte, then for each head
        self._is_new = True

    @property
    def is_idle(self) -> bool:
        """Whether nothing is asked, nothing half received, and all answers are taken."""
        waits = self._waiter is not None and not self._waiter.done()
        is_taken = self.transport is None or not self.transport.get_write_buffer_size()
        return waits and is_taken and (self._is_new or self._head_timer is None)

    @property
    def idle_until(self) -> float:
        """When it will be closed, if nothing comes: the longer it has been idle, the sooner."""
        return self._next_keepalive_close_time

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection began."""
        super().connection_made(transport)
        self._head_timer = self._loop.call_later(self._limits.first_byte_s, self.force_close)
        self._connections.opened(self, cast("asyncio.Transport", transport))

    def data_received(self, data: bytes) -> None:
        """Bytes came; if they do not complete a head, the clock for it runs from the first of them."""
        if self._is_new:
            self._begin()
        super().data_received(data)
        # At first nobody waits yet: bytes that came together with the connection are here sooner.
        if self._request_count == 0 or (self._waiter is not None and not self._waiter.done()):
            if self._head_timer is None:
                self._head_timer = self._loop.call_later(self._limits.head_s, self.force_close)
        elif self._head_timer is not None:
            self._stop_timer()

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002  aiohttp's signature
        """A body was read; resume only what was paused, as aiohttp itself does not ask (a tenth of a request)."""
        if self._reading_paused or self._buffer_paused:
            super().resume_reading(resume_parser)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection ended."""
        self._stop_timer()
        self._connections.ended(self)
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

    def _begin(self) -> None:
        """Its first bytes came."""
        self._is_new = False
        self._stop_timer()

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def _malformed() -> Failure:
    return Failure(
        "malformed-request",
        "The request is not valid HTTP, has no Host, too many header lines, or a header twice that may come once.",
    )


class Server(web.Server):
    """aiohttp's server, with our connections."""

    connect: type[Protocol] = Protocol

    def __init__(self, plain: web.Server, limits: Limits, connections: Connections) -> None:
        super().__init__(
            plain.request_handler,
            request_factory=plain.request_factory,
            # Who hangs up before the batch leaves takes the command along.
            handler_cancellation=True,
            **plain._kwargs,
        )
        self._known = connections
        self.shared: dict[str, Any] = {"limits": limits, "connections": connections}  # by all connections
        connections.watch()

    def __call__(self) -> RequestHandler:
        """A new connection."""
        return self.connect(self, loop=self._loop, **self.shared, **self._kwargs)

    def pre_shutdown(self) -> None:
        """The service stops."""
        super().pre_shutdown()
        self._known.hurry()

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  aiohttp's signature
        """Wait for what is under way, and for those who are still reading their answers."""
        began = self._loop.time()
        await super().shutdown(timeout)
        taken = self._loop.time() - began
        await self._known.flush(max(0, 2 * (timeout or 0) - taken))


class Runner(web.AppRunner):
    """aiohttp's runner, with our server and our limits."""

    __slots__ = ("_connections_max", "_settings")

    def __init__(
        self,
        app: web.Application,
        settings: Settings,
        access_log: AccessLog | None,
        connections_max: int = CONNECTIONS_MAX,
    ) -> None:
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
        self._settings = settings
        self._connections_max = connections_max

    async def _make_server(self) -> Server:
        settings = self._settings
        limits = Limits(settings.first_byte_timeout_ms / 1_000, settings.receive_timeout_ms / 1_000)
        connections = Connections(self._connections_max, settings.send_timeout_ms / 1_000)
        return Server(await super()._make_server(), limits, connections)
