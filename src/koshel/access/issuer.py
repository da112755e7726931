"""The issuer of JWTs: its signing keys, kept up to date while it rotates them.

    every few minutes, and when a JWT names a key that is not known ──▶ read ──▶ the keys that are known now
                                                                         └── in vain: those of before go on, for a day

Nobody can make it read more often than every few seconds, whatever keys JWTs name.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog

from koshel.access import signing_keys
from koshel.access.jwks_source import Source
from koshel.access.jwts import Header
from koshel.access.signing_keys import SigningKey, SigningKeys
from koshel.callers import IssuerUnavailable, Unauthenticated
from koshel.errors import Overloaded

LOOK_PAUSE_S = 5.0  # between two looks for a key that is not known
RETRY_S = 10.0  # between two looks in vain
KEPT_S = 24 * 3600.0  # that keys which were read go on for without another look that was not in vain
WAITING_MAX = 500  # JWTs that wait for a look

_log = structlog.get_logger()


class Issuer:
    """Run it with `open_issuer`. `changed` is called when there are other keys than before, with all that are good."""

    def __init__(self, source: Source, changed: "Callable[[frozenset[bytes]], None]") -> None:
        self._source = source
        self._changed = changed
        self._keys = SigningKeys([])
        self._read_at = -KEPT_S  # when the source was read the last time
        self._looked_at = -LOOK_PAUSE_S
        self._looking: asyncio.Task[None] | None = None
        self._waiting = 0
        self._is_away = False

    @property
    def is_known(self) -> bool:
        """Whether there are keys by which a JWT can be judged."""
        return time.monotonic() - self._read_at < KEPT_S

    def find(self, header: Header) -> SigningKey | None:
        """The key that has signed a JWT, None if it is not known. Raises Unauthenticated if it cannot be that one."""
        return self._keys.find(header.kid, header.alg) if self.is_known else None

    def is_good(self, digest: bytes) -> bool:
        """Whether this key is still the issuer's."""
        return digest in self._keys.digests

    def check(self) -> None:
        """Raise what `find_or_look` would, if a JWT whose key is not known may not wait for a look."""
        if self._looking is None and time.monotonic() - self._looked_at < LOOK_PAUSE_S:
            raise self._refusal()
        if self._waiting >= WAITING_MAX:
            raise Overloaded

    async def find_or_look(self, header: Header) -> SigningKey:
        """The key that has signed a JWT, after a look at the source if need be.

        Raises Unauthenticated, Overloaded, IssuerUnavailable.
        """
        key = self.find(header)
        if key is None:
            self.check()
            self._waiting += 1
            try:
                await self.look()
            finally:
                self._waiting -= 1
            key = self.find(header)
        if key is None:
            raise self._refusal()
        return key

    async def look(self) -> None:
        """Read the keys; whoever comes meanwhile waits for the same look."""
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._look())
        await asyncio.shield(self._looking)

    async def run(self) -> None:
        """Look again and again, for ever."""
        while True:
            await self.look()
            pause_s = min(RETRY_S, self._source.every_s) if self._is_away else self._source.every_s
            await asyncio.sleep(pause_s * random.uniform(0.9, 1.0))  # so that workers do not ask all at once

    async def close(self) -> None:
        """The look that is under way ends."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> None:
        try:
            self._take(signing_keys.read(await self._source.read()))
        except Exception as error:  # noqa: BLE001  whatever is there instead of a JWKS, the keys of before go on
            self._miss(str(error) or type(error).__name__)
        finally:
            self._looked_at, self._looking = time.monotonic(), None

    def _refusal(self) -> Exception:
        """While the source cannot be read, nobody knows whether it has the key by now."""
        is_sure = self.is_known and not self._is_away
        return Unauthenticated("jwt-signing-key") if is_sure else IssuerUnavailable()

    def _take(self, keys: SigningKeys) -> None:
        before, self._keys = self._keys, keys
        self._read_at = time.monotonic()
        if self._is_away or keys.digests != before.digests:
            self._is_away = False
            _log.info("the signing keys of JWTs are read", source=self._source.name, keys=len(keys.digests))
        if keys.digests != before.digests:
            self._changed(keys.digests)

    def _miss(self, error: str) -> None:
        if not self._is_away:
            self._is_away = True
            _log.warning("the signing keys of JWTs cannot be read", source=self._source.name, error=error)
        if self._keys.digests and not self.is_known:
            _log.error("the signing keys of JWTs are too old to be used", source=self._source.name, error=error)
            self._keys = SigningKeys([])
            self._changed(self._keys.digests)


@asynccontextmanager
async def open_issuer(source: Source, changed: "Callable[[frozenset[bytes]], None]") -> AsyncIterator[Issuer]:
    """It reads its keys for as long as the block lasts; no start waits for the first time."""
    issuer = Issuer(source, changed)
    running = asyncio.get_running_loop().create_task(issuer.run())
    try:
        yield issuer
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await issuer.close()
