"""A ledger does not wait for another one's locked rows: whoever names an id there hears at once that there is none.

Somebody has locked every account of the other ledger, and that ledger's own requests wait for these rows meanwhile.
Every route of the table is asked that changes something, with the other ledger's ids wherever an id may stand.
"""

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import psycopg
import pytest

from koshel.db.server.embedded import Cluster
from koshel.http.route import Route
from tests.http.test_confinement import (
    CONFINED,
    FIRST,
    FIRST_OF_THEIRS,
    NEVER,
    Business,
    begin_ids,
    comparable,
)
from tests.support.clone import cloned
from tests.support.database import Database
from tests.support.id_places import put, requests
from tests.support.keyed import Client, bearer, new_key, new_ledger
from tests.support.service import Running, serving

pytestmark = pytest.mark.alone
CHANGING = [route for route in CONFINED if route.method != "GET"]
AT_ONCE_S = 1.0  # half of what a lock is waited for
KINDS = ("account", "hold", "paid")  # ids of theirs that lead to a locked account
CROWD = 2  # requests of theirs that wait, and as many that do not


class Locked(NamedTuple):
    """A service where our key names ids of a ledger whose accounts somebody has locked."""

    service: Running
    key: str
    own: Mapping[str, int]
    theirs: Mapping[str, int]


@contextmanager
def crowding(service: Running, key: str, account: int, free: int) -> Iterator[None]:
    """Requests of theirs, of which some wait in a lane for the locked account, and some are settled all the time."""
    over = threading.Event()

    def ask(path: str) -> None:
        client = Client(service.port)
        while not over.is_set():
            client.ask("POST", path, b'{"amount": "0.01"}', bearer(key))
        client.close()

    paths = [f"/account/{account}/payment"] * CROWD + [f"/account/{free}/payment"] * CROWD
    crowd = [threading.Thread(target=ask, args=(path,)) for path in paths]
    for one in crowd:
        one.start()
    try:
        yield
    finally:
        over.set()
        for one in crowd:
            one.join()


@contextmanager
def locking(database: Database) -> Iterator[None]:
    with psycopg.connect(database.owner_url) as connection:
        connection.execute("SELECT FROM koshel.account WHERE ledger_id = 1 AND email <> 'free@example.com' FOR UPDATE")
        yield


@pytest.fixture(scope="module")
def locked(cluster: Cluster) -> Iterator[Locked]:
    async def make(url: str) -> tuple[str, str]:
        shop = await new_ledger(url, "shop")
        return (await new_key(url, "admin", ledger_id=shop.id)).text, (await new_key(url, "admin")).text

    with cloned(cluster, "confinement_locked") as database:
        begin_ids(database, FIRST)
        key, other = asyncio.run(make(database.service_url))
        with serving(database.service_url, workers="1") as service, ExitStack() as stack:
            own = Business(service, key).open(FIRST)
            begin_ids(database, FIRST_OF_THEIRS)
            theirs = Business(service, other)
            ids = theirs.open(FIRST_OF_THEIRS)
            free = theirs.post("/account", {"email": "free@example.com", "max_balance": None})
            stack.enter_context(locking(database))
            stack.enter_context(crowding(service, other, ids["account"], free))
            time.sleep(AT_ONCE_S / 2)  # the first of them are in a lane now
            yield Locked(service, key, own, ids)


@pytest.mark.parametrize("route", CHANGING, ids=lambda route: route.name)
def test_an_id_of_another_ledger_is_answered_at_once_though_its_accounts_are_locked(
    locked: Locked, route: Route
) -> None:
    client = Client(locked.service.port)
    for path, body in requests(route, locked.own):
        for kind in KINDS:
            answers = set()
            for id_ in (locked.theirs[kind], NEVER):
                sent = None if body is None else put(body, id_).encode()
                began = time.monotonic()
                said = client.ask(route.method, put(path, id_), sent, bearer(locked.key))
                assert time.monotonic() - began < AT_ONCE_S, (path, body, said)
                answers.add(comparable(said, id_))
            assert len(answers) == 1, (path, body, answers)
    client.close()
