"""Limits by time on a real PostgreSQL: counted under the lock, kept with the batch, started from the books.

After every test the books are proved from the rows, and what is counted with them.
"""

from collections.abc import Sequence
from decimal import Decimal

import pytest

from koshel.core.commands import ChangeAccount, Command, OpenAccount
from koshel.core.model import Changed, Opened, Outcome, Refusal
from koshel.core.turnovers import Period
from koshel.db.server import embedded
from koshel.db.settling import turnovers
from koshel.db.store import Store, StoreConfig, open_store
from koshel.settle import settle
from koshel.settle_free import settle_free
from tests.support.bookkeeping import execute
from tests.support.database import Database
from tests.support.limited import limit, limiting
from tests.support.settled import exactly, open_accounts, opening, query, refusals, timeless
from tests.support.wallets import capture, group, hold, payment, refund, transfer, void, withdrawal

pytestmark = pytest.mark.usefixtures("books")

EXCEEDED = Refusal.LIMIT_EXCEEDED
DAILY = limiting(1, limit("1d", "100", "2000"))
COUNTED = "SELECT account_id, limits_version, windows FROM turnover ORDER BY account_id"


@pytest.fixture
async def rich(store: Store) -> Store:
    """Accounts 1, 2 and 3 have 1,000.00 each."""
    await open_accounts(store, *[OpenAccount(1, "ann@example.com", max_balance=None) for _ in range(3)])
    await settle(store, [payment(account_id, "1000") for account_id in (1, 2, 3)])
    return store


def long_ago(database: Database, passed: str) -> None:
    """All that is on the books happened so much earlier; what is counted stays where it is."""
    execute(
        database.owner_url,
        f"UPDATE transaction SET ctime = ctime - interval '{passed}', expires_at = expires_at - interval '{passed}'",
        f"UPDATE account SET ctime = ctime - interval '{passed}'",
        f"UPDATE account_change SET ctime = ctime - interval '{passed}'",
        f"UPDATE hold SET expires_at = expires_at - interval '{passed}'",
    )


async def one_by_one(store: Store, commands: Sequence[Command]) -> list[Outcome]:
    return [outcome for command in commands for outcome in await settle(store, [command])]


async def test_what_leaves_and_what_comes_is_counted_from_batch_to_batch(rich: Store, database: Database) -> None:
    limited = limiting(2, limit("1h", None, "1060"))
    assert refusals(await settle(rich, [DAILY, limited])) == [None, None]
    assert refusals(await settle(rich, [transfer(1, 2, "60"), transfer(1, 3, "40.01")])) == [None, EXCEEDED]
    assert refusals(await settle(rich, [transfer(1, 3, "40"), transfer(3, 2, "0.01")])) == [None, EXCEEDED]
    assert refusals(await settle(rich, [withdrawal(1, "0.01", key="k"), payment(1, "5")])) == [EXCEEDED, None]
    [(_, _, windows), _] = query(database, COUNTED)
    assert [(one["per"], one["since"]) for one in windows] == [("1d", 0)]
    assert sum(Decimal(out) for _, out, _ in windows[0]["buckets"]) == 100
    assert sum(Decimal(in_) for _, _, in_ in windows[0]["buckets"]) == 1005


CROSSED: Sequence[Command] = [
    DAILY,
    withdrawal(1, "30"),
    hold(1, 2, "50"),
    withdrawal(1, "20.01"),
    group(withdrawal(1, "15"), withdrawal(1, "15"), atomic=False),
    group(withdrawal(1, "1"), withdrawal(1, "900")),
    limiting(1, limit("1d", "300"), limit("1h", "140", "1010")),
    payment(1, "11"),
    payment(1, "9.99"),
    withdrawal(1, "30"),
    limiting(1),
    withdrawal(1, "200"),
    limiting(1, limit("30d", "250")),
    withdrawal(1, "0.01"),
]


async def test_where_one_batch_ends_and_the_next_begins_changes_no_answer(rich: Store, database: Database) -> None:
    async with open_store(StoreConfig(database.service_url)) as other:
        whole = await settle(rich.rehearsals, CROSSED)
        halves = [*await settle(rich, CROSSED[:7]), *await settle(other, CROSSED[7:])]
    facts = [timeless(one) for one in whole]
    assert [timeless(one) for one in halves] == facts
    assert refusals(halves)[3] is EXCEEDED
    assert refusals(halves)[7:] == [EXCEEDED, None, None, None, None, None, EXCEEDED]


