"""Files out of a ledger and into another one, in this process."""

import asyncio
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import psycopg
import pytest

from koshel.asking.requests import Requests
from koshel.asking.terms import terms_of
from koshel.config.settings import Settings
from koshel.db.access import ledgers
from koshel.db.export import exported
from koshel.engine import open_engine
from koshel.files.exporting import export_to
from koshel.files.faults import Faulty
from koshel.files.importing import Import, Result, Source
from koshel.files.spool import Spool
from koshel.submit import settled
from tests.support.database import Database
from tests.support.settled import rows

HEADER = "name,email,currency,balance,min_balance,max_balance\n"
BALANCES = """
SELECT coalesce(a.name, 'old:' || a.id), a.currency, a.balance FROM account AS a
INNER JOIN ledger AS l ON l.id = a.ledger_id WHERE l.name = %s
"""


def take_out(database: Database, ledger: str, kind: str, path: Path) -> int:
    """Export one kind of rows of a ledger; returns how many there were."""
    with exported(database.owner_url, ledger, kind) as found:
        assert found is not None
        return export_to(str(path), path.suffix[1:], found, kind)


async def bring_in_now(database: Database, ledger: str, kind: str, path: Path, **options: Any) -> Result:
    async with open_engine(Settings(), database.service_url, background=False) as engine:
        found = await engine.store.look(lambda connection, q: ledgers.find(connection, q, ledger))
        assert found is not None
        source = Source(str(path), path.suffix[1:], kind, **options)
        with TemporaryFile() as file:
            work = Import(source, Requests(found.id, terms_of(Settings())), engine.store, settled(engine), Spool(file))
            await work.check(lambda _: None)
            return await work.run(lambda _: None)


def bring_in(database: Database, ledger: str, kind: str, path: Path, **options: Any) -> Result:
    """Import a file into a ledger."""
    return asyncio.run(bring_in_now(database, ledger, kind, path, **options))


def counts(result: Result) -> tuple[int, int]:
    """How many lines were new, and how many were known."""
    return result.new, result.known


def balances(database: Database, ledger: str) -> dict[str, tuple[str, str]]:
    """Currency and balance of each account of a ledger, by its name, or by that which its id makes."""
    with psycopg.connect(database.owner_url) as connection:
        found = connection.execute(BALANCES.encode(), (ledger,)).fetchall()
    return {name: (currency, str(balance)) for name, currency, balance in found}


def written(path: Path, text: str) -> Path:
    """A file with this text."""
    path.write_bytes(text.encode())
    return path


def faults_of(database: Database, kind: str, path: Path, **options: Any) -> list[str]:
    """What is wrong with a file; nothing of it is written."""
    before = rows(database)
    with pytest.raises(Faulty) as raised:
        bring_in(database, "main", kind, path, **options)
    assert rows(database) == before
    return [str(fault) for fault in raised.value.faults]
