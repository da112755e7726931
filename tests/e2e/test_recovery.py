"""What the service does while something is away, in the way, or going; and that it is itself again afterwards."""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from koshel.db.server.embedded import Cluster
from koshel.db.verifying.verify import verify
from tests.support.clients import Clients, Reply, clients_of
from tests.support.database import Database
from tests.support.load import loading, open_accounts
from tests.support.outage import Postgres, own_postgres
from tests.support.proof import prove
from tests.support.relay import Cut, relaying
from tests.support.service import Answer, Running, serving, start, stop
from tests.support.waiting import until, wait_until

SHUTDOWN_TIMEOUT_S = 20
BLOCKED_FOR_MS = 1_000


@pytest.fixture(scope="module")
def _own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with own_postgres(tmp_path_factory.mktemp("recovery")) as postgres:
        yield postgres


@pytest.fixture
def postgres(_own: Postgres) -> Iterator[Postgres]:
    """A server of this file's own; it runs before and after each test."""
    yield _own
    _own.start()


def _assert_unavailable(answer: Answer) -> None:
    assert answer.status == 503
    assert answer.body["code"] == "database-unavailable"
    assert answer.body["retryable"] is True
    assert int(answer.headers["Retry-After"]) >= 1


def _is_ready(service: Running) -> bool:
    return service.call("GET", "/health/ready").status == 200


def test_without_its_database_the_service_says_so_and_recovers_by_itself(postgres: Postgres) -> None:
    with serving(postgres.service_url) as service:
        [ann] = open_accounts(service, 1)
        pay = ("POST", f"/account/{ann}/payment", {"amount": "1"})
        postgres.stop()
        for request in (pay, ("GET", f"/account/{ann}"), ("GET", "/health/ready")):
            _assert_unavailable(service.call(*request))
        assert service.call("GET", "/health/live").status == 200
        _assert_unavailable(service.call(*pay, Idempotency_Key="pay"))
        postgres.start()
        wait_until(lambda: _is_ready(service), "the service recovers")
        paid = service.call(*pay, Idempotency_Key="pay")
        assert (paid.status, "Idempotent-Replayed" in paid.headers) == (201, False)
        assert service.call("GET", f"/account/{ann}").body["balance"] == "101.00"
    assert verify(postgres.owner_url) == []


def test_a_worker_that_is_replaced_while_the_database_is_away_starts_all_the_same(postgres: Postgres) -> None:
    with serving(postgres.service_url) as service:
        postgres.stop()
        old = service.workers()
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(set(service.workers()) - set(old)) == len(old), "workers are replaced")
        # The answers come from new workers: there are no others.
        assert service.call("GET", "/health/live").status == 200
        _assert_unavailable(service.call("GET", "/account/1"))
        postgres.start()
        wait_until(lambda: _is_ready(service), "the service recovers")


async def test_a_commit_that_is_lost_is_found_again_or_said_to_be_unknown(cluster: Cluster, database: Database) -> None:
    limits = {"workers": "1", "idle_in_transaction_timeout_ms": "2000", "outcome_timeout_ms": "2500"}
    async with relaying(cluster) as relay:
        service = await asyncio.to_thread(start, relay.url(database.service_url), **limits)
        async with clients_of(service.url) as clients:
            with closing(_Stopped(service)):
                ann, bob = [await clients.open("50") for _ in range(2)]
                relay.cut_next_commit(Cut.REPLY_LOST)
                found = await clients.transfer(ann, bob, "1", "found")
                relay.cut_next_commit(Cut.REPLY_LOST)
                relay.refuse()
                unknown = await clients.transfer(ann, bob, "1", "unknown")
                await relay.accept()
                await until(lambda: _is_ready(service), "the service reaches its database again")
                again = await clients.transfer(ann, bob, "1", "unknown")
                versions = [account["version"] for account in await clients.accounts([ann, bob])]
    assert (found.status, found.is_replayed) == (201, False)
    assert (unknown.status, unknown.body["code"], unknown.body["retryable"]) == (503, "outcome-unknown", True)
    assert int(unknown.headers["Retry-After"]) >= 1
    assert (again.status, again.is_replayed) == (201, True)
    assert versions == [3, 3]
    assert verify(database.owner_url) == []


