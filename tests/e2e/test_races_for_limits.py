"""Races for what a limit by time leaves, over two workers: never more than that, and all of it if it is asked for."""

import asyncio
import random
from decimal import Decimal

from tests.support.clients import Reply
from tests.support.racing import Racers, codes, race, rounds, won

MOST = Decimal("10.00")


async def opened(racers: Racers, **limit: str) -> int:
    """An account with 100.00 and a limit a day, given when the money is there."""
    account_id = await racers.open("100")
    changed = await racers.change(account_id, limits=[{"per": "1d", **limit}])
    assert changed.status == 200, changed
    return int(account_id)


def sum_of(replies: list[Reply]) -> Decimal:
    return sum((Decimal(reply.body["amount"]) for reply in won(replies)), Decimal(0))


async def test_no_more_leaves_than_may_however_many_send_it(racers: Racers) -> None:
    async def one_round(_: int) -> Decimal:
        ann, bob = await opened(racers, out=str(MOST)), await racers.open("1")
        amounts = [random.choice(["1.50", "2.00", "3.25"]) for _ in range(12)]
        replies = await race(*(racers.transfer(ann, bob, amount) for amount in amounts))
        assert set(codes(replies)) == {"limit-exceeded"}
        sent = sum_of(replies)
        assert MOST - Decimal("3.25") < sent <= MOST
        if sent < MOST:
            assert (await racers.transfer(ann, bob, str(MOST - sent))).status == 201
        late = await race(racers.transfer(ann, bob, "0.01"), racers.transfer(ann, bob, "0.01"))
        assert codes(late) == ["limit-exceeded"] * 2
        return sent

    assert len(set(await rounds(one_round))) > 1, "it was a race"


async def test_no_more_comes_than_may(racers: Racers) -> None:
    async def one_round(_: int) -> int:
        ann = (await racers.post("/account", {"email": "a@example.com", "limits": [{"per": "1h", "in": "5"}]})).body[
            "id"
        ]
        others = [await racers.open("9") for _ in range(3)]
        replies = await race(*(racers.transfer(other, ann, "1") for other in others * 3))
        assert codes(replies) == ["limit-exceeded"] * 4
        assert (await racers.balances(ann)) == ["5.00"]
        return len(won(replies))

    assert set(await rounds(one_round)) == {5}


async def test_a_limit_that_is_given_while_money_leaves_holds_from_then_on(racers: Racers) -> None:
    """What left before counts too: so either nothing leaves after the limit was given, or it was given in time."""

    async def one_round(_: int) -> bool:
        ann, bob = await racers.open("100"), await racers.open("1")

        async def give() -> Reply:
            await asyncio.sleep(max(0, random.uniform(-0.02, 0.02)))
            return await racers.change(ann, limits=[{"per": "1d", "out": str(MOST)}])

        changed, replies = await asyncio.gather(give(), race(*(racers.transfer(ann, bob, "2") for _ in range(20))))
        assert changed.status == 200
        before = Decimal(100) - Decimal(changed.body["balance"])
        assert sum_of(replies) == max(before, MOST)
        return before > MOST

    assert set(await rounds(one_round)) == {True, False}, "it was a race"
