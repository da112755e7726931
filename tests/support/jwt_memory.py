"""What a memory of JWTs is made with, where there is neither a database nor an issuer: a clock, ledgers, and keys."""

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from koshel.access.authentication import TRUSTED_S, Authentication
from koshel.access.issuer import Issuer
from koshel.access.jwt_callers import JwtCallers
from koshel.db.errors import DatabaseUnavailable
from tests.support.jwt_issuer import TERMS, Signer, jwks

MODULES = ("access.jwt_callers", "access.issuer", "db.access.ledger_lookups", "access.authentication")


class World:
    """All that is around: `now` goes when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *signers: Signer) -> None:
        self.now = 1_000_000.0
        self.signers = signers
        self.ledgers = {"main": 1}
        self.asked: list[str] = []
        self.is_away = False
        self.before_it_answers: Callable[[], None] = lambda: None
        for module in MODULES:
            monkeypatch.setattr(f"koshel.{module}.time", SimpleNamespace(monotonic=lambda: self.now))

    # As where the keys are.
    name, every_s = "somewhere", 300.0

    async def read(self) -> bytes:
        return jwks(*self.signers)

    # As the connection that hears of changes, as its queries, and as a row.
    find_ledger = "find"

    def is_listening(self, now: float) -> bool:
        assert now == self.now
        return True

    async def ask(self, work: Callable[..., Awaitable[Any]]) -> Any:
        return await work(self, self)

    async def fetchrow(self, _: str, name: str) -> dict[str, Any] | None:
        self.asked.append(name)
        if self.is_away:
            raise DatabaseUnavailable
        found = self.ledgers.get(name)
        self.before_it_answers()
        return None if found is None else {"id": found, "name": name, "ctime": None}


async def remembering(world: World) -> Authentication:
    """An authentication that takes JWTs, and has read the issuer's keys."""
    made = Authentication(always=True)
    made.changes = world  # type: ignore[assignment]
    jwts = JwtCallers(TERMS, made.changes, made.is_fresh)
    jwts.issuer = Issuer(world, jwts.change_keys)
    await jwts.issuer.look()
    made.take_jwts(jwts)
    world.now += TRUSTED_S
    return made


def jwts_of(memory: Authentication) -> JwtCallers:
    """What of it knows JWTs."""
    assert memory._jwts is not None
    return memory._jwts
