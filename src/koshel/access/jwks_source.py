"""Where an issuer's JWKS is: a file, a URL, or the URL that the issuer's own configuration names (OpenID Connect)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import aiohttp
import msgspec
from msgspec import Struct

from koshel.access.signing_keys import BYTES_MAX
from koshel.config.settings import Settings
from koshel.config.web_addresses import is_web_address, may_be_asked, shown, without_secrets

FILE_EVERY_S = 2.0
WEB_EVERY_S = 300.0
TIMEOUT_S = 5.0  # for one answer, from the look for its address to its end
_CONFIGURATION = "/.well-known/openid-configuration"
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "koshel"}


class Unreadable(Exception):
    """The JWKS cannot be had now; the message says why."""


class Source(Protocol):
    """Where a JWKS is; `name` is for the log, and `every_s` is how often it is worth a look."""

    name: str
    every_s: float

    async def read(self) -> bytes:
        """The JWKS. Raises Unreadable."""


class FileSource:
    """A file, which may change at any moment."""

    every_s = FILE_EVERY_S

    def __init__(self, path: str) -> None:
        self.name = path

    async def read(self) -> bytes:
        """What it holds, or one byte more than it may hold. Raises Unreadable."""
        return await asyncio.to_thread(read_file, self.name)


class WebSource:
    """A URL; or the issuer, whose configuration has it."""

    every_s = WEB_EVERY_S

    def __init__(self, session: aiohttp.ClientSession, issuer: str, url: str | None) -> None:
        self._url = url or issuer.rstrip("/") + _CONFIGURATION
        self.name = shown(self._url)
        self._session = session
        self._issuer = issuer
        self._is_discovered = url is None

    async def read(self) -> bytes:
        """What is there, or one byte more than may be there. Raises Unreadable."""
        if not self._is_discovered:
            return await self._get(self._url)
        return await self._get(_jwks_uri(await self._get(self._url), self._issuer))

    async def _get(self, url: str) -> bytes:
        content = bytearray()
        try:
            # A redirection could lead from what is encrypted to what is not.
            async with self._session.get(url, allow_redirects=False) as reply:
                if reply.status != 200:
                    raise Unreadable(f"{shown(url)} answers {reply.status}")
                async for chunk in reply.content.iter_any():
                    content += chunk
                    if len(content) > BYTES_MAX:
                        break
        except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
            reason = without_secrets(str(error)) or type(error).__name__  # aiohttp quotes the URL in some
            raise Unreadable(f"{shown(url)}: {reason}") from error
        return bytes(content[: BYTES_MAX + 1])


class _Configuration(Struct):
    issuer: str
    jwks_uri: str


def _jwks_uri(document: bytes, issuer: str) -> str:
    """The URL of the JWKS, by the issuer's configuration. Raises Unreadable."""
    try:
        found = msgspec.json.decode(document, type=_Configuration)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"the configuration of {issuer}: {error}") from error
    if found.issuer != issuer:
        raise Unreadable(f"the configuration of {issuer} is that of {without_secrets(found.issuer)[:200]!r}")
    if not may_be_asked(found.jwks_uri):
        raise Unreadable(f"the configuration of {issuer} names a JWKS that is not at an https:// URL")
    return found.jwks_uri


def read_file(path: str) -> bytes:
    """What the file holds, or one byte more than it may hold. Raises Unreadable."""
    try:
        with Path(path).open("rb") as file:
            return file.read(BYTES_MAX + 1)
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from error


@asynccontextmanager
async def open_source(settings: Settings) -> AsyncIterator[Source]:
    """Where the settings say, for as long as the block lasts."""
    issuer, keys = settings.jwt_issuer, settings.jwt_keys
    assert issuer is not None, "JWTs are taken"
    if keys is not None and not is_web_address(keys):
        yield FileSource(keys)
        return
    async with aiohttp.ClientSession(
        headers=_HEADERS,
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    ) as session:
        yield WebSource(session, issuer, keys)
