"""A ledger sees nothing of another one: each of its ids is answered, byte for byte, as one that does not exist.

Every route of the table is asked, with the ids of the other ledger in its path, its query and its body, wherever a
field has the type of an id: a route that is added is covered without being named.
"""

import asyncio
import itertools
import json
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import psycopg
import pytest

from koshel.callers import Scope
from koshel.db.server.embedded import Cluster
from koshel.http.handlers.routes import ROUTES
from koshel.http.route import Route
from tests.support.clone import cloned
from tests.support.confined import confined
from tests.support.database import Database
from tests.support.id_places import PLACE, put, requests
from tests.support.keyed import OTHER_LANE, Client, Said, bearer, new_key, new_ledger
from tests.support.service import Running, serving

FIRST, FIRST_OF_THEIRS = 1_000_001, 2_000_001  # ids of each kind, so that all have as many digits
NEVER = 9_000_000  # ids that nothing has
TABLES = (
    *("account", "transaction", "hold", "queued", "declined", "cancelled", "receipt", "batch", "split", "api_key"),
    *("transaction_change", "account_change"),
)
CONFINED = [route for route in ROUTES if isinstance(route.scope, Scope)]
ROUNDS, ATTEMPTS = 40, 6
EXAMPLE = {"account": FIRST, "other": FIRST + 1}


class Ledgers(NamedTuple):
    """A service with two ledgers: our key, and what of the other one there is."""

    service: Running
    database: Database
    key: str
    own: Mapping[str, int]
    named: Mapping[str, int]  # what of the other one there is, by the names of what an id may be of
    theirs: Sequence[int]


class Business:
    """What one ledger has: by the names of what an id may be of."""

    def __init__(self, service: Running, key: str) -> None:
        self._service = service
        self._own = {"Authorization": f"Bearer {key}"}

    def post(self, path: str, body: Any, **headers: str) -> int:
        answer = self._service.call("POST", path, body, **self._own, **headers)
        assert answer.status in {201, 202}, answer
        return int(answer.body["id"])

    def open(self, first_id: int) -> dict[str, int]:
        """The names of the accounts are their ids, in digits."""
        account = {"email": "ann@example.com", "max_balance": None}
        ann, bob = (self.post("/account", {**account, "name": str(first_id + number)}) for number in range(2))
        assert (ann, bob) == (first_id, first_id + 1)
        sides = {"source_account_id": ann, "target_account_id": bob}
        paid = self.post(f"/account/{ann}/payment", {"amount": "100"}, Idempotency_Key="paid")
        hold = self.post("/transaction", {**sides, "amount": "5", "hold": {}})
        ended = self.post("/transaction", {**sides, "amount": "5", "hold": {}})
        captured = self.post(f"/transaction/{ended}/capture", {})
        queued = self.post("/transaction", {**sides, "amount": "1"}, Prefer="respond-async")
        declined = self.post("/transaction", {**sides, "amount": "999"}, Prefer="respond-async")
        key = self.post("/key", {"scope": "read"})
        transactions = {"paid": paid, "hold": hold, "ended": ended, "captured": captured}
        legs = {"targets": [{"target_account_id": bob, "share": "100%"}], "amount": "1", "hold": {}}
        made = self._service.call("POST", "/transaction", {"source_account_id": ann, **legs}, **self._own)
        ids = {"queued": queued, "declined": declined, "key": key, "split": int(made.body["group_id"])}
        return {"account": ann, "other": bob, **transactions, **ids}


def begin_ids(database: Database, first: int) -> None:
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        for sequence in ("account_id", "transaction_id", "group_id", "api_key_id"):
            connection.execute(f"ALTER SEQUENCE koshel.{sequence} RESTART {first}".encode())


@pytest.fixture(scope="module", params=[cloned, confined], ids=["by the statements", "by PostgreSQL too"])
def ledgers(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Ledgers]:
    with request.param(cluster, "confinement_tests") as database:
        begin_ids(database, FIRST)

        async def make() -> tuple[str, str]:
            shop = await new_ledger(database.service_url, "shop")
            ours = await new_key(database.service_url, "admin", ledger_id=shop.id)
            return ours.text, (await new_key(database.service_url, "admin")).text

        key, other = asyncio.run(make())
        with serving(database.service_url, workers="1") as service:
            own = Business(service, key).open(FIRST)
            begin_ids(database, FIRST_OF_THEIRS)
            theirs = Business(service, other).open(FIRST_OF_THEIRS)
            assert not set(own.values()) & set(theirs.values())
            deadline = time.monotonic() + 30
            while service.call("GET", "/health/queue", Authorization=f"Bearer {other}").body["depth"]:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield Ledgers(service, database, key, own, theirs, sorted(set(theirs.values())))


@pytest.fixture
def client(ledgers: Ledgers) -> Iterator[Client]:
    client = Client(ledgers.service.port)
    yield client
    client.close()


def without_own(body: Any) -> Any:
    if isinstance(body, list):
        return [without_own(one) for one in body]
    if isinstance(body, dict):
        return {name: without_own(one) for name, one in body.items() if name not in {"id", "ctime"}}
    return body


