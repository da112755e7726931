"""Row-level security is made, kept and lifted by the owner, and the start proves that it holds the service."""

from collections.abc import Iterator

import psycopg
import pytest

from koshel.db.errors import Unfit
from koshel.db.namespace import Wish
from koshel.db.pools import TimeLimits
from koshel.db.server import embedded
from koshel.db.server.embedded import Cluster
from koshel.db.starting import policies, proof
from koshel.db.starting.migrate import MigrationError, migrate
from koshel.db.store import StoreConfig, open_store
from koshel.db.verifying.verify import verify
from koshel.settle import settle
from tests.support import confined as support
from tests.support.bookkeeping import execute
from tests.support.clone import cloned
from tests.support.database import Database
from tests.support.settled import open_accounts, opening, query, refusals
from tests.support.wallets import payment

LIMITS = TimeLimits()
NOBODY_KNOWS = frozenset[str]()
TURNS: tuple[tuple[Wish, bool], ...] = ((None, False), ("on", True), (None, True), ("off", False), (None, False))


async def test_it_is_switched_on_and_off_and_stays_as_it_is_where_nothing_is_said(cluster: Cluster) -> None:
    with cloned(cluster, "test_row_security_switched") as database:
        for wish, is_on in TURNS:
            migrate(database.owner_url, service_role=embedded.SERVICE, row_security=wish)
            async with open_store(StoreConfig(database.service_url)) as store:
                (account,) = await open_accounts(store, opening())
                assert refusals(await settle(store, [payment(account, "1")])) == [None]
                assert store.namespace.is_confined is is_on
        assert verify(database.owner_url) == []
        assert query(database, "SELECT count(*) FROM pg_policy") == [(0,)]
        assert query(database, "SELECT count(*) FROM pg_class WHERE relrowsecurity") == [(0,)]


async def test_a_table_that_a_later_migration_makes_is_covered_and_until_then_the_start_refuses(
    cluster: Cluster,
) -> None:
    with support.confined(cluster, "test_row_security_later") as database:
        await proof.check_rights(database.service_url, LIMITS)
        execute(database.owner_url, "CREATE TABLE koshel.later (ledger_id bigint, id bigint)")
        await proof.check_rights(database.service_url, LIMITS)
        execute(database.owner_url, f"GRANT SELECT ON koshel.later TO {embedded.SERVICE}")
        with pytest.raises(Unfit, match="has no policy of its own on later"):
            await proof.check_rights(database.service_url, LIMITS)
        migrate(database.owner_url, service_role=embedded.SERVICE)
        await proof.check_rights(database.service_url, LIMITS)


def test_what_is_as_it_should_be_is_left_alone(cluster: Cluster) -> None:
    """So that a start takes no lock on any table."""
    with support.confined(cluster, "test_policies_twice") as database:
        with psycopg.connect(database.owner_url) as reader:
            reader.execute("SELECT FROM koshel.account")  # whoever alters the table waits for this
            migrate(database.owner_url, service_role=embedded.SERVICE, row_security="on", lock_timeout_ms=50)
        before = query(database, "SELECT oid FROM pg_policy ORDER BY 1")
        migrate(database.owner_url, service_role=embedded.SERVICE)
        assert query(database, "SELECT oid FROM pg_policy ORDER BY 1") == before != []


@pytest.fixture
def other(cluster: Cluster) -> Iterator[str]:
    """A role that is dropped at the end, with its policies."""
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("CREATE ROLE test_other LOGIN")
        yield "test_other"
        connection.execute("DROP ROLE test_other")


@pytest.fixture
def secured(cluster: Cluster, other: str) -> Iterator[Database]:
    """A database with row-level security, which another role may be given rights in."""
    assert other
    with support.confined(cluster, "test_policies") as database:
        yield database


async def test_each_role_of_the_service_is_held(secured: Database, other: str) -> None:
    migrate(secured.owner_url, service_role=other)
    for url in (secured.service_url, secured.service_url.replace(f"{embedded.SERVICE}@", f"{other}@")):
        found = await proof.inspect(url, LIMITS, NOBODY_KNOWS, row_security="on")
        assert found.role in url


