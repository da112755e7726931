"""Who a JWT is: verified once and remembered by its digest, as keys are.

    JWT ──digest──▶ memory ──▶ a Caller, or why not
                       └── not there: header ─▶ signing key ─▶ verified in its turn ─▶ ledger looked up ─▶ remembered

What is remembered ends with the JWT, or when its signing key is no longer the issuer's; and its ledger is looked up
again as often as keys are. What was refused is refused again without another look, but for some seconds only: a ledger
may be made, and a time may come. Both are bounded in number.
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from hashlib import sha256
from typing import TypeVar

from msgspec import Struct

from koshel.access import jwts
from koshel.access.issuer import Issuer, open_issuer
from koshel.access.jwks_source import open_source
from koshel.access.jwts import Claims, Terms
from koshel.access.signing_keys import SigningKey
from koshel.access.verifications import Verifications
from koshel.callers import Caller, Reason, Unauthenticated
from koshel.config.settings import Settings
from koshel.db.access.key_changes import KeyChanges
from koshel.db.access.ledger_lookups import FoundLedger, LedgerLookups

REMEMBERED_MAX = 10_000  # JWTs, and as many that were refused
REFUSED_S = 5.0  # that a JWT which was refused is not looked at again

IsFresh = Callable[[float, float], bool]
T = TypeVar("T")


class KnownJwt(Struct):
    """What is remembered of a JWT."""

    caller: Caller
    asked: float  # when its ledger was looked up
    ends: float  # when it does
    signing_key: bytes  # the digest of the one that has signed it
    is_used: bool = True  # since it was renewed


class _Refused(Struct, frozen=True):
    reason: Reason
    until: float


class JwtCallers:
    """Open it with `open_jwt_callers`."""

    issuer: Issuer

    def __init__(self, terms: Terms, changes: KeyChanges, is_fresh: IsFresh) -> None:
        self.good: dict[bytes, KnownJwt] = {}
        self._refused: dict[bytes, _Refused] = {}
        self._terms = terms
        self._is_fresh = is_fresh
        self.ledgers = LedgerLookups(changes, is_fresh)
        self.verifications = Verifications()

    def known(self, token: str) -> Caller | None:
        """Who the JWT is; None if that has to be found out, with `find`.

        Raises Unauthenticated, IssuerUnavailable, Overloaded.
        """
        header, digest, now = jwts.header_of(token), _digest(token), time.monotonic()
        known = self.good.get(digest)
        if known is not None and known.ends > now:
            if not self._is_fresh(known.asked, now):
                return None
            known.is_used = True
            return known.caller
        refused = self._refused.get(digest)
        if refused is not None and refused.until > now:
            raise Unauthenticated(refused.reason)
        if self.issuer.find(header) is None:
            self.issuer.check()
        self.verifications.check(digest)
        return None

    async def find(self, token: str) -> Caller:
        """Who the JWT is. Raises Unauthenticated, IssuerUnavailable, Overloaded, StoreError."""
        caller = self.known(token)
        if caller is not None:
            return caller
        digest = _digest(token)
        known = self.good.get(digest)
        try:
            if known is not None and known.ends > time.monotonic():
                return await self._find_ledger(digest, known)
            return await self._find(token, digest)
        except Unauthenticated as error:
            self._refuse(digest, error.reason)
            raise

    def change_keys(self, good: frozenset[bytes]) -> None:
        """The issuer has other signing keys now: what others have signed is forgotten."""
        for digest in [digest for digest, one in self.good.items() if one.signing_key not in good]:
            del self.good[digest]
        self._refused.clear()

    def forget_ledgers(self) -> None:
        """A ledger was renamed, or may have been: each is looked up again."""
        self.ledgers.forget()
        self._refused.clear()
        for one in self.good.values():
            one.asked = float("-inf")

    async def renew(self, older_s: float) -> None:
        """Look the ledgers of JWTs in use up again before they are too old, so that none has to wait.

        What has ended is forgotten. Raises StoreError.
        """
        now = time.monotonic()
        for digest in [digest for digest, one in self.good.items() if one.ends <= now]:
            del self.good[digest]
        old = {digest: one for digest, one in self.good.items() if one.is_used and now - one.asked > older_s}
        # One after the other: what has to be looked up for a request does not wait behind all of them.
        found = {name: await self.ledgers.ask(name) for name in {one.caller.ledger for one in old.values()}}
        for digest, one in old.items():
            if digest in self.good:  # it may have gone meanwhile
                self._settle(digest, one, found[one.caller.ledger])
                one.is_used = False

    async def _find(self, token: str, digest: bytes) -> Caller:
        key = await self.issuer.find_or_look(jwts.header_of(token))
        asked = time.monotonic()
        claims = await self.verifications.verify(digest, partial(jwts.claims_of, token, key, self._terms))
        return await self._admit(digest, key, claims, asked)

    async def _admit(self, digest: bytes, key: SigningKey, claims: Claims, asked: float) -> Caller:
        ledger = await self.ledgers.find(claims.ledger)
        if ledger.id is None:
            raise Unauthenticated("jwt-ledger")
        caller = Caller(ledger.id, claims.ledger, claims.scope, claims.key_id)
        if self.issuer.is_good(key.digest):  # it may have gone meanwhile
            known = KnownJwt(caller, ledger.asked, asked + claims.remaining_s, key.digest)
            _put(self.good, digest, known)
        return caller

    async def _find_ledger(self, digest: bytes, known: KnownJwt) -> Caller:
        ledger = await self.ledgers.find(known.caller.ledger)
        self._settle(digest, known, ledger)
        if ledger.id is None:
            raise Unauthenticated("jwt-ledger")
        known.is_used = True
        return known.caller

    def _settle(self, digest: bytes, known: KnownJwt, ledger: FoundLedger) -> None:
        """Its ledger was looked up again: it may have another name now, and another ledger its own."""
        caller = known.caller
        if ledger.id is None:
            self.good.pop(digest, None)
            return
        if ledger.id != caller.ledger_id:
            known.caller = Caller(ledger.id, caller.ledger, caller.scope, caller.key_id)
        known.asked = ledger.asked
        if digest in self.good:
            _put(self.good, digest, known)

    def _refuse(self, digest: bytes, reason: Reason) -> None:
        _put(self._refused, digest, _Refused(reason, time.monotonic() + REFUSED_S))


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()


def _put(remembered: dict[bytes, T], digest: bytes, one: T) -> None:
    remembered.pop(digest, None)
    if len(remembered) >= REMEMBERED_MAX:
        del remembered[next(iter(remembered))]  # the one that came first
    remembered[digest] = one


@asynccontextmanager
async def open_jwt_callers(settings: Settings, changes: KeyChanges, is_fresh: IsFresh) -> AsyncIterator[JwtCallers]:
    """Those whom the settings' issuer vouches for, for as long as the block lasts."""
    issuer, audience = settings.jwt_issuer, settings.jwt_audience
    assert issuer is not None, "JWTs are taken"
    assert audience is not None, "the settings are checked"
    callers = JwtCallers(
        Terms(issuer, audience, settings.jwt_ledger_claim, settings.jwt_scope_claim), changes, is_fresh
    )
    async with open_source(settings) as source, open_issuer(source, callers.change_keys) as callers.issuer:
        try:
            yield callers
        finally:
            await callers.verifications.close()
            await callers.ledgers.close()
