"""The commands of roles that read a single ledger, and the setting by which the service is confined."""

from collections.abc import Iterator

import psycopg
import pytest

from koshel.db.server import embedded
from koshel.db.server.embedded import Cluster
from tests.support.bookkeeping import execute
from tests.support.clone import cloned
from tests.support.database import Database
from tests.support.ended import Koshel
from tests.support.settled import query

ROLE = "test_bookkeeper"


@pytest.fixture
def shop(cluster: Cluster, koshel: Koshel) -> Iterator[Database]:
    """A database with a ledger, and a role that may read it."""
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {ROLE}".encode())
        with cloned(cluster, "test_reader_commands") as database:
            koshel("ledger", "create", "shop", database_url=database.owner_url)
            yield database
        connection.execute(f"DROP ROLE {ROLE}".encode())


def test_a_role_reads_a_ledger_and_then_no_more(koshel: Koshel, shop: Database) -> None:
    granted = koshel("ledger", "grant", "shop", ROLE, database_url=shop.owner_url)
    assert (granted.status, granted.printed) == (0, f"{ROLE}: reads the ledger shop\n")
    sees = f"SELECT has_table_privilege('{ROLE}', 'koshel.account', 'SELECT')"
    assert query(shop, sees) == [(True,)]
    revoked = koshel("ledger", "revoke", "shop", ROLE, database_url=shop.owner_url)
    assert (revoked.status, revoked.printed) == (0, f"{ROLE}: reads the ledger shop no more\n")
    assert query(shop, sees) == [(False,)]
    again = koshel("ledger", "revoke", "shop", ROLE, database_url=shop.owner_url)
    assert (again.status, again.complained) == (
        1,
        f"koshel: the database role '{ROLE}' is not a reader of the ledger shop\n",
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("grant", "store", ROLE), "there is no ledger 'store'; `koshel ledger list` shows all"),
        (("revoke", "store", ROLE), "there is no ledger 'store'; `koshel ledger list` shows all"),
        (("grant", "shop", "nobody"), "there is no database role 'nobody'; make it first"),
    ],
)
def test_what_is_not_there_is_said(koshel: Koshel, shop: Database, arguments: tuple[str, ...], said: str) -> None:
    ended = koshel("ledger", *arguments, database_url=shop.owner_url)
    assert (ended.status, ended.complained) == (1, f"koshel: {said}\n")


def test_only_the_owner_lets_a_role_read(koshel: Koshel, shop: Database) -> None:
    ended = koshel("ledger", "grant", "shop", ROLE, database_url=shop.service_url)
    assert ended.status == 1
    assert "do it as the owner of the database" in ended.complained


def test_migrate_confines_the_service_and_lets_it_go(koshel: Koshel, shop: Database) -> None:
    confined = "SELECT count(*) > 0 FROM pg_policy WHERE polname = 'koshel_service_confined'"
    for wish, is_confined in (("on", True), (None, True), ("off", False)):
        flags = () if wish is None else ("--row-security", wish)
        ended = koshel("migrate", "--service-role", embedded.SERVICE, *flags, database_url=shop.owner_url)
        assert (ended.status, ended.printed) == (0, "The schema is current.\n")
        assert query(shop, confined) == [(is_confined,)]


def test_a_proof_by_a_role_that_is_confined_is_none(koshel: Koshel, shop: Database) -> None:
    koshel("migrate", "--service-role", embedded.SERVICE, row_security="on", database_url=shop.owner_url)
    ended = koshel("verify", database_url=shop.service_url)
    assert (ended.status, ended.printed) == (2, "")
    assert "do it as the owner of the database" in ended.complained
    assert koshel("verify", database_url=shop.owner_url).status == 0


def test_keys_and_personal_data_are_kept_as_a_role_that_is_confined(koshel: Koshel, shop: Database) -> None:
    koshel("migrate", "--service-role", embedded.SERVICE, row_security="on", database_url=shop.owner_url)
    execute(
        shop.owner_url,
        "INSERT INTO account (ledger_id, id, email, currency, scale, balance, held, version, min_balance, status,"
        " metadata, ctime) VALUES (2, 7, 'ann@example.com', 'USD', 2, 0.00, 0.00, 0, 0.00, 'closed', '{}', now())",
    )
    for arguments, printed in (
        (("ledger", "create", "store"), "store"),
        (("ledger", "rename", "store", "stall"), "stall"),
        (("key", "create", "--ledger", "shop", "--scope", "admin"), "koshel_live_"),
        (("key", "rotate", "1"), "koshel_live_"),
        (("key", "list"), "2\tshop"),
        (("key", "revoke", "2"), "2: revoked"),
        (("account", "erase", "7"), "7: its email and its metadata are erased"),
    ):
        ended = koshel(*arguments, database_url=shop.service_url)
        assert (ended.status, ended.printed[: len(printed)]) == (0, printed), ended
    assert query(shop, "SELECT count(*) FROM api_key WHERE revoked_at IS NOT NULL OR expires_at IS NOT NULL") == [(2,)]
    assert query(shop, "SELECT email FROM account") == [("erased@erased.invalid",)]
