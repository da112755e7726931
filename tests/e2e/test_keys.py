"""Keys over several workers: made, revoked and heard of within a second, and wrong ones harm nobody."""

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest

from bench.open_loop import POOL, Became, Stream, drive
from koshel import api_keys
from koshel.db.access.api_keys import NewKey
from koshel.http.rests import REST_MAX_S, UNKNOWN_PER_S
from tests.support.crowd import Crowd
from tests.support.database import Database
from tests.support.keyed import bearer, new_key, revoke
from tests.support.service import Running, serving
from tests.support.waiting import wait_until

pytestmark = pytest.mark.alone
HEARD_WITHIN_S = 1.0
PAID_PER_S = 40
TURNS, TURN_S = 3, 1.0
NOISE_MS = 3.0  # what a busy machine adds to either
STATISTICS_S = 1.2  # until PostgreSQL has counted what each connection did


@pytest.fixture
def service(database: Database) -> Iterator[Running]:
    with serving(database.service_url, workers="2") as service:
        assert service.call("POST", "/account", {"email": "ann@example.com", "max_balance": None}).status == 201
        yield service


@pytest.fixture
def crowd(service: Running) -> Iterator[Crowd]:
    crowd = Crowd(service)
    yield crowd
    crowd.close()


def make(database: Database, scope: str = "write") -> NewKey:
    return asyncio.run(new_key(database.service_url, scope))


def listeners(database: Database) -> list[int]:
    with psycopg.connect(database.owner_url) as connection:
        where = "application_name LIKE '%keys' AND datname = current_database()"
        return [pid for (pid,) in connection.execute(f"SELECT pid FROM pg_stat_activity WHERE {where}".encode())]


def test_the_first_key_and_its_revocation_reach_every_worker_within_a_second(crowd: Crowd, database: Database) -> None:
    assert crowd.statuses() == {201}
    key = make(database)
    assert crowd.wait_for(401) < HEARD_WITHIN_S
    assert crowd.statuses(bearer(key.text)) == {201}
    asyncio.run(revoke(database.service_url, key))
    assert crowd.wait_for(401, bearer(key.text)) < HEARD_WITHIN_S
    assert crowd.statuses() == {401}, "that all keys are revoked opens nothing"


def test_a_revocation_is_obeyed_though_the_connection_that_hears_of_it_was_lost(
    crowd: Crowd, database: Database
) -> None:
    key = make(database)
    crowd.wait_for(401)
    assert crowd.statuses(bearer(key.text)) == {201}
    pids = listeners(database)
    assert len(pids) == 2
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int []) AS lost (pid)", [pids])
        # By hand, so that nobody is told: what is remembered was forgotten, since something may have been missed.
        connection.execute("UPDATE koshel.api_key SET revoked_at = now()")
    assert crowd.wait_for(401, bearer(key.text)) < 2
    deadline = time.monotonic() + 10
    while len(listeners(database)) < 2 or set(listeners(database)) & set(pids):
        assert time.monotonic() < deadline, "they listen again"
        time.sleep(0.05)
    other = make(database)
    assert crowd.wait_for(201, bearer(other.text)) < HEARD_WITHIN_S


def test_a_key_expires_and_its_successor_is_good(crowd: Crowd, database: Database, service: Running) -> None:
    admin = make(database, "admin")
    crowd.wait_for(401)
    own = {"Authorization": f"Bearer {admin.text}"}
    old = service.call("POST", "/key", {"scope": "write", "expires_in": 3_600}, **own).body
    assert crowd.statuses(bearer(old["key"])) == {201}
    new = service.call("POST", f"/key/{old['id']}/rotate", {"overlap": 2}, **own).body
    assert crowd.statuses(bearer(old["key"])) == crowd.statuses(bearer(new["key"])) == {201}
    assert 0.5 < crowd.wait_for(401, bearer(old["key"])) < 3
    assert crowd.statuses(bearer(new["key"])) == {201}


def test_the_use_of_a_key_is_noted(crowd: Crowd, database: Database) -> None:
    key = make(database)
    crowd.wait_for(401)
    crowd.statuses(bearer(key.text))
    deadline = time.monotonic() + 15
    used = "SELECT last_used_at > ctime FROM koshel.api_key"
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        while connection.execute(used.encode()).fetchone() != (True,):
            assert time.monotonic() < deadline
            time.sleep(0.1)


UNKNOWN = api_keys.make()
WRONG: dict[str, Callable[[], str]] = {
    "misspelt": lambda: "koshel_live_" + "0" * 49,
    "unknown": lambda: UNKNOWN,
    "new each time": api_keys.make,
}
ASKED = {"misspelt": 0.05, "unknown": 0.05, "new each time": 0.4}  # statements for each request at most


def statements(database: Database) -> int:
    """How many there have been, each of them a transaction."""
    time.sleep(STATISTICS_S)
    with psycopg.connect(database.owner_url) as connection:
        query = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
        (count,) = connection.execute(query.encode()).fetchone() or (0,)
        return int(count)


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_keys_by_the_thousand_harm_nobody(database: Database, service: Running, wrong: str) -> None:
    service.call("POST", "/account", {"email": "bob@example.com"})
    for id_ in (1, 2):
        assert service.call("POST", f"/account/{id_}/payment", {"amount": "100"}).status == 201
    authorization = f"\r\nAuthorization: Bearer {make(database).text}"
    wait_until(lambda: service.call("GET", "/account/1").status == 401, "keys are asked for")
    good = Stream("good", service.port, PAID_PER_S, TURN_S, 0.0, 20, authorization, (1, 2))
    alone, beside, refused = [], [], 0
    counts = [statements(database)]
    for _ in range(TURNS):
        alone.append(drive([good])["good"])
        counts.append(statements(database))
        tokens = [WRONG[wrong]() for _ in range(POOL)]
        many = Stream("wrong", service.port, 0, TURN_S, 0.0, 200, accounts=(1, 2), tokens=tokens)
        became = drive([good, many])
        counts.append(statements(database))
        beside.append(became["good"])
        assert became["wrong"].refused.keys() <= {"401", "503"}
        refused += became["wrong"].refused.get("401", 0)
    assert all(one.refused == {} for one in (*alone, *beside)), "who has a right key is never refused"
    assert medians(beside) < 2 * medians(alone) + NOISE_MS, "and hardly waits longer"
    assert 500 < refused < 2 * UNKNOWN_PER_S * TURNS * (TURN_S + REST_MAX_S), "by each worker, so many a second"
    before, meanwhile = (sum(counts[n + 1] - counts[n] for n in range(turn, 2 * TURNS, 2)) for turn in (0, 1))
    assert meanwhile - before < refused * ASKED[wrong], "many are looked up by one statement, or none is"


def medians(turns: list[Became]) -> float:
    return statistics.median(one.p50_ms for one in turns)


def test_where_keys_are_wanted_and_there_is_none_nobody_may_do_anything(database: Database) -> None:
    with serving(database.service_url, auth="keys", workers="1") as service:
        assert service.call("GET", "/account/1").status == 401
        assert service.call("GET", "/health/ready").status == 200
        key = make(database, "read")
        deadline = time.monotonic() + HEARD_WITHIN_S
        while service.call("GET", "/account/1", Authorization=f"Bearer {key.text}").status != 404:
            assert time.monotonic() < deadline
