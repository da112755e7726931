"""Keys over several workers: made, revoked and heard of within a second, and wrong ones harm nobody."""

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from koshel import api_keys
from koshel.db.access.api_keys import NewKey
from tests.support.crowd import CONNECTIONS, LOADED_S, PAYMENT, Crowd
from tests.support.database import Database
from tests.support.keyed import Client, bearer, new_key, revoke
from tests.support.service import Running, serving

pytestmark = pytest.mark.alone
HEARD_WITHIN_S = 1.0


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


@pytest.mark.parametrize("wrong", ["misspelt", "unknown", "new each time"])
def test_wrong_keys_by_the_thousand_harm_nobody(crowd: Crowd, database: Database, service: Running, wrong: str) -> None:
    key = make(database)
    crowd.wait_for(401)
    good = Client(service.port)

    def took(seconds: float) -> float:
        """The median of payments, one after another for so long, each of them good."""
        times, ends = [], time.perf_counter() + seconds
        while time.perf_counter() < ends:
            began = time.perf_counter()
            assert good.ask("POST", "/account/1/payment", PAYMENT, bearer(key.text)).status == 201
            times.append(time.perf_counter() - began)
        return statistics.median(times)

    unknown = api_keys.make()
    keys: dict[str, Callable[[], str]] = {
        "misspelt": lambda: "koshel_live_" + "0" * 49,
        "unknown": lambda: unknown,
        "new each time": api_keys.make,
    }
    took(0.2)
    sent, refused = 0, True
    with ThreadPoolExecutor(1) as pool:
        paid = pool.submit(took, LOADED_S)
        while not paid.done():
            statuses = crowd.statuses(bearer(keys[wrong]()))
            sent, refused = sent + CONNECTIONS, refused and statuses <= {401, 503}
    good.close()
    assert refused
    assert sent >= 100, "each connection rests a moment after each refusal"
    assert paid.result() < 1, "as fast as the machine lets it, and never refused"


def test_where_keys_are_wanted_and_there_is_none_nobody_may_do_anything(database: Database) -> None:
    with serving(database.service_url, auth="keys", workers="1") as service:
        assert service.call("GET", "/account/1").status == 401
        assert service.call("GET", "/health/ready").status == 200
        key = make(database, "read")
        deadline = time.monotonic() + HEARD_WITHIN_S
        while service.call("GET", "/account/1", Authorization=f"Bearer {key.text}").status != 404:
            assert time.monotonic() < deadline
