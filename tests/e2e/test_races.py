"""Races for accounts, keys and groups, over two workers: one winner each, and the books right after."""

import asyncio
import random
from collections.abc import Sequence
from decimal import Decimal
from itertools import count
from typing import Any

import psycopg

from tests.support.clients import Reply
from tests.support.outage import Postgres
from tests.support.racing import ROUNDS, Racers, codes, race, rounds, won
from tests.support.waiting import until

LATER = "respond-async"
FREEZES = 60
PAIRS = 40


async def test_nothing_moves_between_the_answer_to_a_freeze_and_the_thaw(racers: Racers) -> None:
    ann, bob = await racers.open("500"), await racers.open("500")
    replies: list[Reply] = []
    enough = asyncio.Event()

    async def pay_to_and_fro() -> None:
        while not enough.is_set():
            source, target = random.sample([ann, bob], 2)
            replies.append(await racers.transfer(source, target, "0.01"))

    async with asyncio.TaskGroup() as payers:
        for _ in range(6):
            payers.create_task(pay_to_and_fro())
        for _ in range(FREEZES):
            frozen = (await racers.change(ann, status="frozen")).body
            refused_before = len(codes(replies))
            late = await race(
                racers.transfer(ann, bob, "0.01"), racers.transfer(bob, ann, "0.01"), racers.pay(ann, "1")
            )
            assert codes(late) == ["account-frozen"] * 3
            assert (await racers.get(f"/account/{ann}")).body == frozen
            thawed = (await racers.change(ann, status="open")).body
            assert thawed == frozen | {"status": "open"}
            posted_before = len(won(replies))
            await until(lambda before=posted_before: len(won(replies)) > before, "they pay again")  # type: ignore[misc]
            assert len(codes(replies)) >= refused_before
        enough.set()
    assert set(codes(replies)) == {"account-frozen"}
    assert {reply.status for reply in replies} == {201, 409}


async def test_an_account_is_closed_or_paid_to_and_never_both(racers: Racers) -> None:
    async def one_round(_: int) -> tuple[str, ...]:
        ann = (await racers.post("/account", {"email": "ann@example.com"})).body["id"]
        closed, *paid = await race(racers.change(ann, status="closed"), racers.pay(ann, "1"), racers.pay(ann, "1"))
        account = (await racers.get(f"/account/{ann}")).body
        if closed.status == 200:
            assert codes(paid) == ["account-closed"] * 2
            assert (account["status"], account["balance"]) == ("closed", "0.00")
        else:
            assert codes([closed]) == ["account-not-empty"]
            assert won(paid)
            assert (account["status"], account["balance"]) == ("open", "2.00")
        return (account["status"],)

    assert set(await rounds(one_round)) == {("closed",), ("open",)}, "it was a race"


async def test_an_account_is_emptied_and_closed_while_others_hold_it_to_its_money(racers: Racers) -> None:
    async def one_round(_: int) -> str:
        ann, bob = await racers.open("5"), await racers.open("5")
        emptied = racers.transfer(ann, bob, "5")
        reserved = racers.post(
            "/transaction", {"source_account_id": ann, "target_account_id": bob, "amount": "5", "hold": {}}
        )
        closed, *rivals = await race(racers.change(ann, status="closed"), emptied, reserved)
        account = (await racers.get(f"/account/{ann}")).body
        if closed.status == 200:
            assert (account["balance"], account["held"], account["status"]) == ("0.00", "0.00", "closed")
        else:
            assert codes([closed]) == ["account-not-empty"]
            assert account["status"] == "open"
        [winner] = won(rivals)
        return str(winner.body["kind"])

    assert set(await rounds(one_round)) == {"transfer", "hold"}, "it was a race"


async def test_of_changes_that_expect_the_same_version_one_is_made(racers: Racers) -> None:
    ann = await racers.open("5")
    path = f"/account/{ann}"
    for number in range(ROUNDS):
        etag = (await racers.get(path)).headers["ETag"]
        writers = [f"{number}-{writer}" for writer in range(4)]
        replies = await race(
            *(racers.ask("PATCH", path, {"metadata": {"writer": name}}, If_Match=etag) for name in writers)
        )
        [winner] = won(replies)
        assert codes(replies) == ["version-mismatch"] * 3
        after = await racers.get(path)
        assert (after.raw, after.headers["ETag"]) == (winner.raw, winner.headers["ETag"])
        assert after.headers["ETag"] != etag


async def _assert_one_effect(racers: Racers, postgres: Postgres, replies: Sequence[Reply], key: str) -> None:
    assert len({reply.raw for reply in replies}) == 1, "one answer"
    assert sum(reply.is_replayed for reply in replies) == len(replies) - 1
    path = replies[0].headers["Location"]
    await until(lambda: bool(_ids_of(postgres, key)), "it is posted")
    assert _ids_of(postgres, key) == [int(path.rpartition("/")[2])]
    assert (await racers.get(path)).body["status"] == "posted"


