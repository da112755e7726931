"""A batch that does not wait for locks, on a real PostgreSQL. After every test the books are proved from the rows."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from random import Random

import psycopg
import pytest

from koshel.core.apart import Lines
from koshel.core.commands import Command
from koshel.core.model import Declined, Outcome, Posted, Refusal, Replayed
from koshel.core.money import plain
from koshel.db.server.embedded import Cluster
from koshel.db.settling import known
from koshel.db.store import Store, StoreConfig, open_store
from koshel.retry import settle_free_again
from koshel.settle import settle
from koshel.settle_free import settle_free
from tests.support.database import Database
from tests.support.relay import Cut, relaying
from tests.support.settled import open_accounts, opening, query, rows
from tests.support.wallets import capture, group, hold, payment, refund, transfer, void

pytestmark = pytest.mark.usefixtures("books")

MISSING = 999_999


@contextmanager
def locked(database: Database, *ids: int) -> Iterator[None]:
    """Somebody else has locked these accounts."""
    with psycopg.connect(database.owner_url) as connection:
        connection.execute("SELECT FROM account WHERE id = ANY(%s) FOR UPDATE", [list(ids)])
        yield


def words(outcomes: Sequence[Outcome | Lines]) -> list[str]:
    """`-` for what was put off, else what became of it."""
    return [
        "-"
        if isinstance(one, frozenset)
        else one.refusal.value
        if isinstance(one, Declined)
        else type(one).__name__.lower()
        for one in outcomes
    ]


async def balances(store: Store, *ids: int) -> list[str]:
    found = [await store.get_account(1, id_) for id_ in ids]
    return [plain(one.balance) for one in found if one is not None]


async def test_nothing_is_put_off_where_nothing_is_locked(store: Store) -> None:
    ann, bob = await open_accounts(store, opening(), opening())
    commands = [payment(ann, "10"), transfer(ann, bob, "4"), payment(MISSING, "1"), transfer(bob, MISSING, "1")]
    outcomes = await settle_free(store, commands)
    assert words(outcomes) == ["posted", "posted", "account-not-found", "account-not-found"]
    assert await balances(store, ann, bob) == ["6.00", "4.00"]
    assert await settle_free(store, []) == []


async def test_what_is_locked_is_put_off_and_all_else_is_settled_at_once(store: Store, database: Database) -> None:
    ann, bob, cid, dan = await open_accounts(store, *[opening() for _ in range(4)])
    commands = [
        payment(ann, "10"),
        payment(bob, "10"),
        transfer(ann, cid, "1"),
        payment(cid, "1"),  # after a transfer into it that waits
        payment(dan, "5"),
        payment(MISSING, "1"),
    ]
    with locked(database, ann):
        async with asyncio.timeout(1):  # it waits for nobody
            outcomes = await settle_free(store, commands)
        assert words(outcomes) == ["-", "posted", "-", "-", "posted", "account-not-found"]
        assert await balances(store, ann, bob, cid, dan) == ["0.00", "10.00", "0.00", "5.00"]
        assert words(await settle_free(store, [payment(ann, "1"), payment(ann, "2")])) == ["-", "-"]
    again = [command for command, one in zip(commands, outcomes, strict=True) if isinstance(one, frozenset)]
    assert words(await settle_free(store, again)) == ["posted"] * 3
    assert await balances(store, ann, bob, cid, dan) == ["9.00", "10.00", "2.00", "5.00"]


async def test_an_account_that_another_process_has_opened_is_known_to_be_locked(
    store: Store, database: Database
) -> None:
    """This process has never seen the account: it has to ask whether there is one."""
    (ann,) = await open_accounts(store, opening())
    async with open_store(StoreConfig(database.service_url)) as stranger:
        with locked(database, ann):
            for _ in range(2):
                outcomes = await settle_free(stranger, [payment(ann, "1"), payment(MISSING, "1")])
                assert words(outcomes) == ["-", "account-not-found"]
        assert words(await settle_free(stranger, [payment(ann, "1")])) == ["posted"]


async def test_keys_and_references_are_put_off_with_their_accounts(store: Store, database: Database) -> None:
    ann, bob, cid = await open_accounts(store, *[opening() for _ in range(3)])
    first = await settle(store, [payment(ann, "50"), payment(bob, "50", key="paid"), hold(ann, bob, "20")])
    paid, kept, held = (one.id for one in first if isinstance(one, Posted))
    follow: list[tuple[Command, str]] = [
        (capture(held, "5", final=False), "-"),
        (void(held), "-"),
        (refund(paid), "-"),
        (refund(kept, "1"), "-"),  # the capture above pays into its account
        (payment(cid, "1", key="new"), "posted"),
        (payment(bob, "50", key="paid"), "-"),
    ]
    with locked(database, ann):
        outcomes = await settle_free(store, [command for command, _ in follow])
        assert words(outcomes) == [word for _, word in follow]
        assert words(await settle_free(store, [payment(bob, "50", key="paid")])) == ["replayed"]
        assert words(await settle_free(store, [payment(ann, "1", key="k"), payment(cid, "1", key="k")])) == ["-", "-"]
    later = await settle_free(store, [payment(ann, "1", key="k"), payment(cid, "1", key="k")])
    assert words(later) == ["posted", Refusal.IDEMPOTENCY_KEY_REUSED.value]
    assert isinstance((await settle_free(store, [payment(ann, "1", key="k")]))[0], Replayed)


async def test_a_group_is_put_off_whole(store: Store, database: Database) -> None:
    ann, bob = await open_accounts(store, opening(), opening())
    before, members = rows(database), (payment(bob, "1"), payment(ann, "1"))
    with locked(database, ann):
        for atomic in (True, False):
            assert words(await settle_free(store, [group(*members, atomic=atomic)])) == ["-"]
    assert rows(database) == before
    assert words(await settle_free(store, [group(*members)])) == ["grouped"]


async def test_the_clock_is_read_after_the_last_lock_and_never_goes_back_along_an_account(
    store: Store, database: Database
) -> None:
    """Also where the account with the highest id, with which the clock comes, is one that others have locked."""
    ann, bob = await open_accounts(store, opening(), opening())
    before = query(database, "SELECT clock_timestamp()")[0][0]
    with locked(database, bob):
        first, _ = await settle_free(store, [payment(ann, "1"), payment(bob, "1")])
    second, _ = await settle_free(store, [payment(ann, "1"), payment(bob, "1")])
    assert isinstance(first, Posted)
    assert isinstance(second, Posted)
    assert before < first.ctime < second.ctime


async def test_what_is_locked_is_known_whatever_was_forgotten_meanwhile(
    store: Store, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a payment would be answered `account-not-found`, and with a key for ever."""
    monkeypatch.setattr(known, "KNOWN_MAX", 0)
    ann, bob, cid = await open_accounts(store, *[opening() for _ in range(3)])
    async with open_store(StoreConfig(database.service_url)) as stranger:
        await settle_free(stranger, [payment(ann, "1")])
        with locked(database, ann, bob):
            for _ in range(3):
                commands = [payment(ann, "1", key="k"), payment(bob, "1"), payment(cid, "1"), payment(MISSING, "1")]
                assert words(await settle_free(stranger, commands)) == ["-", "-", "posted", "account-not-found"]


