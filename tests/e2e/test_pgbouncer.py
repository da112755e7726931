"""Behind PgBouncer: by session all is as without it; by transaction or by statement the start refuses, and says why."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from koshel.db.pools import TimeLimits, connect
from koshel.db.server.embedded import Cluster
from koshel.db.url import parse
from koshel.db.verifying.verify import verify
from tests.support import command
from tests.support.database import Database
from tests.support.load import loading, open_accounts
from tests.support.outage import Postgres, own_postgres
from tests.support.pgbouncer import pooling
from tests.support.proof import prove
from tests.support.service import serving, waiting

ANSWERS = 300


def _name(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


async def test_by_session_everything_works(cluster: Cluster, database: Database, tmp_path: Path) -> None:
    with pooling(cluster, tmp_path, "session") as pooler:
        url = pooler.url(database=_name(database.service_url))
        with serving(url) as service:
            account_ids = await asyncio.to_thread(open_accounts, service, 5)
            async with loading(service.url, account_ids) as load:
                await load.more(ANSWERS)
                await load.finish()
        prove(load, database.owner_url)
        assert verify(url) == []


async def test_by_session_the_limits_hold_that_were_set(cluster: Cluster, database: Database, tmp_path: Path) -> None:
    limits = TimeLimits(statement_timeout_ms=4_321, lock_timeout_ms=1_234)
    wanted = {
        "statement_timeout": "4321ms",
        "lock_timeout": "1234ms",
        "idle_in_transaction_session_timeout": "5s",
        "TimeZone": "UTC",
        "enable_seqscan": "off",
        "application_name": "koshel test",
    }
    with pooling(cluster, tmp_path, "session") as pooler:
        connection = await connect(parse(pooler.url(database=_name(database.service_url))), limits, "test")
        try:
            assert {name: await connection.fetchval(f"SHOW {name}") for name in wanted} == wanted
        finally:
            await connection.close()


def test_a_shell_opens_behind_it_too(cluster: Cluster, database: Database, tmp_path: Path) -> None:
    """PgBouncer refuses the option by which psql is told where the tables are; then psql is not told."""
    with pooling(cluster, tmp_path, "session") as pooler:
        url = pooler.url(database=_name(database.service_url))
        ended = command.run("psql", "-X", "-A", "-t", "-c", "SELECT count(*) FROM koshel.ledger", database_url=url)
        assert (ended.returncode, ended.stdout) == (0, "1\n")


@pytest.mark.parametrize("round_robin", [False, True])
@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_by_anything_less_it_is_refused_in_one_line(
    cluster: Cluster, database: Database, tmp_path: Path, mode: str, *, round_robin: bool
) -> None:
    with pooling(cluster, tmp_path, mode, round_robin=round_robin) as pooler:
        for run in (["serve", "--port", "0"], ["migrate"]):
            ended = command.run(*run, database_url=pooler.url(database=_name(database.service_url)), log_level="error")
            assert (ended.returncode, ended.stdout) == (1, "")
            assert ended.stderr.startswith("koshel: a pooler before the database deals out its connections")
            assert "pool_mode = session" in ended.stderr
            assert ended.stderr.count("\n") == 1


@pytest.fixture
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with own_postgres(tmp_path_factory.mktemp("behind")) as postgres:
        yield postgres


def test_a_database_that_is_away_behind_its_pooler_is_waited_for(postgres: Postgres, tmp_path: Path) -> None:
    postgres.stop()
    with (
        pooling(postgres.cluster, tmp_path, "session") as pooler,
        waiting(pooler.url(), tmp_path / "log") as service,
    ):
        assert service.call("GET", "/health/ready").status == 503
        postgres.start()
        service.wait_until_ready()
        assert len(open_accounts(service, 1)) == 1
