"""What a memory of keys is made with, where there is no database: a clock, and look-ups."""

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from koshel import api_keys
from koshel.access.authentication import Authentication
from koshel.callers import Caller, Scope
from koshel.db.access.api_keys import FoundKey

CALLER = Caller(1, "main", Scope.WRITE, "7")


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000_000.0
        monkeypatch.setattr("koshel.access.authentication.time", SimpleNamespace(monotonic=lambda: self.now))


class Database:
    """What look-ups find, and whether changes are heard of."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.found: dict[bytes, FoundKey] = {}
        self.asked: list[bool] = []  # of each look-up: whether it was known to be a key
        self.hears = True
        self.keys_exist = False
        self.before_it_answers: Callable[[], None] = lambda: None

    def add(self, remaining_s: float | None = None, *, is_revoked: bool = False) -> str:
        key = api_keys.make()
        digest = api_keys.digest_of(key)
        assert digest is not None
        self.found[digest] = FoundKey(CALLER, is_revoked, remaining_s)
        return key

    async def find(self, digest: bytes, *, is_known: bool) -> tuple[float, FoundKey | None]:
        asked = self.clock.now
        self.asked.append(is_known)
        self.clock.now += 0.001
        self.before_it_answers()
        return asked, self.found.get(digest)

    def is_listening(self, now: float) -> bool:
        assert now == self.clock.now
        return self.hears

    async def ask(self, work: Callable[..., Awaitable[Any]]) -> Any:
        return await work(self, self)

    async def transact(self, ledger_ids: set[int], work: Callable[..., Awaitable[Any]]) -> Any:
        assert ledger_ids == {CALLER.ledger_id}
        return await work(self, self)

    # As a connection, and as its queries.
    has_api_keys = note_api_keys_used = ""
    noted: list[list[int]]

    async def fetchval(self, _: str) -> bool:
        return self.keys_exist

    async def execute(self, _: str, ledger_ids: list[int], ids: list[int]) -> None:
        assert len(ledger_ids) == len(ids)
        self.noted.append(ids)


def remembering(database: Database, *, always: bool = True) -> Authentication:
    made = Authentication(always=always)
    made.changes = made.lookups = database  # type: ignore[assignment]
    return made