# What moves 60.00 out of account 1, in one batch.
WAYS: dict[str, Sequence[Command]] = {
    "plain transfers": [transfer(1, 2, "20"), transfer(1, 3, "40")],
    "with a key": [transfer(1, 2, "60", key="k")],
    "in a group": [group(transfer(1, 2, "20"), withdrawal(1, "40"))],
    "in a group with a key": [group(transfer(1, 2, "20"), withdrawal(1, "40"), key="g")],
    "beside an opening": [OpenAccount(1, "a@example.com", "USD", key="o"), withdrawal(1, "60")],
    "beside a change": [ChangeAccount(1, 1, email="b@example.com", key="c"), withdrawal(1, "60")],
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("is_free", [False, True])
async def test_it_is_counted_by_whichever_statement_it_is_written(rich: Store, way: str, *, is_free: bool) -> None:
    await settle(rich, [DAILY])
    outcomes = await (settle_free(rich, WAYS[way]) if is_free else settle(rich, WAYS[way]))
    assert outcomes
    assert refusals(await settle(rich, [withdrawal(1, "40.01"), withdrawal(1, "40")])) == [EXCEEDED, None]


async def test_holds_captures_and_refunds_count_over_batches(rich: Store) -> None:
    await settle(rich, [DAILY])
    (held, other) = [one.id for one in await settle(rich, [hold(1, 2, "60"), hold(1, None, "30")])]  # type: ignore[union-attr]
    assert refusals(await settle(rich, [withdrawal(1, "10.01")])) == [EXCEEDED]
    assert refusals(await settle(rich, [withdrawal(1, "10"), capture(held, "50")])) == [None, None]
    assert refusals(await settle(rich, [withdrawal(1, "10.01")])) == [EXCEEDED]
    assert refusals(await settle(rich, [void(other), withdrawal(1, "40.01"), withdrawal(1, "40")])) == [
        None,
        EXCEEDED,
        None,
    ]
    (paid,) = await settle(rich, [transfer(2, 1, "5")])
    assert refusals(await settle(rich, [refund(paid.id)])) == [EXCEEDED]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("passed", "per", "left"),
    [
        ("0", "1h", "40"),
        ("50 minutes", "1h", "40"),
        ("62 minutes", "1h", "100"),
        ("62 minutes", "1d", "40"),
        ("23 hours", "1d", "40"),
        ("25 hours", "1d", "100"),
        ("6 days", "7d", "40"),
        ("8 days", "7d", "100"),
        ("29 days", "30d", "40"),
        ("31 days", "30d", "100"),
        ("364 days", "365d", "40"),
        ("372 days", "365d", "100"),
    ],
)
async def test_an_account_that_is_given_limits_starts_from_its_books(
    rich: Store, database: Database, passed: str, per: Period, left: str
) -> None:
    await settle(rich, [transfer(1, 2, "50"), payment(1, "7")])
    (held,) = await settle(rich, [hold(1, 2, "12")])
    await settle(rich, [capture(held.id, "10")])  # type: ignore[union-attr]
    long_ago(database, passed)
    given = limiting(1, limit(per, "100"))
    first = await settle(rich, [given, withdrawal(1, str(Decimal(left) + Decimal("0.01"))), withdrawal(1, left)])
    assert refusals(first) == [None, EXCEEDED, None]
    assert refusals(await settle(rich, [withdrawal(1, "0.01")])) == [EXCEEDED]


async def test_what_moves_in_the_batch_that_gives_the_limits_counts_too(rich: Store) -> None:
    assert refusals(await settle(rich, [withdrawal(1, "60"), DAILY, withdrawal(1, "40.01")])) == [None, None, EXCEEDED]
    assert refusals(await settle(rich, [withdrawal(1, "40.01"), withdrawal(1, "40")])) == [EXCEEDED, None]


