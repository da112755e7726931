"""Processes: gunicorn forks the workers, replaces one that dies, and stops them gracefully.

master ─┬─ worker: runner ─ service ─ connections of its own
        └─ worker: ...
"""

import gc
import logging
import signal
import socket
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from mmap import mmap
from queue import SimpleQueue
from typing import Any

import uvloop  # noqa: F401  the workers need it: imported here it is there when they are forked, once for all of them
from aiohttp import web
from aiohttp.worker import GunicornUVLoopWebWorker
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from koshel.app import open_service, tracing_of
from koshel.config import address
from koshel.config.proxies import Proxies
from koshel.config.settings import Settings
from koshel.db.gate import Gate
from koshel.db.url import Target
from koshel.http.connection.access import AccessLog
from koshel.http.connection.runner import Runner
from koshel.http.connection.watch import Watch
from koshel.http.server import application
from koshel.rates import Buckets
from koshel.serving.seats import SeatedArbiter
from koshel.serving.tls import Identity
from koshel.streams import Streams
from koshel.telemetry import metrics

GC_THRESHOLD = 50_000  # more objects than there were: then what is young is looked at
# Bytes of an answer that the kernel takes beyond what it can send. Left to itself it takes megabytes, and room for
# more is seen only when a third of them has been read: who reads slowly would look like who does not read at all.
KERNEL_UNSENT = 16 * 1024
BACKLOG = 2_048  # connections that may wait in each worker's queue
HEARTBEAT_TIMEOUT_S = 30  # a worker that has not stirred for so long is killed and replaced
# Parts of the memory for the metrics, for workers that stop while others have their seats; unused ones cost nothing.
PARTS_PER_WORKER, PARTS_SPARE = 4, 32
STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def listen(host: str, port: int, count: int) -> list[socket.socket]:
    """One socket a worker, all on the same port: the kernel deals connections out evenly among them.

    From a socket that is shared, whoever is awake takes all there is, up to three connections in four. These belong
    to the master: what waits in a dead worker's queue waits for the next one. Raises OSError.
    """
    first = _bind(host, port)
    return [first, *(_bind(host, first.getsockname()[1]) for _ in range(count - 1))]


def _bind(host: str, port: int) -> socket.socket:
    return address.server(host, port, reuse_port=True, backlog=BACKLOG)


class Worker(GunicornUVLoopWebWorker):
    """aiohttp's worker; the first of all to answer says where."""

    app: "Supervisor"
    seat: int  # which of the sockets is its own
    leaving: mmap  # a byte that the master sees too: whether it was told to stop
    part: int | None  # of the memory for the metrics
    inherited: "SimpleQueue[int]"  # signals that came before `init_signals`
    _announced = False

    def init_process(self) -> None:
        """Listen on a socket of its own; the others must not stay open here when those who serve them have closed them.

        As a plain socket: uvloop would close gunicorn's own kind once more than it should.
        """
        for seat, other in enumerate(self.sockets):
            if seat != self.seat:
                other.close()
        own: Any = self.sockets[self.seat]
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, KERNEL_UNSENT)  # connections inherit it
        self.sockets = [own.sock]
        super().init_process()

    def notify(self) -> None:
        """The heartbeat. The first one comes when the sockets answer; with the gate open the database does too."""
        super().notify()
        if self.booted and self.age == 1 and not self._announced and self.app.gate.is_open:
            self._announced = True
            scheme = "http" if self.app.identity is None else "https"
            self.app.streams.announce(address.url_of(self.sockets[0].getsockname(), scheme))

    def init_signals(self) -> None:
        """Signals, from here on; until here they went to the handler that the fork inherited, which only queues."""
        super().init_signals()
        while not self.inherited.empty():
            if self.inherited.get_nowait() in STOPPING:
                self._leave()

    async def _run(self) -> None:
        """Serve. Once that is over, being told again, as by Ctrl-C and by the master, must not kill what is exiting."""
        if self.app.identity is not None:  # a handshake is the first that a client has to send
            limit_s = self.app.first_byte_timeout_s
            self.loop.create_server = partial(self.loop.create_server, ssl_handshake_timeout=limit_s)  # type: ignore[method-assign]
        try:
            await super()._run()
        finally:
            for sig in STOPPING:
                self.loop.remove_signal_handler(sig)
                signal.signal(sig, signal.SIG_IGN)

    def _create_ssl_context(self, _: Any) -> ssl.SSLContext:  # type: ignore[override]  # aiohttp's knows no worker
        assert self.app.identity is not None, "gunicorn was told of a certificate"
        return self.app.identity.context

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: stop now rather than at the next heartbeat, and let the master fill the seat meanwhile."""
        self._leave()
        super().handle_exit(sig, frame)
        self._notify_waiter_done()

    def handle_quit(self, sig: int, frame: Any) -> None:
        """SIGINT and SIGQUIT: the same."""
        self._leave()
        super().handle_quit(sig, frame)

    def _leave(self) -> None:
        self.alive = False
        self.leaving[0] = 1


def _before_fork(arbiter: SeatedArbiter, worker: Worker) -> None:
    """In the master: a worker has a seat, and a part of the memory for the metrics."""
    arbiter.take_seat(worker)
    worker.part = metrics.SHARED.take()


def _after_fork(arbiter: Any, worker: Worker) -> None:
    """In the worker. A worker told to stop while it starts would else never know, and be killed when time is up."""
    worker.inherited = arbiter.SIG_QUEUE
    metrics.SHARED.use(worker.part)


def _after_exit(_: Any, worker: Worker) -> None:
    """In the master: whatever the worker has died of."""
    metrics.SHARED.release(worker.part)


class GunicornLogger(Logger):
    """gunicorn's own messages go where all the others go."""

    def setup(self, cfg: Any) -> None:  # noqa: ARG002  gunicorn calls it so
        """Leave the handlers to the root logger."""
        self.error_log = logging.getLogger("gunicorn")

    def info(self, msg: object, *args: object, **kwargs: Any) -> None:
        """All sockets have one address; gunicorn would say it once for each."""
        if str(msg).startswith("Listening at"):
            args = (str(args[0]).partition(",")[0], *args[1:])
        super().info(msg, *args, **kwargs)


