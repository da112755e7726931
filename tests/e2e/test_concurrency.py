"""Two workers, many clients at once: no money appears, one key has one effect, reads see writes."""

import asyncio
import random
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from tests.support.clients import Clients, Reply, clients_of
from tests.support.outage import Postgres
from tests.support.service import serving
from tests.support.waiting import until

ROUNDS = 30
AT_ONCE = 24
TWINS = 50
PAIRS = 40
READERS = 8
METADATA = {"tariff": "gold", "a": "1"}


# And nobody ever meets a deadlock.
pytestmark = pytest.mark.usefixtures("course")


async def test_the_total_never_changes_while_money_moves_to_and_fro(clients: Clients, postgres: Postgres) -> None:
    ids = [await clients.open("50") for _ in range(4)]
    for _ in range(ROUNDS):
        replies, through_api, from_rows = await asyncio.gather(
            asyncio.gather(*(_random_transfer(clients, ids) for _ in range(AT_ONCE))),
            _total(clients, ids),
            asyncio.to_thread(_total_of_rows, postgres, ids),
        )
        assert {reply.status for reply in replies} <= {201, 409}
        assert (through_api, from_rows) == (200, 200)


async def _random_transfer(clients: Clients, ids: list[int]) -> Reply:
    source, target = random.sample(ids, 2)
    return await clients.transfer(source, target, f"{random.uniform(0.01, 30):.2f}")


async def _total(clients: Clients, ids: list[int]) -> Decimal:
    """All balances as they stood at one moment: between two readings that found the same versions."""
    before: list[Any] = []
    after = await clients.accounts(ids)
    while before != after:
        before, after = after, await clients.accounts(ids)
    return sum((Decimal(account["balance"]) for account in after), Decimal(0))


def _total_of_rows(postgres: Postgres, ids: list[int]) -> Any:
    with psycopg.connect(postgres.owner_url) as connection:
        [(total,)] = connection.execute("SELECT sum(balance) FROM account WHERE id = ANY(%s)", [ids])
    return total


async def test_every_balance_that_was_read_is_on_the_books(clients: Clients, postgres: Postgres) -> None:
    ids = [await clients.open("50") for _ in range(3)]
    read: list[Any] = []

    async def read_all() -> None:
        for _ in range(ROUNDS):
            read.extend(await clients.accounts(ids))

    await asyncio.gather(read_all(), *(_random_transfer(clients, ids) for _ in range(ROUNDS * AT_ONCE)))
    told = await asyncio.to_thread(_told_balances, postgres)
    assert {(account["id"], account["version"], Decimal(account["balance"])) for account in read} <= told


def _told_balances(postgres: Postgres) -> set[Any]:
    query = """
        SELECT target_account_id, target_version, target_balance FROM transaction
        UNION ALL SELECT source_account_id, source_version, source_balance FROM transaction
    """
    with psycopg.connect(postgres.owner_url) as connection:
        return set(connection.execute(query).fetchall())


def _assert_one_answer(replies: Sequence[Reply], status: int) -> None:
    """All the same, byte for byte, and all but one of them replayed."""
    assert {reply.status for reply in replies} == {status}
    assert len({reply.raw for reply in replies}) == 1
    assert sum(reply.is_replayed for reply in replies) == len(replies) - 1


async def test_one_key_sent_fifty_times_at_once_moves_money_once(clients: Clients) -> None:
    ann, bob = [await clients.open("50") for _ in range(2)]
    body = {"source_account_id": ann, "target_account_id": bob, "amount": "20", "metadata": METADATA}
    replies = await asyncio.gather(*(clients.post("/transaction", body, "rent") for _ in range(TWINS)))
    _assert_one_answer(replies, 201)
    assert [account["balance"] for account in await clients.accounts([ann, bob])] == ["30.00", "70.00"]


async def test_one_key_sent_fifty_times_at_once_is_refused_once(clients: Clients) -> None:
    ann, bob = [await clients.open("50") for _ in range(2)]
    replies = await asyncio.gather(*(clients.transfer(ann, bob, "51", "too-much") for _ in range(TWINS)))
    _assert_one_answer(replies, 409)
    await clients.post(f"/account/{ann}/payment", {"amount": "50"})
    _assert_one_answer([*replies, await clients.transfer(ann, bob, "51", "too-much")], 409)
    assert [account["version"] for account in await clients.accounts([ann, bob])] == [2, 1]


