"""Below the routes: connections that are too slow or too many, and bytes that are not HTTP."""

import asyncio
from http import HTTPStatus
from typing import Any, cast

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler
from msgspec import Struct

from koshel.config.settings import Settings
from koshel.descriptors import CONNECTIONS_MAX
from koshel.http import request_id
from koshel.http.connection.connections import Connections
from koshel.http.connection.watch import Watch, Watcher
from koshel.http.problems import Failure
from koshel.http.response import Response
from koshel.http.server import LIMITS, failure_of, problem

LINGER_S = 1  # how long the rest of a refused body is still received, so that its sender can read the reply


class Timeouts(Struct, frozen=True):
    """How long a client may take, in seconds."""

    first_byte_s: float
    head_s: float  # from its first byte


class Protocol(RequestHandler):
    """One connection. It is cut off if nothing comes, or if a head does not come whole, in time."""

    __slots__ = ("_connections", "_head_timer", "_is_new", "_timeouts")

    def __init__(self, *args: Any, timeouts: Timeouts, connections: Connections, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._timeouts = timeouts
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
        """When the connection will be closed if nothing comes: the longer it has been idle, the sooner."""
        return self._next_keepalive_close_time

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection began."""
        super().connection_made(transport)
        self._head_timer = self._loop.call_later(self._timeouts.first_byte_s, self.force_close)
        self._connections.opened(self, cast("asyncio.Transport", transport))

    def data_received(self, data: bytes) -> None:
        """Bytes came; if they do not complete a head, the clock for it runs from the first of them."""
        if self._is_new:
            self._begin()
        super().data_received(data)
        # At first aiohttp's task does not wait yet: bytes that came with the connection are here before it.
        if self._request_count == 0 or (self._waiter is not None and not self._waiter.done()):
            if self._head_timer is None:
                self._head_timer = self._loop.call_later(self._timeouts.head_s, self.force_close)
        elif self._head_timer is not None:
            self._stop_timer()

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002  aiohttp's signature
        """A body was read. Only what was paused is resumed: aiohttp does not ask, which costs a tenth of a request."""
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
        reply.closes = True  # the next bytes may be the rest of a request that was not understood
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
        """The first bytes of the connection came."""
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

    def __init__(self, plain: web.Server, timeouts: Timeouts, connections: Connections) -> None:
        super().__init__(
            plain.request_handler,
            request_factory=plain.request_factory,
            # The command of a caller who hangs up before the batch leaves is withdrawn.
            handler_cancellation=True,
            **plain._kwargs,
        )
        self._known = connections
        self.shared: dict[str, Any] = {"timeouts": timeouts, "connections": connections}  # by all connections
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
    """aiohttp's runner, with our server and our timeouts."""

    __slots__ = ("_connections_max", "_settings")

    def __init__(
        self,
        app: web.Application,
        settings: Settings,
        watch: Watch | None,
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
            access_log=watch,
            access_log_class=Watcher,
        )
        self._settings = settings
        self._connections_max = connections_max

    async def _make_server(self) -> Server:
        settings = self._settings
        timeouts = Timeouts(settings.first_byte_timeout_ms / 1_000, settings.receive_timeout_ms / 1_000)
        refused = self.app[LIMITS].rests.waiting
        connections = Connections(self._connections_max, settings.send_timeout_ms / 1_000, refused)
        return Server(await super()._make_server(), timeouts, connections)