def comparable(said: Said, id_: int) -> tuple[int, Any, bytes]:
    # A transaction that is scheduled, or listed as it was scheduled for an account that is not there, has an id and a
    # time of its own.
    if said.status == 202 or said.body.startswith(b'{"items":'):
        body = without_own(json.loads(said.body))
        headers = tuple(pair for pair in said.headers if pair[0] not in {"Location", "Content-Length"})
        said = Said(said.status, headers, json.dumps(body).encode())
    return said.status, said.headers, said.body.replace(str(id_).encode(), b"ID")


def rows_of_theirs(database: Database) -> list[list[Any]]:
    with psycopg.connect(database.owner_url) as connection:
        select = "SELECT (to_jsonb(t) - 'last_used_at')::text FROM koshel.{} AS t WHERE ledger_id = 1 ORDER BY 1"
        return [connection.execute(select.format(name).encode()).fetchall() for name in TABLES]


def test_the_table_has_ids_to_try() -> None:
    own = dict.fromkeys(("account", "other"), 1)
    counts = {route.name: len(list(requests(route, own))) for route in CONFINED}
    assert counts["get_account"] == 2, "by its id, and by its name"
    assert counts["transfer"] >= 4, "in each of two places of two bodies"
    assert counts["exchange"] >= 2
    assert counts["make_batch"] >= 2 * 2 * 5
    assert counts["list_keys"] == 0, "no id is in its query: the cursors of all lists have a ledger"
    assert all(count for name, count in counts.items() if "{id}" in str([r.path for r in CONFINED if r.name == name]))


@pytest.mark.parametrize("lane", [{}, OTHER_LANE], ids=["plain", "other"])
@pytest.mark.parametrize("route", CONFINED, ids=lambda route: route.name)
def test_an_id_of_another_ledger_is_answered_as_one_that_does_not_exist(
    ledgers: Ledgers, client: Client, route: Route, lane: Mapping[str, str]
) -> None:
    before = rows_of_theirs(ledgers.database)
    headers = [bearer(ledgers.key), *lane.items()]
    for path, body in requests(route, ledgers.own):
        for pair in zip(ledgers.theirs, itertools.count(NEVER), strict=False):
            answers = set()
            for id_ in pair:
                sent = None if body is None else put(body, id_).encode()
                answers.add(comparable(client.ask(route.method, put(path, id_), sent, *headers), id_))
            assert len(answers) == 1, (path, body, answers)
    assert rows_of_theirs(ledgers.database) == before, "nothing of theirs has changed"


def test_an_idempotency_key_of_another_ledger_is_a_new_one(ledgers: Ledgers, client: Client) -> None:
    with psycopg.connect(ledgers.database.owner_url) as connection:
        connection.execute(
            "INSERT INTO koshel.receipt (ledger_id, idempotency_key, transaction_id) VALUES (1, 'theirs', 1)"
        )
    body = json.dumps({"amount": "1"}).encode()
    path = f"/account/{ledgers.own['account']}/payment"
    said = client.ask("POST", path, body, bearer(ledgers.key), ("Idempotency-Key", "theirs"))
    assert said.status == 201
    assert "Idempotent-Replayed" not in dict(said.headers)


def test_the_queue_that_is_measured_is_the_ledgers_own(ledgers: Ledgers, client: Client) -> None:
    with psycopg.connect(ledgers.database.owner_url) as connection:
        connection.execute("INSERT INTO koshel.queued VALUES (1, 5, '{}', 'infinity', 0, NULL, now())")
    said = client.ask("GET", "/health/queue", None, bearer(ledgers.key))
    assert json.loads(said.body)["depth"] == 0


def kinds(path: str) -> Sequence[str]:
    """What of theirs the id in a path may be of; where it is in the body only, it is an account's."""
    room = path.split("/")[1]
    named = {"account": ["account"], "key": ["key"], "split": ["split"]}
    return named.get(room, ["hold", "paid", "queued"]) if f"/{PLACE}" in path else ["account"]


@pytest.mark.alone
@pytest.mark.parametrize(
    "route", [one for one in CONFINED if any(requests(one, EXAMPLE))], ids=lambda route: route.name
)
def test_an_id_of_another_ledger_takes_as_long_as_one_that_does_not_exist(
    ledgers: Ledgers, client: Client, route: Route
) -> None:
    """Samples in turn, so that what else the machine does slows both down; medians, as a few are always late.

    One more query, or a wait for a row, is in every sample of every attempt: then none of them is even.
    """
    path, body = next(requests(route, ledgers.own))

    def took(id_: int) -> float:
        sent = None if body is None else put(body, id_).encode()
        began = time.perf_counter()
        client.ask(route.method, put(path, id_), sent, bearer(ledgers.key))
        return time.perf_counter() - began

    for kind in kinds(path):
        ratios: list[float] = []
        while not ratios or not 0.8 < ratios[-1] < 1.25:
            assert len(ratios) < ATTEMPTS, (kind, ratios)
            pairs = [(took(ledgers.named[kind]), took(NEVER)) for _ in range(ROUNDS)]
            one, other = (statistics.median(times) for times in zip(*pairs, strict=True))
            ratios.append(one / other)