async def test_an_account_of_another_ledger_is_not_found_though_it_is_known_and_locked(
    store: Store, database: Database
) -> None:
    ours, theirs = await open_accounts(store, opening(), opening(ledger_id=2))
    await settle_free(store, [payment(theirs, "1", ledger_id=2), payment(ours, "1")])
    with locked(database, ours, theirs):
        assert words(await settle_free(store, [payment(theirs, "1")])) == ["account-not-found"]
        assert words(await settle_free(store, [payment(ours, "1", ledger_id=2)])) == ["account-not-found"]


@pytest.mark.parametrize("seed", range(4))
async def test_two_stores_that_never_wait_move_money_between_the_same_accounts(
    store: Store, database: Database, seed: int
) -> None:
    """What is put off comes again, in order: each account's transactions are in the order in which they were asked."""
    ids = await open_accounts(store, *[opening() for _ in range(8)])
    await settle(store, [payment(id_, "250") for id_ in ids])

    async def run(mine: Store, name: str) -> int:
        dice, put_off = Random(f"{seed} {name}"), 0
        pairs = [dice.sample(ids, 2) for _ in range(200)]
        waiting: list[Command] = [
            transfer(source, target, "1", key=f"{name}-{number}", metadata={name: str(number)})
            for number, (source, target) in enumerate(pairs)
        ]
        while waiting:
            batch, rest = waiting[:10], waiting[10:]
            outcomes = await settle_free(mine, batch)
            assert set(words(outcomes)) <= {"posted", "-"}
            again = [command for command, one in zip(batch, outcomes, strict=True) if isinstance(one, frozenset)]
            waiting, put_off = again + rest, put_off + len(again)
        return put_off

    async with open_store(StoreConfig(database.service_url)) as other:
        await settle(
            other, [payment(id_, "250") for id_ in ids]
        )  # connected before they begin: else they might not meet
        put_off = await asyncio.gather(run(store, "a"), run(other, "b"))
    assert sum(put_off) > 0, "they have never met"
    assert rows(database)["transaction"] == 2 * len(ids) + 400
    assert sum(map(float, await balances(store, *ids))) == 4_000
    for id_ in ids:
        numbers = query(
            database,
            f"""
            SELECT metadata FROM transaction
            WHERE {id_} IN (source_account_id, target_account_id) AND metadata <> '{{}}'
            ORDER BY CASE WHEN source_account_id = {id_} THEN source_version ELSE target_version END
            """,
        )
        for name in "ab":
            along = [int(metadata[name]) for (metadata,) in numbers if name in metadata]
            assert along == sorted(along)


async def test_twins_with_one_key_and_other_accounts_meet_at_the_key(store: Store, database: Database) -> None:
    ids = await open_accounts(store, *[opening() for _ in range(40)])
    async with open_store(StoreConfig(database.service_url)) as other:
        for key, (ann, bob) in enumerate(zip(ids[::2], ids[1::2], strict=True)):
            one, two = await asyncio.gather(
                settle_free_again(store, [payment(ann, "1", key=f"k{key}")]),
                settle_free_again(other, [payment(bob, "1", key=f"k{key}")]),
            )
            assert sorted(words([*one, *two])) == [Refusal.IDEMPOTENCY_KEY_REUSED.value, "posted"]


async def test_what_was_put_off_in_a_batch_whose_commit_was_lost_is_still_put_off(
    store: Store, database: Database, cluster: Cluster
) -> None:
    """And the rest of the batch is settled once."""
    ann, bob = await open_accounts(store, opening(), opening())
    async with relaying(cluster) as relay, open_store(StoreConfig(relay.url(database.service_url))) as behind:
        await settle(behind, [payment(ann, "1")])
        with locked(database, bob):
            relay.cut_next_commit(Cut.COMMIT_LOST)
            outcomes = await settle_free_again(behind, [payment(ann, "1"), payment(bob, "1")])
        assert relay.cuts == 1
    assert words(outcomes) == ["posted", "-"]
    assert await balances(store, ann, bob) == ["2.00", "0.00"]