class Supervisor(BaseApplication):
    """`Supervisor(...).run()` serves until it is told to stop, then exits the process."""

    def __init__(
        self,
        settings: Settings,
        target: Target,
        gate: Gate,
        streams: Streams,
        connections_max: int,
        *,
        identity: Identity | None = None,
    ) -> None:
        self.gate = gate
        self.identity = identity
        self.first_byte_timeout_s = settings.first_byte_timeout_ms / 1_000
        self._settings = settings
        self._target = target
        self.streams = streams
        self._connections_max = connections_max
        self._buckets = Buckets()  # before the fork: of all workers
        # Once, and not in load_config: SIGHUP loads that again, and the port must stay as it is.
        self._bind = [f"fd://{one.detach()}" for one in listen(settings.host, settings.port, settings.workers)]
        super().__init__()

    def load_config(self) -> None:
        """The settings, in gunicorn's words."""
        settings = self._settings
        options = {
            "bind": self._bind,
            "workers": settings.workers,
            "worker_class": Worker,
            "timeout": HEARTBEAT_TIMEOUT_S,
            "certfile": settings.tls_certificate_file,
            "keyfile": settings.tls_key_file,
            "graceful_timeout": settings.shutdown_timeout_s,
            "logger_class": GunicornLogger,
            "proc_name": "koshel",
            "control_socket_disable": True,
            "pre_fork": _before_fork,
            "post_fork": _after_fork,
            "child_exit": _after_exit,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def reload(self) -> None:
        """SIGHUP: the workers that come now show the certificate as it is now."""
        if self.identity is not None:
            self.identity.reload()
        super().reload()

    def run(self) -> None:
        """Serve."""
        self.streams.take_over()
        metrics.SHARED.divide(PARTS_SPARE + PARTS_PER_WORKER * self._settings.workers)
        SeatedArbiter(self).run()

    def load(self) -> Callable[[], Awaitable[web.AppRunner]]:  # type: ignore[override]  # aiohttp's worker takes no WSGI
        """What each worker runs, after the fork."""
        return self._runner

    async def _runner(self) -> web.AppRunner:
        settings = self._settings
        # Requests under way outlive the collector's usual 700 allocations: it looked at each again and again,
        # and at all that was imported with them; an eighth of a worker's time. At 5,000 it was still a tenth: what
        # is under way comes to some thousands. Next to nothing here is a cycle, so little waits to be freed.
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD)
        log = AccessLog(self.streams, Proxies(settings.trusted_proxies)) if settings.access_log else None
        tracing = tracing_of(settings)
        app = application(settings, open_service(settings, self._target, self.gate, tracing), self._buckets)
        if log is not None:
            app.on_cleanup.append(log.close)
        if tracing is not None:
            app.on_cleanup.append(tracing.close)
        counts = settings.metrics == "on"
        watch = Watch(log, counts=counts) if counts or log is not None or tracing is not None else None
        return Runner(app, settings, watch, self._connections_max)
