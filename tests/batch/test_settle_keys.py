"""Keys of every command: the first answer, as it was, for ever; and of twins at the same moment one is the first."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from koshel.core.commands import ChangeAccount, Command, Status
from koshel.core.model import Changed, Grouped, Opened, Posted, Queued, Refusal, Replayed
from koshel.db.settling.claims import Claim, ClaimHolds, ClaimQueued
from koshel.db.store import Store
from koshel.retry import settle_again
from koshel.settle import settle
from tests.support.database import Database
from tests.support.settled import exactly, open_accounts, opening, query, refusals, rows
from tests.support.wallets import capture, enqueue, group, hold, payment, refund, transfer, void, withdrawal

pytestmark = pytest.mark.usefixtures("books")


async def begin(store: Store) -> None:
    """Accounts 1 and 2, holds 2, 3 and 4, and two transfers, 5 and 6."""
    assert await open_accounts(store, opening(), opening()) == [1, 2]
    await settle(store, [payment(1, "100"), *[hold(1, 2, "10")] * 3, *[transfer(1, 2, "5")] * 2])


COMMANDS: Mapping[str, Any] = {
    "open": opening(key="k"),
    "change": ChangeAccount(1, 1, min_balance=Decimal(-5), metadata={"a": "b"}, expected=((6, 0),), key="k"),
    "freeze": ChangeAccount(1, 2, status=Status.FROZEN, key="k"),
    "pay": payment(1, "1.005", key="k", metadata={"a": "b"}),
    "transfer": transfer(1, 2, "1", key="k"),
    "withdraw": withdrawal(1, "1", key="k"),
    "hold": hold(1, 2, "1", seconds=60, key="k", metadata={"a": "b"}),
    "hold for the usual time": hold(1, None, "1", key="k"),
    "capture": capture(2, key="k"),
    "capture in part": capture(2, "1", final=False, key="k"),
    "void": void(3, key="k"),
    "refund": refund(5, key="k"),
    "refund in part": refund(5, "1", key="k"),
    "group": group(transfer(1, 2, "1"), capture(4, "1", key="m"), refund(6), void(3), hold(1, 2, "1"), key="k"),
    "group of some": group(transfer(1, 2, "1", key="m"), withdrawal(1, "900"), capture(77), atomic=False, key="k"),
    "enqueue": enqueue(transfer(1, 2, "1", key="k")),
    "queued capture": enqueue(capture(4, key="k")),
    "refused transfer": transfer(1, 2, "900", key="k"),
    "refused opening": opening("GOLD", key="k"),
    "refused change": ChangeAccount(1, 1, status=Status.CLOSED, key="k"),
    "refused capture": capture(2, "11", key="k"),
    "refused void": void(5, key="k"),
    "refused refund": refund(2, key="k"),
    "refused group": group(transfer(1, 2, "1"), void(77), key="k"),
}
# Whatever happens later.
LATER: Sequence[Sequence[Command | Claim]] = [
    [payment(1, "50"), ChangeAccount(1, 2, status=Status.OPEN), transfer(1, 2, "3"), capture(4, "2", final=False)],
    [ClaimQueued(1, 10)],
    [hold(1, 2, "1", seconds=0)],
    [ClaimHolds(1, 10)],
    [void(4), refund(6, "1"), ChangeAccount(1, 1, email="new@example.com", min_balance=Decimal(-90))],
]


@pytest.mark.parametrize("name", COMMANDS)
async def test_a_key_keeps_its_first_answer_whatever_happens_later(store: Store, database: Database, name: str) -> None:
    await begin(store)
    command = COMMANDS[name]
    first, at_once = await settle(store, [command, command])
    assert isinstance(at_once, Replayed)
    assert exactly(at_once.first) == exactly(first)
    for batch in LATER:
        await settle(store, batch)
        before = rows(database)
        (again,) = await settle(store, [command])
        assert exactly(again) == exactly(at_once)
        assert repr(type(again.first)) == repr(type(first))  # type: ignore[union-attr]  # it is a replay
        assert rows(database) == before
    (reused,) = await settle(store, [payment(1, "77", key="k")])
    assert refusals([reused]) == [Refusal.IDEMPOTENCY_KEY_REUSED]


@pytest.mark.parametrize("name", COMMANDS)
async def test_of_twins_at_the_same_moment_one_is_the_first(store: Store, database: Database, name: str) -> None:
    await begin(store)
    before = rows(database)
    answers = await asyncio.gather(*(settle_again(store, [COMMANDS[name]], attempts_max=20) for _ in range(8)))
    firsts = [one for (one,) in answers if not isinstance(one, Replayed)]
    replays = [one for (one,) in answers if isinstance(one, Replayed)]
    assert (len(firsts), len(replays)) == (1, 7)
    assert [exactly(one.first) for one in replays] == [exactly(firsts[0])] * 7
    done = Counter(rows(database))
    done.subtract(before)
    assert done["receipt"] == 1 + (name.startswith("group"))  # the member that has a key
    assert done["batch"] == 1


async def test_twins_with_other_accounts_have_one_effect(store: Store, database: Database) -> None:
    ids = await open_accounts(store, *[opening() for _ in range(8)])
    answers = await asyncio.gather(*(settle_again(store, [payment(one, "1", key="k")], attempts_max=20) for one in ids))
    posted = [one for (one,) in answers if isinstance(one, Posted)]
    assert len(posted) == 1
    assert refusals([one for (one,) in answers]).count(Refusal.IDEMPOTENCY_KEY_REUSED) == 7
    assert query(database, "SELECT count(*) FROM transaction") == [(1,)]


async def test_a_queued_transaction_is_the_answer_of_its_key_even_when_it_is_posted(store: Store) -> None:
    await begin(store)
    request = transfer(1, 2, "7", key="k")
    (queued,) = await settle(store, [enqueue(request)])
    assert isinstance(queued, Queued)
    await settle(store, [ClaimQueued(1, 10)])
    outcomes = await settle(store, [enqueue(request), request, enqueue(transfer(1, 2, "8", key="k"))])
    assert [exactly(one) for one in outcomes[:2]] == [exactly(Replayed(queued))] * 2
    assert refusals(outcomes[2:]) == [Refusal.IDEMPOTENCY_KEY_REUSED]


async def test_a_transaction_is_the_answer_of_its_key_to_who_would_enqueue_it(store: Store) -> None:
    await begin(store)
    request = hold(1, 2, "7", key="k")
    (posted,) = await settle(store, [request])
    (queued,) = await settle(store, [enqueue(request)])
    assert exactly(queued) == exactly(Replayed(posted))  # type: ignore[arg-type]


async def test_a_key_of_a_member_answers_alone_and_in_another_group(store: Store, database: Database) -> None:
    await begin(store)
    member = transfer(1, 2, "1", key="m")
    (together,) = await settle(store, [group(member, member, key="g")])
    assert isinstance(together, Grouped)
    (first, twin) = together.outcomes
    assert exactly(twin) == exactly(Replayed(first))  # type: ignore[arg-type]
    (alone, other) = await settle(store, [member, group(member, transfer(1, 2, "2"))])
    assert exactly(alone) == exactly(Replayed(first))  # type: ignore[arg-type]
    assert isinstance(other, Grouped)
    assert exactly(other.outcomes[0]) == exactly(alone)
    assert other.group_id != together.group_id
    assert query(database, "SELECT group_id, count(*) FROM transaction WHERE group_id > 0 GROUP BY 1 ORDER BY 1") == [
        (together.group_id, 1),
        (other.group_id, 1),
    ]


async def test_a_group_that_was_refused_leaves_its_members_keys_free(store: Store) -> None:
    await begin(store)
    member = transfer(1, 2, "1", key="m")
    outcomes = await settle(store, [group(member, withdrawal(1, "900", key="n")), member, withdrawal(1, "1", key="n")])
    assert refusals(outcomes) == [Refusal.BATCH_REFUSED, None, None]


async def test_an_account_is_shown_as_it_was_opened_and_changed(store: Store) -> None:
    (opened,) = await settle(store, [opening(key="o")])
    assert isinstance(opened, Opened)
    change = ChangeAccount(1, opened.account.id, min_balance=Decimal(-5), key="c")
    (_, changed) = await settle(store, [payment(opened.account.id, "3"), change])
    assert isinstance(changed, Changed)
    assert (str(changed.account.balance), changed.account.version, changed.account.revision) == ("3.00", 1, 1)
    await settle(store, [withdrawal(opened.account.id, "8"), replace(change, key=None, email="b@example.com")])
    again = await settle(store, [opening(key="o"), change])
    assert [exactly(one) for one in again] == [exactly(Replayed(opened)), exactly(Replayed(changed))]


async def test_one_key_means_something_else_in_another_ledger(store: Store) -> None:
    ann, bob = await open_accounts(store, opening(), opening(ledger_id=2))
    batch: list[Command] = [payment(ann, "1", key="k"), payment(bob, "2", key="k", ledger_id=2)]
    assert refusals(await settle(store, batch)) == [None, None]
    assert all(isinstance(one, Replayed) for one in await settle(store, batch))