def _ids_of(postgres: Postgres, key: str) -> list[int]:
    with psycopg.connect(postgres.owner_url) as connection:
        rows = connection.execute("SELECT id FROM transaction WHERE idempotency_key = %s", [key]).fetchall()
    return [id_ for (id_,) in rows]


async def test_one_key_for_now_and_for_later_at_once_has_one_effect_and_one_answer(
    racers: Racers, course: Postgres
) -> None:
    ann, bob = await racers.open("500"), await racers.open("0.01")
    body = {"source_account_id": ann, "target_account_id": bob, "amount": "1"}

    async def one_round(number: int) -> int:
        key = f"twin-{number}"
        replies = await race(
            racers.ask("POST", "/transaction", body, Idempotency_Key=key),
            racers.ask("POST", "/transaction", body, Idempotency_Key=key, Prefer=LATER),
            racers.ask("POST", "/transaction", body, Idempotency_Key=key, Prefer=f"{LATER}, wait=1"),
        )
        await _assert_one_effect(racers, course, replies, key)
        return replies[0].status

    assert set(await rounds(one_round)) == {201, 202}, "it was a race"
    assert await racers.balances(ann, bob) == [f"{500 - ROUNDS}.00", f"{ROUNDS}.01"]


async def test_many_keys_for_now_and_for_later_at_once_each_have_one_answer(racers: Racers) -> None:
    # Disjoint accounts: no row lock makes one twin wait for the other.
    pairs = [(await racers.open("50"), await racers.open("50")) for _ in range(PAIRS)]
    tries = count()

    async def one_round(_: int) -> int:
        name = next(tries)
        keys = [f"full-{name}-{pair}" for pair in range(PAIRS)]
        requests = []
        for key, (source, target) in zip(keys, pairs, strict=True):
            body = {"source_account_id": source, "target_account_id": target, "amount": "0.01"}
            requests += [
                racers.ask("POST", "/transaction", body, Idempotency_Key=key),
                racers.ask("POST", "/transaction", body, Idempotency_Key=key, Prefer=LATER),
            ]
        replies = await race(*requests)
        assert {reply.status for reply in replies} <= {201, 202}, codes(replies)
        for index in range(PAIRS):
            assert replies[2 * index].raw == replies[2 * index + 1].raw
        return len(replies)

    assert await rounds(one_round, 8) == {2 * PAIRS: 8}


async def test_an_atomic_batch_against_transfers_of_the_same_money_is_made_whole_or_not_at_all(
    racers: Racers, course: Postgres
) -> None:
    async def one_round(_: int) -> str:
        ann, bob, cyd = await racers.open("10"), await racers.open("1"), await racers.open("1")
        body = _batch((ann, bob, "6"), (bob, cyd, "7"), (cyd, ann, "1"))
        batch, spent = await race(racers.post("/transaction/batch", body), racers.transfer(ann, cyd, "6"))
        whole = _members(course, batch.body.get("group_id"))
        balances = await racers.balances(ann, bob, cyd)
        if batch.status == 201:
            assert codes([spent]) == ["insufficient-funds"]
            assert whole == [one["transaction"]["id"] for one in batch.body["results"]]
            assert balances == ["5.00", "0.00", "7.00"]
            return "batch"
        assert codes([batch]) == ["batch-refused"]
        assert won([spent])
        assert (whole, balances) == ([], ["4.00", "1.00", "7.00"])
        return "transfer"

    assert set(await rounds(one_round)) == {"batch", "transfer"}, "it was a race"


async def test_atomic_batches_that_go_round_in_opposite_ways_never_meet_in_a_deadlock(
    racers: Racers, course: Postgres
) -> None:
    ids = [await racers.open("100") for _ in range(5)]

    async def one_round(_: int) -> int:
        circle = random.sample(ids, len(ids))
        ways = [list(zip(way, [*way[1:], way[0]], strict=True)) for way in (circle, circle[::-1])]
        batches = [_batch(*((source, target, "1") for source, target in way)) for way in ways]
        replies = await race(
            *(racers.post("/transaction/batch", batch) for batch in batches),
            racers.transfer(circle[0], circle[1], "0.01"),
        )
        assert {reply.status for reply in replies} == {201}
        groups = [_members(course, reply.body["group_id"]) for reply in replies[:2]]
        assert [len(group) for group in groups] == [5, 5]
        return len(won(replies))

    assert await rounds(one_round) == {3: ROUNDS}
    assert sum(map(Decimal, await racers.balances(*ids))) == 500


def _batch(*moves: tuple[int, int, str]) -> dict[str, Any]:
    members = [{"source_account_id": s, "target_account_id": t, "amount": a} for s, t, a in moves]
    return {"transactions": members}


def _members(postgres: Postgres, group_id: int | None) -> list[int]:
    with psycopg.connect(postgres.owner_url) as connection:
        rows = connection.execute("SELECT id FROM transaction WHERE group_id = %s ORDER BY id", [group_id]).fetchall()
    return [id_ for (id_,) in rows]
