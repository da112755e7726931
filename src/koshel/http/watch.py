"""Who is told of every answered request: the metrics and the access log, whichever lane has answered it."""

import asyncio
from collections import defaultdict
from time import perf_counter

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from koshel import metrics
from koshel.callers import Caller
from koshel.http.access import AccessLog, Answered, shown
from koshel.http.call import Call, Reply
from koshel.http.plain import Plain
from koshel.http.response import CALL, CALLER, Response


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

    def _count(self) -> None:
        self._is_due = False
        for (route, status), took in self._took.items():
            if took:
                metrics.answered(route, status, took)
                took.clear()


def plain_line(
    plain: Plain,
    reply: Reply,
    name: str,
    took: float,
    *,
    caller: Caller | None,
    batch_id: str | None,
    remote: str | None,
) -> Answered:
    """The line of a request that the express lane has answered."""
    return Answered(
        "POST", plain.path, plain.route.label, reply.status, reply.code, name, caller, batch_id, remote, took
    )


class Watcher(AbstractAccessLogger):
    """The watch, as aiohttp asks for it: one for each connection."""

    logger: Watch  # type: ignore[assignment]

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """One request was answered; `time` in seconds."""
        name, route, code = None, metrics.NO_ROUTE, None
        if isinstance(response, Response):
            name, route, code = response.request_id, response.route, response.reply.code
            if response.began is not None:  # the loop's own clock has milliseconds
                time = perf_counter() - response.began
        self.logger.count(route, response.status, code, time)
        if self.logger.log is None:
            return
        call: Call | None = request.get(CALL)
        self.logger.log.write(
            Answered(
                request.method,
                shown(request.path),
                route,
                response.status,
                code,
                name,
                request.get(CALLER),
                None if call is None else call.batch_id,
                self.logger.log.proxies.client_of(request.remote, request.headers),
                time,
            )
        )
