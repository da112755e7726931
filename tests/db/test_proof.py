"""What the start asks of a database: each thing that is wrong is named, with what mends it."""

from collections.abc import Iterator

import psycopg
import pytest

from koshel.db.errors import Away, Unfit
from koshel.db.pools import TimeLimits
from koshel.db.server import embedded
from koshel.db.server.embedded import Cluster
from koshel.db.starting import proof
from koshel.db.starting.schema import known
from tests.support.bookkeeping import execute
from tests.support.database import Database
from tests.support.outage import Postgres, own_postgres

LIMITS = TimeLimits()
NOBODY_KNOWS = frozenset[str]()


@pytest.fixture(scope="module")
def _own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with own_postgres(tmp_path_factory.mktemp("proof")) as postgres:
        yield postgres


@pytest.fixture
def postgres(_own: Postgres) -> Iterator[Postgres]:
    """A server whose settings a test may change."""
    yield _own
    (_own.cluster.directory / "standby.signal").unlink(missing_ok=True)
    _own.stop()
    _own.start()
    _alter(_own, "RESET ALL")


def _alter(postgres: Postgres, what: str) -> None:
    with psycopg.connect(postgres.owner_url, autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM {what}".encode())
        connection.execute("SELECT pg_reload_conf()")


async def test_a_database_that_is_fit_says_what_it_is(database: Database) -> None:
    found = await proof.inspect(database.service_url, LIMITS, NOBODY_KNOWS)
    assert (found.role, found.unsafe) == (embedded.SERVICE, [])
    assert f"/{found.database}?" in database.service_url
    assert found.version.startswith("18")
    await proof.check_rights(database.service_url, LIMITS)
    await proof.check_before_migrating(database.service_url, LIMITS)


async def test_a_server_that_could_be_faster_is_taken_and_told_of(postgres: Postgres) -> None:
    _alter(postgres, "SET max_wal_size = '1GB'")
    _alter(postgres, "SET wal_compression = pglz")
    found = await proof.inspect(postgres.service_url, LIMITS, NOBODY_KNOWS)
    assert [sentence.partition(" ")[0] for sentence in found.advice] == ["wal_compression", "max_wal_size"]


@pytest.mark.parametrize("name", ["fsync", "full_page_writes", "synchronous_commit"])
async def test_a_server_that_does_not_wait_for_its_disk_is_refused_unless_somebody_knows(
    postgres: Postgres, name: str
) -> None:
    _alter(postgres, f"SET {name} = off")
    postgres.stop()
    postgres.start()
    with pytest.raises(Unfit, match=rf"^{name} is off: .*KOSHEL_ALLOW_{name.upper()}_OFF=true"):
        await proof.inspect(postgres.service_url, LIMITS, proof.RISKS.keys() - {name})
    found = await proof.inspect(postgres.service_url, LIMITS, {name})
    assert found.unsafe == [name]


@pytest.mark.parametrize("whose", ["ROLE koshel_service IN DATABASE {}", "DATABASE {}", "URL"])
async def test_a_role_a_database_or_a_url_may_not_say_otherwise(database: Database, whose: str) -> None:
    name = database.service_url.partition("?")[0].rpartition("/")[2]
    url = database.service_url
    if whose == "URL":
        url += "&options=-c%20synchronous_commit%3Doff"
    else:
        execute(database.owner_url, f"ALTER {whose.format(name)} SET synchronous_commit = off")
    with pytest.raises(Unfit, match=r"^synchronous_commit is off"):
        await proof.inspect(url, LIMITS, NOBODY_KNOWS)


@pytest.mark.parametrize("value", ["local", "remote_write"])
async def test_who_waits_for_this_servers_disk_only_waits_enough(database: Database, value: str) -> None:
    name = database.service_url.partition("?")[0].rpartition("/")[2]
    execute(database.owner_url, f"ALTER DATABASE {name} SET synchronous_commit = {value}")
    assert (await proof.inspect(database.service_url, LIMITS, NOBODY_KNOWS)).unsafe == []


async def test_another_encoding_is_refused(cluster: Cluster) -> None:
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE test_latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        try:
            with pytest.raises(Unfit, match="encoding LATIN1; Koshel needs UTF8"):
                await proof.inspect(cluster.url(database="test_latin"), LIMITS, NOBODY_KNOWS)
        finally:
            connection.execute("DROP DATABASE test_latin WITH (FORCE)")


async def test_an_older_server_is_refused(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "VERSION_MIN", 99)
    with pytest.raises(Unfit, match=r"is PostgreSQL 18\..*; Koshel needs 99 or newer"):
        await proof.inspect(database.service_url, LIMITS, NOBODY_KNOWS)


GRANTS = [
    *(
        f"SELECT ON {table}"
        for table in (
            *("ledger", "currency", "account", "transaction", "receipt", "batch", "hold", "queued", "declined"),
            *("cancelled", "turnover", "split", "exchange", "transaction_change", "account_change", "api_key"),
            "_yoyo_migration",
        )
    ),
    *(
        f"INSERT ON {table}"
        for table in ("account", "transaction", "receipt", "batch", "hold", "queued", "declined", "cancelled", "split")
    ),
    *(f"INSERT ON {table}" for table in ("exchange", "transaction_change", "account_change")),
    *("INSERT ON turnover", "DELETE ON turnover", "UPDATE (limits_version, counted_at, windows) ON turnover"),
    *("INSERT ON ledger", "INSERT ON api_key", "UPDATE (name) ON ledger"),
    "UPDATE (expires_at, revoked_at, last_used_at) ON api_key",
    *("DELETE ON hold", "DELETE ON queued"),
    *(f"USAGE ON {sequence}" for sequence in ("account_id", "transaction_id", "group_id", "api_key_id")),
    *("UPDATE (amount, capture_at) ON hold", "UPDATE (due, attempts, error) ON queued"),
    "UPDATE (balance, held, version, revision, min_balance, max_balance, status, email, metadata, limits) ON account",
    *("EXECUTE ON FUNCTION erase_account", "EXECUTE ON FUNCTION make_partitions"),
]


@pytest.mark.parametrize("grant", GRANTS)
async def test_each_right_that_is_missing_is_named_with_what_mends_it(database: Database, grant: str) -> None:
    kind = "SEQUENCE " if grant.startswith("USAGE") else ""
    execute(database.owner_url, f"REVOKE {grant.replace(' ON ', f' ON {kind}')} FROM koshel_service")
    with pytest.raises(Unfit) as refused:
        await proof.check_rights(database.service_url, LIMITS)
    said = str(refused.value)
    assert said.startswith("the role koshel_service lacks ")
    assert "`koshel migrate --service-role koshel_service` as the owner of the database test_" in said
    missing = said.removeprefix("the role koshel_service lacks ").partition("; ")[0]
    if "(" in grant:
        assert sorted(missing.partition(" (")[2].partition(")")[0].split(", ")) == sorted(
            grant.partition(" (")[2].partition(")")[0].split(", ")
        )
    else:
        assert missing == grant


async def test_a_right_that_is_missing_makes_a_database_unfit(database: Database) -> None:
    execute(database.owner_url, "REVOKE INSERT ON receipt FROM koshel_service")
    with pytest.raises(Unfit, match=r"^the role koshel_service lacks INSERT ON receipt; run `koshel migrate"):
        await proof.inspect(database.service_url, LIMITS, NOBODY_KNOWS)


async def test_a_right_that_is_granted_later_is_not_missed_yet(database: Database) -> None:
    execute(database.owner_url, "DROP OWNED BY koshel_service")
    found = await proof.inspect(database.service_url, LIMITS, NOBODY_KNOWS, granted_later=True)
    assert found.due == known()  # nothing can be read of it yet


async def test_a_role_without_any_right_lacks_all_that_is_granted(database: Database) -> None:
    execute(database.owner_url, "DROP OWNED BY koshel_service")
    with pytest.raises(Unfit) as refused:
        await proof.check_rights(database.service_url, LIMITS)
    lacks = str(refused.value).partition(" lacks ")[2].partition("; ")[0]
    assert lacks.startswith("USAGE ON SCHEMA koshel, ")
    assert lacks.count(" ON ") == 1 + len(GRANTS)


async def test_a_database_without_a_schema_lacks_no_right_yet(cluster: Cluster) -> None:
    await proof.check_rights(cluster.url(database="template1"), LIMITS)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann@127.0.0.1:1/wallet",
        "postgresql://ann@/wallet?host=/nowhere",
        "postgresql://ann@nowhere.invalid/wallet",
        "postgresql://ann@127.0.0.1:1,127.0.0.1:2/wallet",
    ],
)
async def test_a_server_that_does_not_answer_is_away(url: str) -> None:
    with pytest.raises(Away):
        await proof.inspect(url, LIMITS, NOBODY_KNOWS)


