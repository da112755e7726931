"""Who sends a request: the ledger that a caller may use, and what it may do there; or why nobody knows."""

from enum import StrEnum
from functools import cached_property
from typing import Literal, TypeAlias

from msgspec import Struct

MAIN_LEDGER_ID = 1  # the first migration makes it
MAIN_LEDGER = "main"

JwtReason: TypeAlias = Literal[
    "jwt-malformed",
    "jwt-algorithm",
    "jwt-signing-key",
    "jwt-signature",
    "jwt-claims",
    "jwt-not-yet-valid",
    "jwt-expired",
    "jwt-issuer",
    "jwt-audience",
    "jwt-scope",
    "jwt-ledger",
]
Reason: TypeAlias = Literal[
    "absent", "malformed", "twice", "query", "passed-on", "unknown", "revoked", "expired", JwtReason
]


class Unauthenticated(Exception):
    """Nobody knows who sends this."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class IssuerUnavailable(Exception):
    """Whether a JWT is right cannot be said now: the keys of its issuer cannot be had."""


class Scope(StrEnum):
    """What a caller may do in its ledger; each scope includes the one before."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    def includes(self, needed: "Scope") -> bool:
        """Whether who has this scope may do what needs the other one."""
        return _ORDER.index(self) >= _ORDER.index(needed)


_ORDER = tuple(Scope)


class Caller(Struct, frozen=True, dict=True):
    """Who sends a request: the ledger it may use, and what it may do there."""

    ledger_id: int
    ledger: str  # its name
    scope: Scope
    key_id: str | None = None  # of the key, as `koshel key list` shows it; `jwt:<sub>` of a JWT; None without keys

    @cached_property
    def share(self) -> tuple[int, str | None]:
        """Whose share of the queue and of the rates its requests have."""
        return self.ledger_id, self.key_id

    @property
    def is_operator(self) -> bool:
        """Whether it may see and do what concerns the service as a whole: an administrator of the main ledger."""
        return self.ledger_id == MAIN_LEDGER_ID and self.scope is Scope.ADMIN


ANYBODY = Caller(MAIN_LEDGER_ID, MAIN_LEDGER, Scope.ADMIN)  # whoever reaches a service that asks for no key
