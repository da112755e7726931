"""The composition root: settings → engine → service, opened and closed in one place."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct, field

from koshel import __version__
from koshel.access.authentication import Authentication, OpenJwtCallers, open_authentication
from koshel.asking.requests import Requests
from koshel.asking.terms import Terms, terms_of
from koshel.config import exposure
from koshel.config.settings import Settings
from koshel.db.gate import Gate
from koshel.db.url import Target
from koshel.engine import Engine, open_engine, store_config
from koshel.sampling import Sampler, open_sampler

if TYPE_CHECKING:
    from koshel.telemetry.tracing import Tracing

LEDGERS_MAX = 10_000  # whose commands are made in the same place again


class Service(Struct, frozen=True):
    """What the routes work with."""

    engine: Engine
    terms: Terms
    authentication: Authentication | None  # None: nobody is asked
    sampler: Sampler | None  # None: there are no metrics
    tracing: "Tracing | None"  # None: there are no traces
    _made: dict[int, Requests] = field(default_factory=dict)  # by ledger id

    def requests(self, ledger_id: int) -> Requests:
        """The commands of one ledger."""
        if (made := self._made.get(ledger_id)) is None:
            if len(self._made) >= LEDGERS_MAX:
                self._made.clear()
            made = self._made[ledger_id] = Requests(ledger_id, self.terms)
        return made


@asynccontextmanager
async def open_service(
    settings: Settings, database_url: str | Target, gate: Gate | None = None, tracing: "Tracing | None" = None
) -> AsyncIterator[Service]:
    """The service of one process; at the end what waits is settled, then the connections close."""
    async with (
        open_engine(settings, database_url, gate=gate, tracing=tracing) as engine,
        _authentication(settings, database_url, gate, engine) as authentication,
        _sampler(settings, engine) as sampler,
    ):
        yield Service(engine, terms_of(settings), authentication, sampler, tracing)


def tracing_of(settings: Settings) -> "Tracing | None":
    """The traces of one process, if it has any."""
    if settings.tracing == "off":
        return None
    from koshel.telemetry import trace_export  # noqa: PLC0415  it needs OpenTelemetry, which need not be there

    return trace_export.open_tracing(__version__, "http" if settings.tls_certificate_file is None else "https")


@asynccontextmanager
async def _sampler(settings: Settings, engine: Engine) -> AsyncIterator[Sampler | None]:
    if settings.metrics == "off":
        yield None
        return
    async with open_sampler(engine) as sampler:
        yield sampler


@asynccontextmanager
async def _authentication(
    settings: Settings, database_url: str | Target, gate: Gate | None, engine: Engine
) -> AsyncIterator[Authentication | None]:
    if settings.auth == "off":
        yield None
        return
    takes_jwts = settings.jwt_issuer is not None
    always = settings.auth == "keys" or takes_jwts or exposure.reached_by(settings) is not None
    config = store_config(settings, database_url, gate)
    jwts = _open_jwt_callers(settings) if takes_jwts else None
    async with open_authentication(engine.store, config, always=always, open_jwt_callers=jwts) as authentication:
        yield authentication


def _open_jwt_callers(settings: Settings) -> OpenJwtCallers:
    from koshel.access.jwt_callers import open_jwt_callers  # noqa: PLC0415  who takes no JWTs need not have what they need

    return partial(open_jwt_callers, settings)
