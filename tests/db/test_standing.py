"""Where a service stands: what the one connection of the start's proof says of the database, and how it is shown."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psycopg
import pytest
from structlog.testing import capture_logs

from koshel.db import pools, queries
from koshel.db.errors import Away, Unfit
from koshel.db.pools import TimeLimits
from koshel.db.server.embedded import Cluster
from koshel.db.starting import proof, standing
from koshel.db.starting.proof import Inspected
from koshel.db.starting.schema import known
from koshel.db.url import parse, place
from tests.support.bookkeeping import execute
from tests.support.database import Database

LIMITS = TimeLimits(connect_timeout_ms=30_000)


async def look(url: str, limits: TimeLimits = LIMITS) -> Inspected:
    return await proof.inspect(url, limits, frozenset())


@pytest.fixture
def narrow(cluster: Cluster, database: Database) -> Iterator[str]:
    """The database, for a role that may connect three times at once."""
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("CREATE ROLE narrow_one LOGIN CONNECTION LIMIT 3 IN ROLE koshel_service")
        yield database.owner_url.replace("//koshel@", "//narrow_one@")
        connection.execute("DROP ROLE narrow_one")


async def test_the_database_is_known_by_its_name_who_asks_its_version_and_its_room(database: Database) -> None:
    found = await look(database.service_url)
    assert (found.role, found.due) == ("koshel_service", [])
    assert f"/{found.database}?" in database.service_url
    assert re.match(r"\d+", found.version)
    assert found.room == 400 - 3  # what is reserved for superusers is nobody's here


async def test_a_role_s_own_limit_counts(narrow: str) -> None:
    assert (await look(narrow)).room == 3


async def test_who_logged_in_is_counted_and_whom_it_acts_as_is_named(narrow: str) -> None:
    found = await look(f"{narrow}&options=-c%20role%3Dkoshel_service")
    assert (found.role, found.room) == ("koshel_service", 3)


async def test_a_database_s_own_limit_counts(database: Database) -> None:
    name = (await look(database.owner_url)).database
    execute(database.owner_url, f"ALTER DATABASE {name} CONNECTION LIMIT 7")
    assert (await look(database.service_url)).room == 7


async def test_what_the_schema_lacks_is_seen(database: Database) -> None:
    last = known()[-1]
    execute(database.owner_url, f"DELETE FROM _yoyo_migration WHERE migration_id = '{last}'")
    assert (await look(database.service_url)).due == [last]


async def test_without_a_schema_all_of_it_is_due(cluster: Cluster) -> None:
    assert (await look(cluster.url(database="template1"))).due == known()


async def test_all_is_asked_over_one_connection(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    names = []

    async def connect(*arguments: object, **named: object) -> "asyncpg.Connection[asyncpg.Record]":
        names.append(arguments[2])
        return await real(*arguments, **named)  # type: ignore[arg-type]  # the same that came

    real = pools.connect
    monkeypatch.setattr(proof, "connect", connect)
    await look(database.service_url)
    assert names == ["start"]


async def test_a_server_that_does_not_answer_is_given_up() -> None:
    left = asyncio.Event()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        left.set()

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    async with server:
        url = f"postgresql://nobody@127.0.0.1:{server.sockets[0].getsockname()[1]}/x?sslmode=disable"
        with pytest.raises(Away, match=r"^127\.0\.0\.1:\d+: no answer in time$"):
            await look(url, TimeLimits(connect_timeout_ms=200))
        await left.wait()


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://ann:secret@db:5433/wallet", "db:5433"),
        ("postgresql://ann:secret@[::1]/wallet", "[::1]"),
        ("postgresql://ann:secret@/wallet?host=/run/pg", "/run/pg"),
        ("postgresql://ann:secret@/wallet", "the default host"),
        ("postgresql://ann:secret@%2Frun%2Fpg:7,db/wallet", "/run/pg:7, db:5432"),
        ("postgresql://ann:secret@a,[::1]/wallet?port=7", "a:7, [::1]:7"),
        ("postgresql://ann:secret@/wallet?hostaddr=192.0.2.1&host=db", "192.0.2.1"),
    ],
)
def test_a_place_is_shown_without_its_password(url: str, place: str) -> None:
    with capture_logs() as log:
        standing.say_which(Inspected("wallet", "ann", "18.1", 97, [], [], [], []), parse(url))
    assert [(line["at"], line["database"], line["role"]) for line in log] == [(place, "wallet", "ann")]


def test_a_place_that_a_variable_or_a_service_names_is_shown_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGHOST", "elsewhere")
    monkeypatch.setenv("PGPORT", "7")
    assert place(parse("postgresql://ann@/wallet")) == "elsewhere:7"
    (tmp_path / "services").write_text("[wallet]\nhost=db\nport=6543\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    assert place(parse("postgresql://ann@/wallet?service=wallet")) == "db:6543"


async def test_an_error_does_not_show_a_password() -> None:
    with pytest.raises(Away) as refused:
        await look("postgresql://me:secret@127.0.0.1:1/koshel")
    assert "secret" not in str(refused.value)


async def test_a_url_that_cannot_be_read_is_unfit() -> None:
    with pytest.raises(Unfit, match=r"^the database URL: port is not a number"):
        await look("postgresql://nobody@127.0.0.1/x?port=port")


def test_what_is_asked_of_the_server_is_one_row(database: Database) -> None:
    with psycopg.connect(database.service_url) as connection:
        assert len(connection.execute(queries.load().read_server.encode()).fetchall()) == 1


def test_a_schema_that_is_newer_than_the_version_is_warned_of() -> None:
    for unknown in ([], ["0099.of_tomorrow"]):
        with capture_logs() as log:
            standing.say_which(
                Inspected("wallet", "ann", "18.1", 97, [], unknown, [], []), parse("postgresql://db/wallet")
            )
        warned = [(line["event"], line["unknown"]) for line in log if line["log_level"] == "warning"]
        assert warned == ([("the schema is newer than this version of Koshel", unknown)] if unknown else [])
