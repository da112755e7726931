"""Who a token is: remembered for a while, looked up in the database otherwise.

    token ──check sum──▶ digest ──▶ memory ──▶ a Caller, or why not
                                      └── not there, or too old: looked up, and remembered

A token with a dot in it is a JWT, where those are taken: `jwt_callers` says who that is, by the same clock.

What is remembered is bounded in number, and trusted for a bounded time: long while changes are heard of, since a change
makes it forgotten at once, and a few seconds otherwise. When a key expires is the database's word, counted from when it
was asked, by a clock that nobody sets.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, TypeAlias

import structlog
from msgspec import Struct

from koshel.api_keys import digest_of
from koshel.callers import Caller, Reason, Unauthenticated
from koshel.db.access import api_keys
from koshel.db.access.api_keys import FoundKey
from koshel.db.access.key_changes import KeyChanges, open_key_changes
from koshel.db.access.key_lookups import KeyLookups, open_key_lookups
from koshel.db.errors import StoreError, Unfit
from koshel.db.queries import Queries
from koshel.db.store import Store, StoreConfig

if TYPE_CHECKING:
    from koshel.access.jwt_callers import IsFresh, JwtCallers, KnownJwt  # needs what need not be there
    from koshel.db.pools import AnyConnection

REMEMBERED_MAX = 10_000  # keys, and as many that are none
TRUSTED_S = 60.0  # while changes are heard of
RENEWED_S = 45.0  # from then on a key that is in use is looked up again, beside its requests
TRUSTED_DEAF_S = 5.0  # while they are not
NOTE_PAUSE_S = 5.0  # between two looks for keys whose use is to be noted
NOTE_EVERY_S = 60.0  # of one key
LAST_NOTE_S = 1.0  # that a stop waits for the last note

OpenJwtCallers: TypeAlias = "Callable[[KeyChanges, IsFresh], AbstractAsyncContextManager[JwtCallers]]"

_log = structlog.get_logger()


class _Known(Struct):
    """What is remembered of a digest: who it is, or why nobody."""

    caller: Caller | None
    reason: Reason
    asked: float  # when the database was asked
    ends: float  # when the key expires
    is_used: bool = False  # since its use was noted the last time
    noted: float = 0.0


class Authentication:
    """Open it with `open_authentication`. `always`: keys are asked for even where there is none."""

    changes: KeyChanges
    lookups: KeyLookups

    def __init__(self, *, always: bool) -> None:
        self._keys_exist = always
        self._keys_asked = -TRUSTED_S  # when it was asked whether there are keys
        self._good, self._bad = OrderedDict[bytes, _Known](), OrderedDict[bytes, _Known]()
        self._changed = 0.0  # when a change was heard of: what was asked before may be true no more
        self._jwts: JwtCallers | None = None
        self._good_jwts: Mapping[bytes, KnownJwt] = {}

    @property
    def takes_jwts(self) -> bool:
        """Whether a JWT may say who somebody is."""
        return self._jwts is not None

    def take_jwts(self, jwts: "JwtCallers") -> None:
        """From now on they say who a JWT is."""
        self._jwts, self._good_jwts = jwts, jwts.good

    @property
    def asks(self) -> bool | None:
        """Whether callers need a key; None: that has to be asked, with `check`."""
        if self._keys_exist:
            return True
        return False if self.is_fresh(self._keys_asked, time.monotonic()) else None

    async def check(self) -> bool:
        """Whether callers need a key. Raises StoreError."""
        if (asks := self.asks) is None:
            now = time.monotonic()
            self._keys_exist |= await self.changes.ask(api_keys.exist)
            self._keys_asked = now
            return self._keys_exist
        return asks

    def remembered(self, token: bytes, *, even_if_old: bool = False) -> Caller | None:
        """Who the token is, if that is remembered: the shortest way, for what is right. All else is for `known`."""
        digest = sha256(token).digest()
        known = self._good.get(digest) or self._good_jwts.get(digest)
        if known is not None:
            now = time.monotonic()
            if known.ends > now and (even_if_old or self.is_fresh(known.asked, now)):
                known.is_used = True
                return known.caller
        return None

    def known(self, token: str) -> Caller | None:
        """Who the token is; None: ask `find`. Raises Unauthenticated, IssuerUnavailable, Overloaded."""
        if self._jwts is not None and "." in token:
            return self._jwts.known(token)
        digest = digest_of(token)
        if digest is None:
            raise Unauthenticated("malformed")
        now = time.monotonic()
        known = self._good.get(digest)
        if known is not None:
            if self.is_fresh(known.asked, now):
                if known.ends <= now:
                    raise Unauthenticated("expired")
                known.is_used = True
                return known.caller
        elif (bad := self._bad.get(digest)) is not None and self.is_fresh(bad.asked, now):
            raise Unauthenticated(bad.reason)
        return None

    async def find(self, token: str) -> Caller:
        """Who the token is. Raises Unauthenticated, IssuerUnavailable, Overloaded, StoreError."""
        if self._jwts is not None and "." in token:
            return await self._jwts.find(token)
        if (caller := self.known(token)) is not None:
            return caller
        digest = digest_of(token)
        assert digest is not None, "it can be looked up"
        known = await self._look_up(digest)
        if known.caller is None:
            raise Unauthenticated(known.reason)
        known.is_used = True
        return known.caller

    def heard(self, digest: str) -> None:
        """A key was changed, or if the text is empty any number of things."""
        self._changed = time.monotonic()
        if digest:
            self._keys_exist = True
            for remembered in (self._good, self._bad):
                remembered.pop(bytes.fromhex(digest), None)
        else:
            self._good.clear()
            self._bad.clear()
            self._keys_asked = -TRUSTED_S
            if self._jwts is not None:
                self._jwts.forget_ledgers()

    async def renew(self) -> None:
        """Look keys that are in use up again before they are too old, so that none has to wait. Raises StoreError."""
        now = time.monotonic()
        old = [
            digest
            for digest, one in self._good.items()
            if now - one.asked > RENEWED_S and (one.is_used or now - one.noted < NOTE_EVERY_S)
        ]
        await asyncio.gather(*map(self._look_up, old))
        if self._jwts is not None:
            await self._jwts.renew(RENEWED_S)

    async def note(self) -> None:
        """Note in the database which keys were used. Raises StoreError."""
        now = time.monotonic()
        used = [one for one in self._good.values() if one.is_used and now - one.noted >= NOTE_EVERY_S]
        callers = [one.caller for one in used if one.caller is not None]

        async def note(connection: "AnyConnection", q: Queries) -> None:
            await api_keys.note_used(connection, q, callers)

        if callers:
            await self.changes.transact({one.ledger_id for one in callers}, note)
        for one in used:
            one.is_used, one.noted = False, now

    async def _look_up(self, digest: bytes) -> _Known:
        asked, found = await self.lookups.find(digest, is_known=digest in self._good)
        known = _known(found, asked)
        if self._changed < asked:
            self._remember(digest, known)
        return known

    def is_fresh(self, asked: float, now: float) -> bool:
        """Whether what the database said then is still to be trusted."""
        return now - asked < (TRUSTED_S if self.changes.is_listening(now) else TRUSTED_DEAF_S)

    def _remember(self, digest: bytes, known: _Known) -> None:
        before = self._good.pop(digest, None) or self._bad.pop(digest, None)
        if before is not None:
            known.is_used, known.noted = before.is_used, before.noted
        remembered = self._bad if known.caller is None else self._good
        if len(remembered) >= REMEMBERED_MAX:
            remembered.popitem(last=False)  # the one that was asked for longest ago
        remembered[digest] = known


def _known(found: FoundKey | None, asked: float) -> _Known:
    if found is None:
        return _Known(None, "unknown", asked, asked)
    if found.is_revoked:
        return _Known(None, "revoked", asked, asked)
    if found.remaining_s is not None and found.remaining_s <= 0:
        return _Known(None, "expired", asked, asked)
    ends = float("inf") if found.remaining_s is None else asked + found.remaining_s
    return _Known(found.caller, "unknown", asked, ends, noted=-NOTE_EVERY_S)


async def _keep_noting(authentication: Authentication) -> None:
    while True:
        await asyncio.sleep(NOTE_PAUSE_S)
        try:
            await authentication.renew()
            await authentication.note()
        except (StoreError, Unfit) as error:
            _log.debug("the last use of keys could not be stored", error=str(error))


@asynccontextmanager
async def open_authentication(
    store: Store, config: StoreConfig, *, always: bool, open_jwt_callers: "OpenJwtCallers | None" = None
) -> AsyncIterator[Authentication]:
    """It listens for changes, and notes uses, for as long as the block lasts."""
    authentication = Authentication(always=always)
    async with AsyncExitStack() as stack:
        changes = await stack.enter_async_context(open_key_changes(store, config, authentication.heard))
        authentication.changes = changes
        authentication.lookups = await stack.enter_async_context(open_key_lookups(changes))
        if open_jwt_callers is not None:
            opened = open_jwt_callers(changes, authentication.is_fresh)
            authentication.take_jwts(await stack.enter_async_context(opened))
        noting = asyncio.get_running_loop().create_task(_keep_noting(authentication))
        try:
            yield authentication
        finally:
            noting.cancel()
            await asyncio.gather(noting, return_exceptions=True)
            try:
                async with asyncio.timeout(LAST_NOTE_S):
                    await authentication.note()
            except (StoreError, Unfit, TimeoutError) as error:
                _log.debug("the last use of keys could not be stored", error=str(error))
