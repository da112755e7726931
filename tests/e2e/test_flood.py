"""One key that floods waits for itself, and more load than there can be is refused at once: both over real processes.

The figures are generous, as a test's machine has other things to do; `python -m bench --only overload flood` measures.
"""

import os
import signal
from collections.abc import Iterator, Sequence

import pytest

from bench import machine
from bench.open_loop import Became, Stream, drive
from koshel.db.verifying.verify import verify
from tests.support import command
from tests.support.outage import Postgres, own_postgres
from tests.support.service import Running, serving
from tests.support.waiting import wait_until

pytestmark = pytest.mark.alone
ACCOUNTS = 20
LASTS_S = 4.0
QUIET = 3  # callers
SINCE_S = 15  # at most, between two loads
SMALL = {"queue_max": "60", "batch_max": "50"}  # so that a flood is one


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with own_postgres(tmp_path_factory.mktemp("flood")) as postgres:
        with serving(postgres.service_url) as service:
            for number in range(1, ACCOUNTS + 1):
                opened = service.call("POST", "/account", {"email": "ann@example.com", "max_balance": None})
                assert opened.body["id"] == number
                paid = service.call("POST", f"/account/{number}/payment", {"amount": "1000000"})
                assert paid.status == 201
        yield postgres
        assert verify(postgres.owner_url) == []


def stream(name: str, service: Running, per_s: float, ends_s: float, *, connections: int, key: str = "") -> Stream:
    headers = f"\r\nAuthorization: Bearer {key}" if key else ""
    return Stream(name, service.port, per_s, ends_s, 0.0, connections, headers, (1, ACCOUNTS))


def created_key(postgres: Postgres) -> str:
    made = command.run("key", "create", "--scope", "write", database_url=postgres.owner_url)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def test_more_than_can_be_settled_is_refused_at_once_and_after_it_all_are_settled_again(postgres: Postgres) -> None:
    with serving(postgres.service_url, workers="1", queue_target_ms="50") as service:
        drive([stream("before", service, 50, 1, connections=20)])
        (worker,) = service.workers()
        before_mb = machine.resident_mb(worker)
        over = drive([stream("over", service, 0, LASTS_S, connections=1_500)])["over"]
        after = drive([stream("after", service, 50, 3, connections=20)])["after"]
        assert machine.resident_mb(worker) < before_mb + 40
    assert over.refused.keys() == {"503"}
    assert over.made > 500, "and what can be settled is"
    assert over.p99_ms < 5_000, "nobody waits as long as queue_timeout_ms"
    assert after.refused == {}


def test_of_one_that_floods_the_others_notice_little_and_are_not_refused(postgres: Postgres) -> None:
    keys = [created_key(postgres) for _ in range(QUIET + 1)]
    with serving(postgres.service_url, **SMALL) as service:
        quiet = [
            stream(f"quiet-{number}", service, 20, LASTS_S, connections=10, key=key)
            for number, key in enumerate(keys[1:])
        ]
        flood = stream("flood", service, 0, LASTS_S, connections=300, key=keys[0])
        alone = drive(quiet)
        beside = drive([flood, *quiet])
    assert beside["flood"].refused.keys() == {"503"}
    assert beside["flood"].made > 200, "it has what the others leave"
    for one in quiet:
        assert alone[one.name].refused == beside[one.name].refused == {}
        assert beside[one.name].made > 0.9 * 20 * LASTS_S
    assert worst(beside, quiet) < 10 * worst(alone, quiet) + 1_000


def worst(became: dict[str, Became], streams: Sequence[Stream]) -> float:
    return max(became[one.name].p99_ms for one in streams)


def test_a_rate_is_that_of_all_workers_and_stays_so_when_one_of_them_dies(postgres: Postgres) -> None:
    key, other = created_key(postgres), created_key(postgres)
    with serving(postgres.service_url, rate_per_key="1", rate_window_s="30") as service:
        first = drive([stream("first", service, 100, 1, connections=40, key=key)])["first"]
        assert first.refused.keys() == {"429"}
        assert 30 <= first.made <= 30 + SINCE_S
        os.kill(service.workers()[0], signal.SIGKILL)
        wait_until(lambda: len(service.workers()) == 2, "another worker took its seat")
        service.wait_until_ready()
        again = drive([stream("again", service, 100, 1, connections=40, key=key)])["again"]
        assert again.made <= SINCE_S, "a new worker begins with no full bucket"
        unhurt = drive([stream("unhurt", service, 10, 1, connections=10, key=other)])["unhurt"]
        assert unhurt.refused == {}
