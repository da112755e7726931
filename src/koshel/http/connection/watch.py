"""Who is told of every answered request: the metrics and the access log, whichever lane has answered it."""

import asyncio
from collections import defaultdict
from time import perf_counter
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from koshel.http import traces
from koshel.http.call import Call, Reply
from koshel.http.connection.access import AccessLog, Answered, shown
from koshel.http.connection.pending_reply import PendingReply
from koshel.http.response import CALL, CALLER, Response
from koshel.inputs.texts import AT
from koshel.telemetry import metrics, traceparent


class Watch:
    """Of one worker. Without a `log` nothing is written; without `counts` nothing is counted."""

    def __init__(self, log: AccessLog | None, *, counts: bool) -> None:
        self.log = log
        self._counts = counts
        # Counted together at the end of the loop's turn, in which a batch may have answered hundreds.
        self._took: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
        self._is_due = False

    def count(self, route: str, status: int, code: str | None, seconds: float) -> None:
        """A request was answered; `code` is the problem's."""
        if not self._counts:
            return
        self._took[route, status].append(seconds)
        if code is not None:
            metrics.PROBLEMS.add(code)
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._count)

    def answered(self, pending: PendingReply, reply: Reply, peer: Any) -> None:
        """The express lane has answered a request; `peer` is who has connected, as aiohttp has it."""
        plain, trace, took = pending.plain, pending.trace, perf_counter() - pending.started
        self.count(plain.route.label, reply.status, reply.code, took)
        if self.log is None and trace is None:
            return
        batch_id = None if pending.waiting is None else pending.waiting.batch_id
        caller = None if reply.code == "unauthorized" else pending.caller
        if trace is not None:
            trace.end(reply.status, reply.code, pending.name, caller, batch_id)
        if self.log is None:
            return
        said = plain.said
        remote = self.log.proxies.client(
            peer[0] if isinstance(peer, tuple) else peer, said.get("forwarded"), said.get("x-forwarded-for")
        )
        trace_id = traceparent.trace_id_of(said.get(traces.PARENT)) if trace is None else trace.id
        label, status, code, name = plain.route.label, reply.status, reply.code, pending.name
        path = plain.path if AT not in plain.path else shown(plain.path)  # without a name there are digits in it
        self.log.write(Answered("POST", path, label, status, code, name, caller, batch_id, remote, took, trace_id))

    def _count(self) -> None:
        self._is_due = False
        for (route, status), took in self._took.items():
            if took:
                metrics.answered(route, status, took)
                took.clear()


class Watcher(AbstractAccessLogger):
    """The watch, as aiohttp asks for it: one for each connection."""

    logger: Watch  # type: ignore[assignment]

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """One request was answered; `time` in seconds."""
        name, route, code, trace = None, metrics.NO_ROUTE, None, None
        if isinstance(response, Response):
            name, route, code = response.request_id, response.route, response.reply.code
            trace = response.trace
            if response.began is not None:  # the loop's own clock has milliseconds
                time = perf_counter() - response.began
        self.logger.count(route, response.status, code, time)
        if self.logger.log is None and trace is None:
            return
        call: Call | None = request.get(CALL)
        batch_id, caller = None if call is None else call.batch_id, request.get(CALLER)
        if trace is not None:
            trace.end(response.status, code, name, caller, batch_id)
        if self.logger.log is None:
            return
        self.logger.log.write(
            Answered(
                request.method,
                shown(request.path),
                route,
                response.status,
                code,
                name,
                caller,
                batch_id,
                self.logger.log.proxies.client_of(request.remote, request.headers),
                time,
                traces.id_of(request.headers) if trace is None else trace.id,
            )
        )