async def test_one_key_sent_fifty_times_at_once_opens_one_account(clients: Clients, postgres: Postgres) -> None:
    body = {"email": "cyd@example.com", "metadata": METADATA}
    replies = await asyncio.gather(*(clients.post("/account", body, "cyd") for _ in range(TWINS)))
    _assert_one_answer(replies, 201)
    with psycopg.connect(postgres.owner_url) as connection:
        count = connection.execute("SELECT count(*) FROM account WHERE email = 'cyd@example.com'").fetchone()
    assert count == (1,)


async def test_the_same_key_with_another_body_names_the_field_that_differs(clients: Clients) -> None:
    ann, bob, cyd = [await clients.open("50") for _ in range(3)]
    assert (await clients.transfer(ann, bob, "20", "first")).status == 201
    others = {
        "amount": clients.transfer(ann, bob, "21", "first"),
        "target_account_id": clients.transfer(ann, cyd, "21", "first"),
        "source_account_id": clients.transfer(cyd, ann, "21", "first"),
        "kind": clients.post(f"/account/{bob}/payment", {"amount": "20"}, "first"),
    }
    for field, reply in zip(others, await asyncio.gather(*others.values()), strict=True):
        assert (reply.status, reply.body["code"], reply.body["field"]) == (422, "idempotency-key-reused", field)


async def test_one_key_for_two_pairs_of_accounts_at_once_has_one_effect(clients: Clients) -> None:
    ann, bob, cyd, dan = [await clients.open("1000") for _ in range(4)]
    for number in range(PAIRS):
        key = f"twin-{number}"
        _assert_one_effect(
            await asyncio.gather(clients.transfer(ann, bob, "1", key), clients.transfer(cyd, dan, "1", key))
        )
    versions = [account["version"] for account in await clients.accounts([ann, cyd])]
    assert sum(versions) == 2 + PAIRS


def _assert_one_effect(twins: Sequence[Reply]) -> None:
    posted, reused = sorted(twins, key=lambda reply: reply.status)
    assert posted.status == 201
    assert (reused.status, reused.body["code"]) == (422, "idempotency-key-reused")


async def test_two_workers_that_both_found_a_key_new_give_it_one_effect(postgres: Postgres) -> None:
    # Two services of one worker each: so it is certain that each twin has a worker of its own.
    patient = {"workers": "1", "lock_timeout_ms": "60000", "statement_timeout_ms": "65000"}
    with serving(postgres.service_url, **patient) as one, serving(postgres.service_url, **patient) as two:
        async with clients_of(one.url) as left, clients_of(two.url) as right:
            ann, bob, cyd, dan = [await left.open("50") for _ in range(4)]
            with psycopg.connect(postgres.owner_url) as other:
                other.execute("SELECT FROM account WHERE id = ANY(%s) FOR UPDATE", [[ann, cyd]])
                twins = asyncio.gather(left.transfer(ann, bob, "1", "new"), right.transfer(cyd, dan, "1", "new"))
                await until(lambda: _waiting(postgres) == 2, "both workers wait for their accounts")
            _assert_one_effect(await twins)


def _waiting(postgres: Postgres) -> Any:
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with psycopg.connect(postgres.owner_url) as connection:
        [(count,)] = connection.execute(query)
    return count


async def test_what_was_acknowledged_is_seen_by_every_later_read_through_any_worker(clients: Clients) -> None:
    ann, bob = [await clients.open("50") for _ in range(2)]
    for number in range(1, ROUNDS + 1):
        posted = await clients.transfer(ann, bob, "1")
        accounts, transactions = await asyncio.gather(
            asyncio.gather(*(clients.get(f"/account/{bob}") for _ in range(READERS))),
            asyncio.gather(*(clients.get(posted.headers["Location"]) for _ in range(READERS))),
        )
        assert {reply.body["balance"] for reply in accounts} == {f"{50 + number}.00"}
        assert all({name: reply.body[name] for name in posted.body} == posted.body for reply in transactions)
