"""The embedded PostgreSQL kept up while a service lives on it: one that was killed is started again."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from koshel.db.errors import EmbeddedError
from koshel.db.server.embedded import Cluster, is_running, start_again

LOOK_PAUSE_S = 1.0
FAILED_PAUSE_S = 30.0

_log = logging.getLogger(__name__)


@contextmanager
def kept_up(cluster: Cluster) -> Iterator[None]:
    """A look at the server each second for as long as the block lasts, in a thread of this process."""
    stopped = threading.Event()
    thread = threading.Thread(target=_keep_up, args=(cluster, stopped), name="upkeep", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()  # and if it is just starting one, whoever stops the server waits for that


def _keep_up(cluster: Cluster, stopped: threading.Event) -> None:
    pause_s = LOOK_PAUSE_S
    while not stopped.wait(pause_s):
        pause_s = LOOK_PAUSE_S
        try:
            if is_running(cluster):
                continue
            _log.warning("the embedded PostgreSQL has gone; it is started again")
            start_again(cluster, unless=stopped.is_set)
        except (EmbeddedError, OSError) as error:
            _log.error("the embedded PostgreSQL cannot be started: %s", error)
            pause_s = FAILED_PAUSE_S
