"""The metrics against what was done: over two workers, of which one is killed and the other replaced."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from koshel import api_keys
from tests.support import command
from tests.support.database import Database
from tests.support.outage import own_postgres
from tests.support.scraped import Scraped, scrape
from tests.support.service import Answer, Running, serving
from tests.support.waiting import wait_until

ACCOUNTS = 4
CALLERS = 16  # connections: of two workers each gets some
MOVES = 60


class Done:
    """Does things, and keeps a tally of its own."""

    def __init__(self, service: Running) -> None:
        self.service = service
        self.requests: Counter[tuple[str, str]] = Counter()
        self.problems: Counter[str] = Counter()

    def call(self, route: str, /, *ids: int, body: object = None, query: str = "", **headers: str) -> Answer:
        """One request to a route, whose braces stand for the ids."""
        method, path = route.split(" ")
        for one in ids:
            path = path.replace("{id}", str(one), 1)
        answer = self.service.call(method, path + query, body, **headers)
        self.requests[route.replace("HEAD", "GET"), str(answer.status)] += 1
        if answer.headers.get("Content-Type") == "application/problem+json" and method != "HEAD":
            self.problems[answer.body["code"]] += 1
        return answer

    def move(self, number: int) -> int:
        """A transfer; every other one is not plain, so that aiohttp answers it."""
        body = {"source_account_id": 1 + number % 2, "target_account_id": 3 + number % 2, "amount": "0.01"}
        odd = {"X_Odd": "x"} if number % 2 else {}
        return self.call("POST /transaction", body=body, **odd).status


@pytest.fixture
def service(database: Database) -> Iterator[Running]:
    with serving(database.service_url, workers="2", background_poll_ms="100", access_log="false") as service:
        wait_until(lambda: len(service.workers()) == 2, "two workers")
        yield service


def do_everything(done: Done) -> None:
    """Some of each thing, in the order in which it can be."""
    for _ in range(ACCOUNTS):
        assert done.call("POST /account", body={"email": "ann@example.com"}).status == 201
    for one in range(1, 3):
        done.call("POST /account/{id}/payment", one, body={"amount": "100"}, Idempotency_Key=f"pay-{one}")
        done.call("POST /account/{id}/payment", one, body={"amount": "100"}, Idempotency_Key=f"pay-{one}")
    done.call("POST /account/{id}/withdrawal", 3, body={"amount": "1"})
    done.call("POST /account/{id}/withdrawal", 1, body={"amount": "1"}, query="?dry_run=true")
    done.call("POST /account/{id}/withdrawal", 1, body={"amount": "one"})
    member = {"source_account_id": 1, "target_account_id": 2, "amount": "1"}
    poor = {**member, "source_account_id": 4}
    for atomic, members in ((True, [member] * 3), (False, [member, poor, member]), (True, [member, poor])):
        done.call("POST /transaction/batch", body={"atomic": atomic, "transactions": members})
    hold = done.call("POST /transaction", body={**member, "hold": {}}).body["id"]
    done.call("POST /transaction/{id}/capture", hold, body={"amount": "0.50", "final": False})
    done.call("POST /transaction/{id}/void", hold)
    queued = done.call("POST /transaction", body=member, Prefer="respond-async").body["id"]
    late = done.call("POST /transaction", body={**member, "hold": {"expires_in": 1}}).body["id"]
    is_over = {"posted": queued, "expired": late}
    for status, one in is_over.items():
        wait_until(lambda: done.call("GET /transaction/{id}", one).body["status"] == status, status)  # noqa: B023
    done.call("GET /account/{id}", 99)
    done.call("HEAD /account/{id}", 1)


def agreed(done: Done) -> Scraped:
    """A scrape with the requests that were done. An answer may be read a moment before it is counted."""
    wait_until(lambda: scrape(done.service).requests() == done.requests, f"{done.requests}")
    return scrape(done.service)


def settled(scraped: Scraped) -> dict[str, dict[str, float]]:
    return {
        "transactions": scraped.series("koshel_transactions_total", "kind"),
        "refusals": scraped.series("koshel_refusals_total", "code"),
        "replays": {"": scraped.value("koshel_replays_total")},
    }


def kinds(database: Database) -> dict[str, float]:
    with psycopg.connect(database.owner_url) as connection:
        return dict(connection.execute("SELECT kind, count(*) FROM transaction GROUP BY kind").fetchall())


def test_the_numbers_are_those_of_what_was_done_whoever_died(service: Running, database: Database) -> None:
    done = Done(service)
    do_everything(done)
    before = agreed(done)
    assert before.series("koshel_http_problems_total", "code") == done.problems
    assert settled(before) == {
        "transactions": kinds(database),
        "refusals": {"insufficient-funds": 3, "batch-refused": 1},
        "replays": {"": 2},
    }

    with ThreadPoolExecutor(CALLERS) as callers:
        assert set(callers.map(done.move, range(MOVES))) == {201}
    first = service.workers()
    os.kill(first[0], signal.SIGKILL)
    wait_until(lambda: scrape(service).value("koshel_worker_starts_total") == 3, "another worker")
    killed = agreed(done)
    assert settled(killed)["transactions"] == kinds(database)
    assert killed.value("koshel_workers") == 2

    service.process.send_signal(signal.SIGHUP)
    wait_until(lambda: not {*service.workers()} & {*first}, "workers that are all new")
    wait_until(lambda: scrape(service).value("koshel_workers") == 2, "two workers")
    with ThreadPoolExecutor(CALLERS) as callers:
        assert set(callers.map(done.move, range(MOVES))) == {201}
    last = agreed(done)
    assert settled(last)["transactions"] == kinds(database)
    assert last.value("koshel_worker_starts_total") == 5


def test_a_histogram_has_as_many_observations_as_there_were(service: Running) -> None:
    done = Done(service)
    for _ in range(ACCOUNTS):
        done.call("POST /account", body={"email": "ann@example.com"})
    done.call("POST /account/{id}/payment", 1, body={"amount": "100"})
    done.call("POST /account/{id}/payment", 2, body={"amount": "100"})
    with ThreadPoolExecutor(CALLERS) as callers:
        assert set(callers.map(done.move, range(MOVES))) == {201}
    now = agreed(done)
    for route in ("POST /account", "POST /transaction"):
        count = sum(number for (name, _), number in done.requests.items() if name == route)
        name = "koshel_http_request_duration_seconds"
        assert now.value(f"{name}_count", route=route) == count
        assert now.value(f"{name}_bucket", route=route, le="+Inf") == count
        assert 0 < now.value(f"{name}_sum", route=route) < count * 10
    batches = now.value("koshel_batch_commands_count")
    assert now.value("koshel_batch_commands_sum") == ACCOUNTS + 2 + MOVES
    assert 0 < batches <= ACCOUNTS + 2 + MOVES
    assert now.value("koshel_queue_wait_seconds_count") == batches
    for step in ("resolve", "lock", "decide", "write", "commit"):
        assert now.value("koshel_batch_step_seconds_count", step=step) == batches
        assert now.value("koshel_batch_step_seconds_sum", step=step) > 0


def test_what_is_now_is_said_of_all_workers(service: Running) -> None:
    wait_until(lambda: scrape(service).value("koshel_workers") == 2, "two workers")
    now = scrape(service)
    assert sum(now.value("koshel_pool_connections", pool="read", state=state) for state in ("idle", "used")) >= 1
    assert now.value("koshel_worker_memory_bytes") > 20_000_000
    assert now.value("koshel_worker_cpu_seconds_total") > 0
    assert now.value("koshel_http_connections") >= 1
    assert now.value("koshel_http_connections_opened_total") >= 2
    assert (now.value("koshel_database_up"), now.value("koshel_database_durable")) == (1, 1)
    assert now.value("koshel_schema_current") == 1


def test_an_operator_who_was_known_scrapes_on_while_the_database_is_away(tmp_path: Path) -> None:
    with own_postgres(tmp_path / "data") as postgres:
        made = command.run("key", "create", "--scope", "admin", database_url=postgres.owner_url)
        bearer = f"Bearer {made.stdout.strip()}"
        with serving(postgres.service_url, workers="1") as service:
            assert scrape(service, authorization=bearer).value("koshel_database_up") == 1
            postgres.stop()
            wait_until(
                lambda: service.call("GET", "/account/1", Authorization=bearer).status == 503, "the key is not trusted"
            )
            assert scrape(service, authorization=bearer).value("koshel_database_up") == 0
            unknown = f"Bearer {api_keys.make()}"
            assert service.call("GET", "/metrics", Authorization=unknown).status == 503
            postgres.start()
            wait_until(lambda: scrape(service, authorization=bearer).value("koshel_database_up") == 1, "it is back")
