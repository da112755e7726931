"""kill -9 of everything before schedules are due and while they are executed: nothing is lost, or done twice."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from koshel.db.verifying.verify import verify
from tests.e2e.test_crash_queue import SLOW, SLOWLY, drain_some_and_crash, kill_everything, left, restartable, rows
from tests.support.outage import Postgres, own_postgres
from tests.support.racing import Racers, racers_of
from tests.support.service import start, stop
from tests.support.waiting import until

SCHEDULED = 200
CANCELLED = 20  # of these
HELD = 60
AHEAD = timedelta(seconds=4)


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with own_postgres(tmp_path_factory.mktemp("crash_schedules")) as postgres:
        yield postgres


async def _ask(racers: Racers, source: int, target: int, status: int, **more: Any) -> int:
    body = {"source_account_id": source, "target_account_id": target, "amount": "1"}
    reply = await racers.ask("POST", "/transaction", body | more)
    assert reply.status == status, reply
    return int(reply.body["id"])


async def test_schedules_survive_when_everything_is_killed_at_once(postgres: Postgres) -> None:
    with restartable() as services:
        services.append(await asyncio.to_thread(start, postgres.service_url, workers="2", **SLOWLY))
        async with racers_of(services[0].url) as racers:
            ann, bob = await racers.open("1000"), await racers.open("1")
            due = datetime.now(UTC) + AHEAD
            at = due.isoformat()
            ids = await asyncio.gather(*(_ask(racers, ann, bob, 202, execute_at=at) for _ in range(SCHEDULED)))
            terms = {"expires_in": 600, "capture_at": at}
            holds = await asyncio.gather(*(_ask(racers, ann, bob, 201, hold=terms) for _ in range(HELD)))
            for id_ in ids[:CANCELLED]:
                assert (await racers.ask("DELETE", f"/transaction/{id_}", None)).status == 200
            with psycopg.connect(postgres.owner_url) as connection:
                connection.execute(SLOW)
            assert datetime.now(UTC) < due, "all of it is asked for in time"
            assert left(postgres) == SCHEDULED - CANCELLED
        await asyncio.to_thread(kill_everything, postgres, services[0])
        postgres.start()
        await asyncio.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds()))
        services.append(await asyncio.to_thread(start, postgres.service_url, services[0].port, workers="2", **SLOWLY))
        await asyncio.to_thread(drain_some_and_crash, postgres, services[-1])
        services.append(await asyncio.to_thread(start, postgres.service_url, services[0].port, workers="2"))
        await until(lambda: left(postgres) == 0, "all is decided")
        await until(lambda: rows(postgres, "SELECT count(*) FROM hold") == [(0,)], "all is captured")
        async with racers_of(services[-1].url) as racers:
            moved = SCHEDULED - CANCELLED + HELD
            assert await racers.balances(ann, bob) == [f"{1000 - moved}.00", f"{1 + moved}.00"]
        assert stop(services[-1]) == 0
    posted = [id_ for (id_,) in rows(postgres, f"SELECT id FROM transaction WHERE id IN {(*ids,)}")]
    cancelled = [id_ for (id_,) in rows(postgres, "SELECT id FROM cancelled")]
    assert (sorted(posted), sorted(cancelled)) == (sorted(ids[CANCELLED:]), sorted(ids[:CANCELLED]))
    captured = rows(postgres, "SELECT parent_id FROM transaction WHERE kind = 'capture' ORDER BY parent_id")
    assert [id_ for (id_,) in captured] == sorted(holds)
    assert rows(postgres, f"SELECT count(*) FROM transaction WHERE ctime < '{at}' AND kind = 'capture'") == [(0,)]
    assert rows(postgres, f"SELECT count(*) FROM transaction WHERE ctime < '{at}' AND id IN {(*ids,)}") == [(0,)]
    assert verify(postgres.owner_url) == []