async def test_the_owner_of_the_tables_is_no_role_that_it_holds(secured: Database) -> None:
    with pytest.raises(
        Unfit, match=r"does not hold the role .*, which is a superuser: let the service log in as a role"
    ):
        await proof.inspect(secured.owner_url, LIMITS, NOBODY_KNOWS)


@pytest.mark.parametrize(
    ("rights", "reason"),
    [
        ("ALTER ROLE test_other BYPASSRLS", "has BYPASSRLS"),
        ("ALTER ROLE test_other SUPERUSER", "is a superuser"),
        ("ALTER TABLE koshel.hold OWNER TO test_other", "is, or is a member of, test_other, who owns the tables"),
        ("DROP POLICY koshel_service_confined ON koshel.hold", "has no policy of its own on hold"),
    ],
)
async def test_a_role_that_it_does_not_hold_is_refused_with_the_reason(
    secured: Database, other: str, rights: str, reason: str
) -> None:
    migrate(secured.owner_url, service_role=other)
    execute(secured.owner_url, rights)
    url = secured.service_url.replace(f"{embedded.SERVICE}@", f"{other}@")
    with pytest.raises(Unfit, match=reason):
        await proof.inspect(url, LIMITS, NOBODY_KNOWS)


async def test_a_table_whose_policy_is_gone_is_not_taken_for_one_without_row_level_security(secured: Database) -> None:
    execute(secured.owner_url, "DROP POLICY koshel_service_confined ON koshel.account")
    with pytest.raises(Unfit, match="has no policy of its own on account:"):
        await proof.inspect(secured.service_url, LIMITS, NOBODY_KNOWS)
    migrate(secured.owner_url)
    await proof.inspect(secured.service_url, LIMITS, NOBODY_KNOWS)


async def test_a_policy_that_lets_the_service_see_more_is_refused(secured: Database) -> None:
    execute(secured.owner_url, "CREATE POLICY more ON koshel.hold USING (true)")
    with pytest.raises(Unfit, match="may see more by the policy more on hold"):
        await proof.inspect(secured.service_url, LIMITS, NOBODY_KNOWS)


async def test_what_is_asked_for_and_not_there_is_refused(database: Database, secured: Database) -> None:
    with pytest.raises(Unfit, match="has no policy of its own on account, account_change, api_key, batch"):
        await proof.inspect(database.service_url, LIMITS, NOBODY_KNOWS, row_security="on")
    with pytest.raises(Unfit, match=r"KOSHEL_ROW_SECURITY is off, .*`koshel migrate --row-security off`"):
        await proof.inspect(secured.service_url, LIMITS, NOBODY_KNOWS, row_security="off")
    for wish in ("on", None):
        await proof.inspect(secured.service_url, LIMITS, NOBODY_KNOWS, row_security=wish)


def test_without_a_role_of_the_service_there_is_nobody_to_hold(cluster: Cluster) -> None:
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE test_policies_alone")
        try:
            with pytest.raises(MigrationError, match=r"holds no owner of the tables: .* by --service-role"):
                migrate(cluster.url(database="test_policies_alone"), row_security="on")
        finally:
            connection.execute("DROP DATABASE test_policies_alone WITH (FORCE)")


async def test_what_is_somebody_elses_in_the_same_schema_is_left_alone(database: Database) -> None:
    execute(
        database.owner_url,
        "CREATE TABLE koshel.orders (ledger_id bigint)",
        "GRANT SELECT ON koshel.orders TO PUBLIC",
        "ALTER TABLE koshel.currency ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY theirs ON koshel.currency USING (true)",
    )
    wishes: tuple[Wish, ...] = ("on", "off")
    for wish in wishes:
        migrate(database.owner_url, service_role=embedded.SERVICE, row_security=wish)
        assert query(database, "SELECT relname FROM pg_class WHERE relname = 'orders' AND relrowsecurity") == []
        await proof.inspect(database.service_url, LIMITS, NOBODY_KNOWS, row_security=wish)
    assert query(database, "SELECT polname FROM pg_policy") == [("theirs",)]
    assert query(database, "SELECT relname FROM pg_class WHERE relrowsecurity") == [("currency",)]


def test_a_database_without_tables_has_nothing_to_secure(cluster: Cluster) -> None:
    with psycopg.connect(cluster.url(database="postgres")) as connection:
        policies.secure(connection, "nowhere", "on")
