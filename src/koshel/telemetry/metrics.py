"""Every metric, declared once: its name, what it says, its labels. `GET /metrics` shows them; see docs/metrics.md.

Names follow Prometheus' rules: base units, `_total` where it only grows. Labels have few values: never an account, a
key, an address or anything else that a caller can make up.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias, get_args

from koshel.callers import Reason
from koshel.telemetry.tally import Asked, Counter, Gauge, Histogram, Number, Shared

Step: TypeAlias = Literal["resolve", "lock", "decide", "write", "commit"]
Cause: TypeAlias = Literal["deadlock", "serialization", "twin", "commit-lost", "accident", "other"]
Pool: TypeAlias = Literal["settle", "read", "rehearse"]

NO_ROUTE = "none"  # the route of a request that has none
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)

REQUESTS = Counter("koshel_http_requests_total", "Requests answered, by route and status.", "route", "status", most=500)
REQUEST_SECONDS = Histogram(
    "koshel_http_request_duration_seconds",
    "From a request's head to its answer, by route, without the wait of a refused sender.",
    *("route",),
    bounds=SECONDS,
    most=100,
)
PROBLEMS = Counter("koshel_http_problems_total", "Answers that are problems, by the problem's code.", "code", most=100)
CONNECTIONS = Gauge("koshel_http_connections", "Connections of clients that are open.")
CONNECTIONS_OPENED = Counter("koshel_http_connections_opened_total", "Connections of clients that were opened.")
CONNECTIONS_CLOSED = Counter(
    "koshel_http_connections_closed_total",
    "Connections that the service broke off: `room`, there were too many; `unread`, the client took no answers.",
    "reason",
    known=("room", "unread"),
)
KEYS_REFUSED = Counter(
    "koshel_keys_refused_total",
    "Requests refused for their key or token, by reason.",
    "reason",
    known=(*get_args(Reason), "scope"),
)
RATE_LIMITED = Counter("koshel_rate_limited_total", "Requests refused for their rate, by the limit.", "limit")

QUEUE_COMMANDS = Gauge("koshel_queue_commands", "Commands that wait for the next batch, each member of a batch as one.")
QUEUE_AGE = Gauge(
    "koshel_queue_oldest_age_seconds",
    "How long the oldest command without an answer has waited, in the queue or in a batch that is under way.",
    over="max",
)
QUEUE_SECONDS = Histogram(
    "koshel_queue_wait_seconds", "How long the oldest command of each batch had waited in the queue.", bounds=SECONDS
)
PUT_OFF = Counter(
    "koshel_commands_put_off_total",
    "Times that a command went back into the queue or a lane, since others held its locks.",
)
LANES = Gauge("koshel_lanes", "Lanes that are open: rows that somebody else has locked for long.")
LANE_COMMANDS = Gauge("koshel_lane_commands", "Commands that wait in lanes.")
LANE_TIMEOUTS = Counter("koshel_lane_timeouts_total", "Commands that have waited in a lane in vain.")

BATCH_COMMANDS = Histogram(
    "koshel_batch_commands", "Commands that one database transaction has settled, each member as one.", bounds=SIZES
)
BATCH_SECONDS = Histogram(
    "koshel_batch_step_seconds",
    "Time that a batch took, by step: resolve, lock (with waiting for locks), decide, write, commit.",
    *("step",),
    bounds=SECONDS,
    known=get_args(Step),
)
TRANSACTIONS = Counter("koshel_transactions_total", "Transactions written, by kind.", "kind")
REFUSALS = Counter(
    "koshel_refusals_total", "Commands refused, by code; of an atomic batch it and the member.", "code", most=60
)
REPLAYS = Counter("koshel_replays_total", "Commands whose key had its answer already.")
SETTLED_AGAIN = Counter(
    "koshel_settled_again_total",
    "Batches that were tried again, by what had got in their way.",
    "cause",
    known=get_args(Cause),
)
LOCK_TIMEOUTS = Counter(
    "koshel_lock_timeouts_total", "Batches that waited for a lock in vain; nothing of them was done."
)

POOL_CONNECTIONS = Gauge(
    "koshel_pool_connections", "Connections to the database, by pool and state: idle or used.", "pool", "state"
)
POOL_WAITING = Gauge("koshel_pool_waiting", "Calls that wait for a connection to the database, by pool.", "pool")

WORKERS = Gauge("koshel_workers", "Workers that are running.")
WORKER_STARTS = Counter("koshel_worker_starts_total", "Workers that have started since the service has.")
CPU_SECONDS = Counter("koshel_worker_cpu_seconds_total", "CPU time of the workers, those that ended too.")
MEMORY_BYTES = Gauge("koshel_worker_memory_bytes", "Resident memory of the workers, what they share counted for each.")
LOOP_DELAY = Gauge("koshel_event_loop_delay_seconds", "How late a worker's last timer was, of the latest.", over="max")
LOG_LINES_DROPPED = Counter(
    "koshel_log_lines_dropped_total",
    "Log lines that were dropped, since nobody read them, by stream.",
    "stream",
    known=("stdout", "stderr"),
)

# Asked when they are looked at, of the database; of these only the first and the last are there while it is away.
DATABASE_UP = Asked("koshel_database_up", "1 if the database answers, 0 if not.")
DATABASE_DURABLE = Asked("koshel_database_durable", "1 if no setting of the database risks what was acknowledged.")
SCHEMA_CURRENT = Asked("koshel_schema_current", "1 if the database has every migration that this version knows.")
SCHEMA = Asked("koshel_schema_info", "Always 1; the label is the latest migration that the database has.", "version")
QUEUED = Asked(
    "koshel_queued_transactions", "Queued transactions that are due, or were put off, and are not decided yet."
)
QUEUED_RETRYING = Asked("koshel_queued_retrying", "Of these, those that an accident has stopped at least once.")
QUEUED_AGE = Asked("koshel_queued_oldest_age_seconds", "How long ago the oldest of these was queued, or was due.")
SCHEDULED = Asked("koshel_scheduled_transactions", "Queued transactions that are not due yet.")
HOLDS_DUE = Asked(
    "koshel_holds_due",
    "Holds whose time is up, or that were to be captured, and are not yet; about 1000 are counted at most.",
)
IDS_AHEAD = Asked(
    "koshel_transaction_ids_ahead", "For how many more transactions there are partitions; more are made in time."
)
BUILD = Asked(
    "koshel_build_info", "Always 1; the labels are the versions of Koshel and of Python.", "version", "python"
)

TABLE: Sequence[Number] = tuple(one for one in globals().values() if isinstance(one, Number))
SHARED = Shared(TABLE)


def begin(*, problems: Iterable[str], limits: Iterable[str], kinds: Iterable[str], refusals: Iterable[str]) -> None:
    """Count from zero by these values, which other rooms know."""
    PROBLEMS.know(problems)
    RATE_LIMITED.know(limits)
    TRANSACTIONS.know(kinds)
    REFUSALS.know(refusals)


def answered(route: str, status: int, took: list[float]) -> None:
    """Requests were answered; `took` are the seconds that each of them did."""
    REQUESTS.add(route, str(status), by=len(took))
    REQUEST_SECONDS.observe_all(took, route)


def key_refused(reason: str) -> None:
    """A request was refused for its key or token, or for want of one."""
    KEYS_REFUSED.add(reason)


def rate_limited(limit: str) -> None:
    """A request was refused for its rate."""
    RATE_LIMITED.add(limit)


def settled_again(cause: Cause) -> None:
    """A batch is tried again."""
    SETTLED_AGAIN.add(cause)


def log_lines_dropped(stream: str, count: int) -> None:
    """So many lines were dropped."""
    LOG_LINES_DROPPED.add(stream, by=count)


class Stopwatch:
    """Of one batch: how long each step took, up to now from the last one."""

    __slots__ = ("_last", "took")

    def __init__(self) -> None:
        self._last = time.perf_counter()
        self.took: dict[Step, float] = {}  # seconds

    def start(self) -> None:
        """What was between does not count."""
        self._last = time.perf_counter()

    def lap(self, step: Step) -> None:
        """The step has ended."""
        now = time.perf_counter()
        self.took[step] = now - self._last
        self._last = now

    def count(self) -> None:
        """The batch is committed: its steps count."""
        for step, seconds in self.took.items():
            BATCH_SECONDS.observe(seconds, step)
