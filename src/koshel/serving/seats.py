"""Seats: one listening socket for each worker, and always a worker for each socket.

gunicorn's master keeps the sockets: what waits in the queue of a worker that died waits for the next one.
"""

import signal
from mmap import mmap
from typing import Any

from gunicorn.arbiter import Arbiter

NOBODY = -1  # younger workers have larger ages


class SeatedArbiter(Arbiter):
    """gunicorn's master, which counts seats rather than workers."""

    log: Any

    def manage_workers(self) -> None:
        """A seat without a worker that stays gets one; of several, as while reloading, the youngest stays."""
        for seat in range(len(self.LISTENERS)):
            pids = self._on(seat)
            if not pids:
                self.spawn_worker()
            for pid in pids[:-1]:
                self.kill_worker(pid, signal.SIGTERM)

    def take_seat(self, worker: Any) -> None:
        """Give a new worker the seat that needs it most: one that nobody stays on, or that of the oldest worker."""
        worker.leaving = mmap(-1, 1)
        ages = {seat: max(self._ages_on(seat), default=NOBODY) for seat in range(len(self.LISTENERS))}
        worker.seat = min(ages, key=lambda seat: ages[seat])

    def handle_ttin(self) -> None:
        """One worker more: there is no socket for it."""
        self._ignore("SIGTTIN")

    def handle_ttou(self) -> None:
        """One worker less: nobody would answer on its socket."""
        self._ignore("SIGTTOU")

    def handle_usr2(self) -> None:
        """A second master: it could not have the port."""
        self._ignore("SIGUSR2")

    def _ignore(self, name: str) -> None:
        self.log.info("%s is ignored: stop the service and start it with other settings", name)

    def _on(self, seat: int) -> list[int]:
        """Process ids of the workers that stay on a seat, the oldest first."""
        workers: list[tuple[int, Any]] = list(self.WORKERS.items())
        return [pid for pid, worker in sorted(workers, key=lambda one: one[1].age) if _stays_on(seat, worker)]

    def _ages_on(self, seat: int) -> list[int]:
        workers: list[Any] = list(self.WORKERS.values())
        return [worker.age for worker in workers if _stays_on(seat, worker)]


def _stays_on(seat: int, worker: Any) -> bool:
    """Whether it serves that socket, and has not been told to stop: by the master, or by anybody else."""
    return worker.seat == seat and not worker.leaving[0]