async def test_no_more_of_a_long_history_is_read_than_its_last_transactions(
    rich: Store, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await one_by_one(rich, [withdrawal(1, amount) for amount in ("500", "30", "20", "10")])
    monkeypatch.setattr(turnovers, "HISTORY_MAX", 3)
    assert refusals(await settle(rich, [DAILY, withdrawal(1, "40.01"), withdrawal(1, "40")])) == [None, EXCEEDED, None]
    [(_, _, [window])] = query(database, COUNTED)
    assert window["since"] == 2
    assert refusals(await settle(rich, [limiting(1, limit("1d", "101")), withdrawal(1, "1.01")])) == [None, EXCEEDED]
    [(_, version, [window])] = query(database, COUNTED)
    assert (version, window["since"]) == (6, 2), "what was counted goes on"


async def test_limits_that_are_taken_away_leave_nothing(rich: Store, database: Database) -> None:
    await settle(rich, [DAILY, withdrawal(1, "100")])
    assert refusals(await settle(rich, [limiting(1), withdrawal(1, "500")])) == [None, None]
    assert query(database, COUNTED) == []
    assert query(database, "SELECT limits FROM account WHERE id = 1") == [(None,)]
    assert refusals(await settle(rich, [DAILY, withdrawal(1, "0.01")])) == [None, EXCEEDED], "the books say it all"


async def test_an_account_is_opened_with_limits(store: Store) -> None:
    command = OpenAccount(1, "a@example.com", limits=(limit("1d", "5", "50.004"),), key="k")
    first, again = await one_by_one(store, [command, command])
    assert isinstance(first, Opened)
    assert exactly(again)["first"] == exactly(first)
    kept = await store.get_account(1, first.account.id)
    assert kept == first.account
    assert kept is not None
    assert str(kept.limits[0].in_) == "50.00"
    assert refusals(await settle(store, [payment(1, "50"), payment(1, "0.01")])) == [None, EXCEEDED]
    assert refusals(await settle(store, [withdrawal(1, "5"), withdrawal(1, "0.01")])) == [None, EXCEEDED]


async def test_other_changes_neither_lose_nor_restart_what_is_counted(rich: Store, database: Database) -> None:
    await settle(rich, [DAILY, withdrawal(1, "60")])
    (changed,) = await settle(rich, [ChangeAccount(1, 1, min_balance=Decimal(-5))])
    assert isinstance(changed, Changed)
    assert (changed.account.revision, changed.account.limits) == (2, (limit("1d", "100", "2000"),))
    assert query(database, "SELECT limits_version FROM turnover") == [(1,)]
    assert refusals(await settle(rich, [withdrawal(1, "40.01")])) == [EXCEEDED]


async def test_a_rehearsal_tells_of_limits_and_counts_nothing(rich: Store, database: Database) -> None:
    await settle(rich, [DAILY])
    before = query(database, COUNTED)
    told = await settle(rich.rehearsals, [withdrawal(1, "60"), withdrawal(1, "60"), limiting(1, limit("7d", "70"))])
    assert refusals(told) == [None, EXCEEDED, None]
    assert query(database, COUNTED) == before


async def test_a_refused_or_repeated_batch_counts_nothing(rich: Store, database: Database) -> None:
    await settle(rich, [DAILY, withdrawal(1, "60", key="k")])
    before = query(database, COUNTED)
    again: list[Command] = [
        withdrawal(1, "60", key="k"),
        withdrawal(1, "99"),
        group(withdrawal(1, "10"), withdrawal(1, "99")),
    ]
    assert refusals(await settle(rich, again)) == [None, EXCEEDED, Refusal.BATCH_REFUSED]
    assert query(database, COUNTED) == before


async def test_accounts_without_limits_ask_for_no_turnover_at_all(rich: Store, database: Database) -> None:
    """The role may not even look at the table, and nothing of what accounts without limits do needs that."""
    execute(database.owner_url, f"REVOKE ALL ON turnover FROM {embedded.SERVICE}")
    outcomes = await settle(rich, [transfer(1, 2, "1"), group(payment(1, "1"), hold(1, 2, "1")), opening(key="k")])
    assert refusals(outcomes) == [None, None, None]
    assert refusals(await settle(rich, [ChangeAccount(1, 1, email="new@example.com")])) == [None]


async def test_limits_of_several_ledgers_meet_in_one_batch(store: Store) -> None:
    await open_accounts(store, *[opening(ledger_id=ledger_id) for ledger_id in (1, 2)])
    await settle(store, [payment(1, "100"), payment(2, "100", ledger_id=2)])
    given = [limiting(1, limit("1d", "10")), limiting(2, limit("1d", "20"), ledger_id=2)]
    await settle(store, given)
    for _ in range(2):
        outcomes = await settle(store, [withdrawal(1, "5"), withdrawal(2, "10", ledger_id=2)])
        assert refusals(outcomes) == [None, None]
    assert refusals(await settle(store, [withdrawal(1, "1"), withdrawal(2, "1", ledger_id=2)])) == [EXCEEDED] * 2