async def test_a_service_told_to_stop_under_load_loses_nothing_that_it_acknowledged(database: Database) -> None:
    settings = {"shutdown_timeout_s": str(SHUTDOWN_TIMEOUT_S)}
    with closing(_Stopped(start(database.service_url, **settings))) as first:
        account_ids = await asyncio.to_thread(open_accounts, first.service, 5)
        async with loading(first.service.url, account_ids) as load:
            await load.more(200)
            first.service.process.send_signal(signal.SIGTERM)
            status = await asyncio.to_thread(first.service.process.wait, SHUTDOWN_TIMEOUT_S)
            assert status == 0
            await load.trouble()
            # What was refused while it stopped is repeated to the next one.
            again = await asyncio.to_thread(start, database.service_url, first.service.port)
            with closing(_Stopped(again)):
                await load.more(200)
                await load.finish()
    prove(load, database.owner_url)


class _Stopped:
    """A service that is stopped at the end, unless it has stopped already."""

    def __init__(self, service: Running) -> None:
        self.service = service

    def close(self) -> None:
        stop(self.service)


async def test_a_service_told_to_stop_answers_what_is_under_way_and_refuses_what_is_new(database: Database) -> None:
    patient = {"workers": "1", "lock_timeout_ms": "60000", "statement_timeout_ms": "65000"}
    with serving(database.service_url, **patient) as service:
        [ann] = await asyncio.to_thread(open_accounts, service, 1)
        async with clients_of(service.url) as clients:
            with psycopg.connect(database.owner_url) as other:
                other.execute("SELECT FROM account FOR UPDATE")
                under_way = asyncio.create_task(clients.post(f"/account/{ann}/payment", {"amount": "1"}))
                await until(lambda: _somebody_waits(database), "the payment waits for its account")
                service.process.send_signal(signal.SIGTERM)
                await until(lambda: not _listens(service), "new connections are refused")
                assert not under_way.done()
            assert (await under_way).status == 201
        assert await asyncio.to_thread(service.process.wait, SHUTDOWN_TIMEOUT_S) == 0


def _listens(service: Running) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", service.port)) == 0


def _somebody_waits(database: Database) -> bool:
    query = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with psycopg.connect(database.owner_url) as connection:
        return connection.execute(query).fetchone() is not None


async def test_a_locked_account_is_in_the_way_of_its_own_commands_only(database: Database) -> None:
    with serving(database.service_url, workers="1", lock_timeout_ms=str(BLOCKED_FOR_MS)) as service:
        async with clients_of(service.url) as clients:
            ann, bob, cyd = [await clients.open("50") for _ in range(3)]
            with psycopg.connect(database.owner_url) as other:
                other.execute("SELECT FROM account WHERE id = %s FOR UPDATE", [ann])
                first = asyncio.create_task(clients.transfer(ann, bob, "1", "first"))
                await until(lambda: _somebody_waits(database), "the first batch is under way")
                # These wait for it, and then leave together.
                replies = await asyncio.gather(
                    first,
                    clients.transfer(bob, ann, "1", "second"),
                    *(clients.transfer(bob, cyd, "1") for _ in range(5)),
                )
            await _assert_only_the_blocked_failed(clients, replies)
            assert [account["balance"] for account in await clients.accounts([ann, bob, cyd])] == [
                "50.00",
                "45.00",
                "55.00",
            ]
            again = await clients.transfer(ann, bob, "1", "first")
            assert (again.status, again.is_replayed) == (201, False)
    assert verify(database.owner_url) == []


async def _assert_only_the_blocked_failed(clients: Clients, replies: list[Reply]) -> None:
    blocked, others = replies[:2], replies[2:]
    for reply in blocked:
        _assert_unavailable(Answer(reply.status, reply.headers, reply.body))
    assert {reply.status for reply in others} == {201}
    for reply in others:
        read = await clients.get(reply.headers["Location"])
        assert {name: read.body[name] for name in reply.body} == reply.body
