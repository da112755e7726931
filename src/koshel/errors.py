"""What a call raises when it has no answer: one tree, by what the caller can do about it.

KoshelError
├── Refused             decided, and declined: `code` and `facts` say why; nothing was done
├── Promised            the key stands for a background transaction: read that one
├── StoreError          not decided
│   ├── Unavailable     nothing was done: try again, with pauses
│   │   └── Overloaded  ... since too much waits
│   ├── Conflict        another transaction came in between, nothing was done: roll back, begin again
│   └── OutcomeUnknown  it may have been done: repeat it with the same key, or look
└── Misuse              it can never succeed as it was called; nothing was sent: correct the program
    ├── Invalid           ... one of its values: `field` and `reason` say which and why; it is in koshel.inputs.values
    └── SchemaNotCurrent  ... or its database: run `koshel migrate`

Where a class is raised without a message, its `meaning` is the message.
"""

from collections.abc import Mapping
from typing import ClassVar


class KoshelError(Exception):
    """Whatever Koshel raises."""

    meaning: ClassVar[str] = "the call has no answer"

    def __str__(self) -> str:
        return super().__str__() or self.meaning


class Refused(KoshelError):
    """The request was refused, and nothing was done.

    `code` is that of the HTTP problem, `facts` explain it; money among them is text. `cause`: of a batch that is
    atomic, the refusal of its first member that was refused.
    """

    def __init__(self, code: str, facts: Mapping[str, str | int], cause: "Refused | None" = None) -> None:
        super().__init__(code, facts, cause)
        self.code = code
        self.facts = facts
        self.cause = cause

    def __str__(self) -> str:
        facts = ", ".join(f"{name} {fact}" for name, fact in self.facts.items())
        return f"{self.code}: {facts}" if self.cause is None else f"{self.code}: {facts}: {self.cause}"


class Promised(KoshelError):
    """The key stands for a background transaction, which is decided by itself: see `Ledger.transaction`."""

    def __init__(self, transaction_id: int) -> None:
        super().__init__(transaction_id)
        self.transaction_id = transaction_id

    def __str__(self) -> str:
        return f"transaction {self.transaction_id} is decided in the background"


class StoreError(KoshelError):
    """The database could not do what was asked; never a refusal."""

    meaning = "the database could not do what was asked"


class Unavailable(StoreError):
    """Nothing was done, and it can be asked again later."""

    meaning = "nothing was done, and it can be asked again later"


class Overloaded(Unavailable):
    """The queue is full, or closing: nothing was done, and it can be asked again later."""

    meaning = "too much waits, or the queue is closing; nothing was done"


class Conflict(StoreError):
    """Another transaction came in between: nothing was done, and it can be settled again."""

    meaning = "another transaction came in between; nothing was done"


class OutcomeUnknown(StoreError):
    """The connection was lost in COMMIT, and whether that happened could not be found out: ask by the same key."""

    meaning = "the commit could not be confirmed or denied; repeat the call with the same key"


class Misuse(KoshelError, ValueError):
    """It can never succeed as it was called, and nothing was sent to the database, or nothing of it was kept."""

    meaning = "it cannot be done as it was called"


class SchemaNotCurrent(Misuse):
    """The database lacks migrations: run `koshel migrate`."""

    meaning = "the schema lacks migrations; run `koshel migrate`"
