"""A command that waits for a batch: how much it counts, whose it is, and who waits for its answer."""

from collections.abc import Hashable
from collections.abc import Set as AbstractSet
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

from koshel.errors import Overloaded
from koshel.shares import NOBODY, Share

HEAVY_BYTES = 64 * 1024  # what takes more of the queue is heavy, were it a batch of one

CommandT = TypeVar("CommandT")
OutcomeT = TypeVar("OutcomeT")
OutcomeT_contra = TypeVar("OutcomeT_contra", contravariant=True)


class BatcherLimits(Struct, frozen=True):
    """How much may wait, for how long, and how much leaves together."""

    batch_max: int = 1_000  # commands; what weighs more leaves alone
    flights_max: int = 1  # batches under way at once, in each partition
    singles_max: int = 1  # commands settled alone at once, after an accident
    queue_max: int = 20_000  # commands waiting, each as often as it weighs
    queue_bytes_max: int = 16 * 1024 * 1024  # of request bodies waiting
    queue_target_ms: int = 150  # that what comes in should wait at most
    queue_timeout_ms: int = 10_000  # what has waited longer is answered Overloaded
    lane_flights_max: int = 4  # under way at once, for what others have locked for long
    lane_timeout_ms: int = 2_000  # what has waited longer in a lane is told why


class Recipient(Protocol[OutcomeT_contra]):
    """Where an outcome goes. An asyncio.Future is one."""

    def done(self) -> bool:
        """Whether it is answered, or nobody waits for it any more."""

    def set_result(self, outcome: OutcomeT_contra, /) -> object:
        """The outcome, once it is final."""

    def set_exception(self, error: Exception, /) -> object:
        """Why there is none."""


class Waitlist(Protocol):
    """Where a command waits."""

    def withdraw(self, one: Any, /) -> bool:
        """Take a command back if it has not left yet; whether it had not."""


class Waiting(Struct, Generic[CommandT, OutcomeT], eq=False):
    """A command that waits; `weight` is how many it counts as, `size` what it takes of the queue in bytes."""

    command: CommandT
    size: int
    weight: int
    deadline: float
    recipient: Recipient[OutcomeT]
    queue: Waitlist
    share: Share = NOBODY
    number: int = 0  # in the order in which they left for the first time; 0: it has not
    has_left: bool = False  # or was withdrawn
    batch_id: str | None = None  # of the batch that has settled it
    put_off: int = 0  # how often it came back unsettled, since others had locked what it needs
    lines: AbstractSet[Hashable] = frozenset()  # that stop it: those that did the last time, and
    lasting: AbstractSet[Hashable] = frozenset()  # those that somebody had locked for long, now or before
    until: float = 0.0  # when it has waited in a lane for long enough; 0: it is in none
    trace: object = None  # of its caller's request, if that has one

    @property
    def is_heavy(self) -> bool:
        """Whether it is several commands in one, or as large as several."""
        return self.weight > 1 or self.size > HEAVY_BYTES

    def withdraw(self) -> bool:
        """Take it back if it has not left yet; whether it had not."""
        return self.queue.withdraw(self)


class Pressure(Struct, frozen=True):
    """What waits, over all partitions; commands each as often as it weighs."""

    commands: int  # in queues
    oldest_s: float  # that the oldest command without an answer has waited, in a queue or under way
    lanes: int
    lane_commands: int


def is_wanted(one: Waiting[CommandT, OutcomeT], now: float) -> bool:
    """Whether its caller is still there; one that has waited too long in the queue is answered here."""
    if one.recipient.done():
        return False
    if one.deadline < now and not one.until:
        one.recipient.set_exception(Overloaded())
        return False
    return True
