"""What is now in one worker: looked at every second, and when its metrics are asked for."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from koshel.engine import Engine
from koshel.telemetry import metrics

EVERY_S = 1.0
_STATM = Path("/proc/self/statm")  # Linux has it


class Sampler:
    """Run it with `open_sampler`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._cpu_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def sample(self) -> None:
        """Look now."""
        waits = self._engine.batcher.measure()
        metrics.QUEUE_COMMANDS.set(waits.commands)
        metrics.QUEUE_AGE.set(waits.oldest_s)
        metrics.LANES.set(waits.lanes)
        metrics.LANE_COMMANDS.set(waits.lane_commands)
        for pool in self._engine.store.measure_pools():
            metrics.POOL_CONNECTIONS.set(pool.idle, pool.name, "idle")
            metrics.POOL_CONNECTIONS.set(pool.used, pool.name, "used")
            metrics.POOL_WAITING.set(pool.waiting, pool.name)
        cpu_s = time.process_time()
        metrics.CPU_SECONDS.add(by=cpu_s - self._cpu_s)
        self._cpu_s = cpu_s
        with suppress(OSError):
            metrics.MEMORY_BYTES.set(int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))

    def start(self) -> None:
        """Look now, and from now on."""
        self._tick(asyncio.get_running_loop().time())

    def stop(self) -> None:
        """Look a last time."""
        if self._timer is not None:
            self._timer.cancel()
        self.sample()

    def _tick(self, due: float) -> None:
        loop = asyncio.get_running_loop()
        metrics.LOOP_DELAY.set(max(0.0, loop.time() - due))
        self.sample()
        due = loop.time() + EVERY_S
        self._timer = loop.call_at(due, self._tick, due)


@asynccontextmanager
async def open_sampler(engine: Engine) -> AsyncIterator[Sampler]:
    """The sampler of a worker, at work for as long as the block lasts."""
    metrics.WORKERS.set(1)
    metrics.WORKER_STARTS.add()
    sampler = Sampler(engine)
    sampler.start()
    try:
        yield sampler
    finally:
        sampler.stop()
        metrics.WORKERS.set(0)