async def test_a_standby_is_away_until_it_is_promoted(postgres: Postgres) -> None:
    postgres.stop()
    (postgres.cluster.directory / "standby.signal").touch()
    postgres.start()
    with pytest.raises(Away, match="it is a standby"):
        await proof.inspect(postgres.service_url, LIMITS, NOBODY_KNOWS)
    with pytest.raises(Away):
        await proof.inspect(f"{postgres.service_url}&target_session_attrs=read-write", LIMITS, NOBODY_KNOWS)
    execute(postgres.owner_url, "SELECT pg_promote()")
    assert (await proof.inspect(postgres.service_url, LIMITS, NOBODY_KNOWS)).unsafe == []


@pytest.mark.parametrize(
    ("role", "name", "said"),
    [
        ("nobody", "postgres", 'role "nobody" does not exist'),
        ("koshel", "nothing", 'database "nothing" does not exist'),
    ],
)
async def test_who_or_what_is_not_there_is_not_away(cluster: Cluster, role: str, name: str, said: str) -> None:
    with pytest.raises(Unfit, match=said):
        await proof.inspect(cluster.url(role, name), LIMITS, NOBODY_KNOWS)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://u@127.0.0.1:1/x", "127.0.0.1:1: Connection refused"),
        ("postgresql://u@127.0.0.1:1,127.0.0.1:2/x", "127.0.0.1:1, 127.0.0.1:2: Connection refused"),
        ("postgresql://u@localhost:1/x", "localhost:1: Connection refused"),
        ("postgresql://u@no.such.name.invalid:7/x", "no.such.name.invalid:7: "),
        ("postgresql://u@/x?host=/nowhere", "/nowhere: No such file or directory"),
    ],
)
async def test_a_server_that_cannot_be_reached_is_named_with_the_reason_in_words(url: str, said: str) -> None:
    with pytest.raises(Away) as away:
        await proof.inspect(url, LIMITS, NOBODY_KNOWS)
    assert str(away.value).startswith(said)
    assert not set("[(") & set(str(away.value))


async def test_a_database_in_another_encoding_is_refused_before_it_is_migrated(cluster: Cluster) -> None:
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE test_ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
        try:
            with pytest.raises(Unfit, match="encoding SQL_ASCII; Koshel needs UTF8"):
                await proof.check_before_migrating(cluster.url(database="test_ascii"), LIMITS)
        finally:
            connection.execute("DROP DATABASE test_ascii WITH (FORCE)")


async def test_migrations_of_a_newer_version_are_found(database: Database) -> None:
    execute(database.owner_url, f"INSERT INTO _yoyo_migration VALUES ('{'0' * 64}', '0099.of_tomorrow', now())")
    found = await proof.inspect(database.service_url, LIMITS, NOBODY_KNOWS)
    assert (found.due, found.unknown) == ([], ["0099.of_tomorrow"])
