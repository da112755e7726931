"""Processes: gunicorn forks the workers, replaces one that dies, and stops them gracefully.

master ─┬─ worker: runner ─ service ─ connections of its own
        └─ worker: ...
"""

import errno
import gc
import logging
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from queue import SimpleQueue
from typing import Any

from aiohttp import web
from aiohttp.worker import GunicornUVLoopWebWorker
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from koshel import address, logs
from koshel.app import open_service
from koshel.db.gate import Gate
from koshel.http.access import AccessLog
from koshel.http.express import Runner
from koshel.http.server import application
from koshel.settings import Settings

GC_THRESHOLD = 5_000  # allocations between two looks at what is young
BACKLOG = 2_048  # connections that may wait in each worker's queue
PORT_TIMEOUT_S = 5
PORT_PAUSE_S = 0.2
HEARTBEAT_TIMEOUT_S = 30  # a worker that has not stirred for so long is killed and replaced


def listen(host: str, port: int, count: int) -> list[socket.socket]:
    """One socket a worker, all on the same port: the kernel deals connections out evenly among them.

    From a socket that is shared, whoever is awake takes all there is, up to three connections in four. These belong
    to the master: what waits in a dead worker's queue waits for the next one. Raises OSError.
    """
    first = _bind(host, port)
    return [first, *(_bind(host, first.getsockname()[1]) for _ in range(count - 1))]


def _bind(host: str, port: int) -> socket.socket:
    return address.server(host, port, reuse_port=True, backlog=BACKLOG)


def wait_for_port(host: str, port: int) -> None:
    """Return when nobody else listens on the port. Raises OSError.

    The workers of a master that was killed keep it until they notice, for a second or two.
    """
    deadline = time.monotonic() + PORT_TIMEOUT_S
    while True:
        try:
            address.server(host, port).close()
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise
            time.sleep(PORT_PAUSE_S)
        else:
            return


class Worker(GunicornUVLoopWebWorker):
    """aiohttp's worker; the first of all to answer says where."""

    app: "Supervisor"
    seat: int  # which of the sockets is its own
    inherited: "SimpleQueue[int]"  # signals that came before `init_signals`
    _announced = False

    def init_process(self) -> None:
        """Listen on a socket of its own, rather than on all."""
        self.sockets = [self.sockets[self.seat]]
        super().init_process()

    def notify(self) -> None:
        """The heartbeat. The first one comes when the sockets answer; with the gate open the database does too."""
        super().notify()
        if self.booted and self.age == 1 and not self._announced and self.app.gate.is_open:
            self._announced = True
            sys.stdout.write(f"Koshel answers on {address.url_of(self.sockets[0].getsockname())}\n")
            sys.stdout.flush()

    def init_signals(self) -> None:
        """Signals, from here on; until here they went to the handler that the fork inherited, which only queues."""
        super().init_signals()
        while not self.inherited.empty():
            if self.inherited.get_nowait() == signal.SIGTERM:
                self.alive = False

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM: stop now rather than at the next heartbeat."""
        super().handle_exit(sig, frame)
        self._notify_waiter_done()


def _take_seat(arbiter: Any, worker: Worker) -> None:
    taken = {other.seat for other in arbiter.WORKERS.values()}
    free = [seat for seat in range(len(arbiter.LISTENERS)) if seat not in taken]
    worker.seat = free[0] if free else worker.age % len(arbiter.LISTENERS)


def _keep_queue(arbiter: Any, worker: Worker) -> None:
    """Else a worker told to stop while it starts would never know, and be killed when time is up."""
    worker.inherited = arbiter.SIG_QUEUE


class GunicornLogger(Logger):
    """gunicorn's own messages go where all the others go."""

    def setup(self, cfg: Any) -> None:  # noqa: ARG002  gunicorn calls it so
        """Leave the handlers to the root logger."""
        self.error_log = logging.getLogger("gunicorn")


class Supervisor(BaseApplication):
    """`Supervisor(settings, url, gate).run()` serves until it is told to stop, then exits the process."""

    def __init__(self, settings: Settings, database_url: str, gate: Gate) -> None:
        self.gate = gate
        self._settings = settings
        self._database_url = database_url
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
            "graceful_timeout": settings.shutdown_timeout_s,
            "logger_class": GunicornLogger,
            "proc_name": "koshel",
            "control_socket_disable": True,
            "pre_fork": _take_seat,
            "post_fork": _keep_queue,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Callable[[], Awaitable[web.AppRunner]]:  # type: ignore[override]  # aiohttp's worker takes no WSGI
        """What each worker runs, after the fork."""
        return self._runner

    async def _runner(self) -> web.AppRunner:
        settings = self._settings
        # Requests under way outlive the collector's usual 700 allocations: it looked at each again and again,
        # and at all that was imported with them; an eighth of a worker's time.
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD)
        log = AccessLog(sys.stdout.fileno(), as_json=logs.as_json(settings.log_format)) if settings.access_log else None
        app = application(settings, open_service(settings, self._database_url, self.gate))
        if log is not None:
            app.on_cleanup.append(log.close)
        return Runner(app, settings, log)
