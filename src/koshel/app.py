"""The composition root: settings → engine → service, opened and closed in one place."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec import Struct

from koshel.db.gate import Gate
from koshel.db.url import Target
from koshel.engine import Engine, open_engine
from koshel.requests import Requests, Terms, terms_of
from koshel.settings import Settings
from koshel.submit import Submit, rehearsed


class Service(Struct, frozen=True):
    """What the routes work with."""

    engine: Engine
    terms: Terms
    rehearse: Submit

    def requests(self, ledger_id: int) -> Requests:
        """The commands of one ledger."""
        return Requests(ledger_id, self.terms)


@asynccontextmanager
async def open_service(
    settings: Settings, database_url: str | Target, gate: Gate | None = None
) -> AsyncIterator[Service]:
    """The service of one process; at the end what waits is settled, then the connections close."""
    async with open_engine(settings, database_url, gate=gate) as engine:
        yield Service(engine, terms_of(settings), rehearsed(engine.store))
