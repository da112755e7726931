"""Races for what is held or may be refunded, over two workers: one winner each, and never more than there is."""

import asyncio
import random
from datetime import UTC, datetime

import pytest

from tests.support.clients import Reply
from tests.support.outage import Postgres
from tests.support.racing import ROUNDS, Racers, codes, followers, race, rounds, won

EARLIEST_MS, LATEST_MS = -500, 100  # before the moment of expiry, and after it
ENDINGS = {"captured": "capture", "voided": "void", "expired": "expiry"}


async def _meet(racers: Racers, ann: int, bob: int, index: int) -> tuple[int, str]:
    """A hold whose capture, void and sweeper meet at the moment of its expiry; its id, and how it ended."""
    await asyncio.sleep(index / ROUNDS)
    hold = await racers.hold(ann, bob, "1", seconds=1)
    remaining = datetime.fromisoformat(hold["expires_at"]) - datetime.now(UTC)
    offset_ms = EARLIEST_MS + (LATEST_MS - EARLIEST_MS) * random.random()
    await asyncio.sleep(remaining.total_seconds() + offset_ms / 1_000)
    replies = await race(racers.capture(hold["id"], "1"), racers.void(hold["id"]))

    status = "held"
    while status == "held":
        status = (await racers.get(f"/transaction/{hold['id']}")).body["status"]
    assert [reply.body["kind"] for reply in won(replies)] == [ENDINGS[status]] * (status != "expired")
    assert codes(replies) == (["hold-expired"] * 2 if status == "expired" else ["hold-not-open"])
    return hold["id"], status


async def test_capture_void_and_expiry_meet_and_one_of_them_ends_the_hold(racers: Racers, course: Postgres) -> None:
    ann, bob = await racers.open("100"), await racers.open("100")
    ended = dict(await asyncio.gather(*(_meet(racers, ann, bob, index) for index in range(ROUNDS))))
    assert followers(course.owner_url, list(ended)) == {id_: [(ENDINGS[end], "1.00")] for id_, end in ended.items()}
    captured = list(ended.values()).count("captured")
    assert await racers.balances(ann, bob) == [f"{100 - captured}.00", f"{100 + captured}.00"]
    assert (await racers.get(f"/account/{ann}")).body["held"] == "0.00"
    assert {"expired"} < set(ended.values()), "it was a race"


async def test_of_a_capture_and_a_void_at_once_one_wins(racers: Racers, course: Postgres) -> None:
    ann, bob = await racers.open("100"), await racers.open("100")
    ids: list[int] = []

    async def one_round(_: int) -> str:
        hold = await racers.hold(ann, bob, "1")
        ids.append(hold["id"])
        replies = await race(racers.capture(hold["id"], "1"), racers.void(hold["id"]))
        [winner] = won(replies)
        assert codes(replies) == ["hold-not-open"]
        return str(winner.body["kind"])

    winners = await rounds(one_round)
    assert set(winners) == {"capture", "void"}, "it was a race"
    kinds = [kind for [(kind, _)] in followers(course.owner_url, ids).values()]
    assert {kind: kinds.count(kind) for kind in winners} == winners
    assert await racers.balances(ann, bob) == [f"{100 - winners['capture']}.00", f"{100 + winners['capture']}.00"]


@pytest.mark.parametrize(("refusal", "left"), [("hold-not-open", "0.00"), ("capture-exceeds-hold", "4.00")])
async def test_captures_of_more_than_is_held_together_are_not_all_made(
    racers: Racers, course: Postgres, refusal: str, left: str
) -> None:
    final = refusal == "hold-not-open"
    ids: list[int] = []

    async def one_round(_: int) -> int:
        ann, bob = await racers.open("10"), await racers.open("1")
        hold = await racers.hold(ann, bob, "10")
        ids.append(hold["id"])
        replies = await race(*(racers.capture(hold["id"], "6", final=final) for _ in range(3)))
        assert codes(replies) == [refusal, refusal]
        assert await racers.balances(ann, bob) == ["4.00", "7.00"]
        assert (await racers.get(f"/account/{ann}")).body["held"] == left
        return len(won(replies))

    assert await rounds(one_round) == {1: ROUNDS}
    assert list(followers(course.owner_url, ids).values()) == [[("capture", "6.00")]] * ROUNDS


async def test_refunds_at_once_never_add_up_to_more_than_the_original(racers: Racers, course: Postgres) -> None:
    ids: list[int] = []

    async def one_round(_: int) -> int:
        ann, bob = await racers.open("10"), await racers.open("10")
        original = (await racers.transfer(ann, bob, "10")).body["id"]
        ids.append(original)
        path = f"/transaction/{original}/refund"
        replies = await race(*(racers.post(path, {"amount": "3"}) for _ in range(5)))
        assert codes(replies) == ["refund-exceeds-original"] * 2
        rest = await race(*(racers.post(path, {}) for _ in range(2)))
        assert [reply.body["amount"] for reply in won(rest)] == ["1.00"]
        assert codes(rest) == ["refund-exceeds-original"]
        assert await racers.balances(ann, bob) == ["10.00", "10.00"]
        return len(won(replies))

    assert await rounds(one_round) == {3: ROUNDS}
    for refunds in followers(course.owner_url, ids).values():
        assert refunds == [("refund", "3.00")] * 3 + [("refund", "1.00")]


async def test_refunds_of_captures_and_what_is_spent_meanwhile_never_make_money(racers: Racers) -> None:
    async def one_round(_: int) -> tuple[int, ...]:
        ann, bob, cyd = await racers.open("10"), await racers.open("1"), await racers.open("1")
        hold = await racers.hold(ann, bob, "10")
        captured = (await racers.capture(hold["id"], "10")).body["id"]
        refunded, spent = await race(
            racers.post(f"/transaction/{captured}/refund", {}), racers.transfer(bob, cyd, "11")
        )
        [winner] = won([refunded, spent])
        assert codes([refunded, spent]) == ["insufficient-funds"]
        expected = ["10.00", "1.00", "1.00"] if winner is refunded else ["0.00", "0.00", "12.00"]
        assert await racers.balances(ann, bob, cyd) == expected
        return refunded.status, spent.status

    assert set(await rounds(one_round)) <= {(201, 409), (409, 201)}


async def test_an_expired_hold_is_swept_once_however_many_there_are(racers: Racers, course: Postgres) -> None:
    ann, bob = await racers.open("300"), await racers.open("1")
    holds = await asyncio.gather(*(racers.hold(ann, bob, "1", seconds=1) for _ in range(300)))
    replies: list[Reply] = []

    async with asyncio.timeout(60):
        while (await racers.get(f"/account/{ann}")).body["held"] != "0.00":
            replies.append(await racers.transfer(bob, ann, "0.01"))
    ended = followers(course.owner_url, [hold["id"] for hold in holds])
    assert list(ended.values()) == [[("expiry", "1.00")]] * 300
    assert {reply.status for reply in replies} <= {201, 409}
