"""One key that floods waits for itself, and more load than there can be is refused at once: both over real processes.

The bounds are looser than what is aimed at, as a test's machine has other things to do, and compare with what the same
test measured a moment before; `python -m bench --only overload flood` measures.
"""

import os
import signal
from collections.abc import Iterator, Sequence
from statistics import median

import pytest

from bench import machine
from bench.open_loop import Became, Stream, drive
from koshel.db.verifying.verify import verify
from koshel.http.rests import REST_MAX_S
from tests.support import command
from tests.support.outage import Postgres, own_postgres
from tests.support.service import Running, serving
from tests.support.waiting import wait_until

pytestmark = pytest.mark.alone
ACCOUNTS = 20
LASTS_S = 4.0
BEST_S = 2.0
OFFERED = 3  # times what is settled at best
ATTEMPTS = 3  # the machine may have something else to do during some of them
GOODPUT = 0.6  # of the best, at least; measured alone it is 0.85 and more
QUIET = 3  # callers
QUIET_PER_S = 60  # requests of each
TURNS = 3  # with a flood, and without
NOTICED = 3  # times the p99 alone, at most; measured alone it is twice
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


def overload(service: Running) -> float:
    """The least part of the best rate that is settled, of three times that load and right after it."""
    as_fast = stream("as fast as can be", service, 0, BEST_S, connections=100)
    best = max(drive([as_fast])[as_fast.name].made for _ in range(2)) / BEST_S
    (worker,) = service.workers()
    before_mb = machine.resident_mb(worker)
    over = drive([stream("over", service, OFFERED * best, LASTS_S, connections=1_500)])["over"]
    after = drive([as_fast])[as_fast.name]  # it begins as soon as its process has: within the two seconds
    assert machine.resident_mb(worker) < before_mb + 40
    assert over.refused.keys() == {"503"}
    assert over.p99_ms < 2_000 * REST_MAX_S, "a connection that was refused rests; nobody waits for queue_timeout_ms"
    assert after.refused == {}
    return min(over.made / LASTS_S, after.made / BEST_S) / best


def test_more_than_can_be_settled_is_refused_at_once_and_after_it_all_are_settled_again(postgres: Postgres) -> None:
    parts: list[float] = []
    with serving(postgres.service_url, workers="1", queue_target_ms="50") as service:
        while not parts or parts[-1] < GOODPUT:
            assert len(parts) < ATTEMPTS, parts
            parts.append(overload(service))


def test_of_one_that_floods_the_others_notice_little_and_are_not_refused(postgres: Postgres) -> None:
    keys = [created_key(postgres) for _ in range(QUIET + 1)]
    noticed: list[float] = []
    with serving(postgres.service_url, **SMALL) as service:
        quiet = [
            stream(f"quiet-{number}", service, QUIET_PER_S, BEST_S, connections=20, key=key)
            for number, key in enumerate(keys[1:])
        ]
        flood = stream("flood", service, 0, BEST_S, connections=300, key=keys[0])
        while not noticed or noticed[-1] > NOTICED:
            assert len(noticed) < ATTEMPTS, noticed
            noticed.append(beside_flood(flood, quiet))


def beside_flood(flood: Stream, quiet: Sequence[Stream]) -> float:
    """How many times as long the slowest of the others take beside the flood as without it."""
    turns = [(drive(quiet), drive([flood, *quiet])) for _ in range(TURNS)]
    alone, beside = zip(*turns, strict=True)
    for became in beside:
        assert became["flood"].refused.keys() == {"503"}
        assert became["flood"].made > 3 * QUIET * QUIET_PER_S * BEST_S, "it has what the others leave"
    for became in (*alone, *beside):
        for one in quiet:
            assert became[one.name].refused == {}
            assert became[one.name].made > 0.9 * QUIET_PER_S * BEST_S
    return median(worst(one, quiet) for one in beside) / median(worst(one, quiet) for one in alone)


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
