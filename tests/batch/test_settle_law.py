"""The law on a real database: where one batch ends changes neither an answer nor a row."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from koshel.core.commands import Command, Execute, Group, Member
from koshel.core.model import Declined, Outcome, Refusal, Replayed
from koshel.core.originals import kind_of
from koshel.db.settling.known import AccountNames
from koshel.db.store import Store
from koshel.db.verifying.verify import verify
from koshel.settle import settle
from tests.support.bookkeeping import execute
from tests.support.database import Database
from tests.support.settled import exactly, open_accounts, opening, query, timeless
from tests.support.strategies import IDS, requests
from tests.support.wallets import capture, group, hold, payment, refund, transfer, void, withdrawal

pytestmark = pytest.mark.usefixtures("books")

EMPTY = (
    "TRUNCATE account, transaction, receipt, batch, hold, queued, declined, cancelled, turnover, split, exchange",
    "TRUNCATE transaction_change, account_change",
    "ALTER SEQUENCE account_id RESTART",
    "ALTER SEQUENCE transaction_id RESTART WITH 101",
    "ALTER SEQUENCE group_id RESTART",
)
# What the commands refer to: 101 to 104 have moved money, 105 to 109 are holds, 110 to 116 what follows.
PAST: Sequence[Sequence[Command]] = [
    [payment(1, "2"), payment(2, "30"), transfer(2, 1, "20"), payment(3, "10")],
    [hold(1, None, "1"), hold(1, 3, "2"), hold(2, 3, "1", seconds=0), hold(2, None, "2"), hold(1, 3, "1")],
    [capture(105, "0.5", final=False), void(109), refund(101, "1"), group(transfer(3, 1, "1"))],
    [withdrawal(3, "2")],
    [refund(114, "0.5"), capture(108)],
]
# Queued transactions that are executed by their ids, in this order, and one that was refused.
QUEUED = (
    """INSERT INTO queued SELECT 1, n, '{"kind": "transfer"}', now(), 0, NULL, now()
    FROM generate_series(201, 300) AS n""",
    """INSERT INTO declined VALUES (1, 150, '{"kind": "hold"}', '{}', now())""",
    "ALTER SEQUENCE transaction_id RESTART WITH 1001",
)
# Every row, but for ids, times, and the order in which they are given.
ROWS = (
    """SELECT ledger_id, id, email, currency, scale, balance, held, version, revision, min_balance, max_balance, status,
    metadata::text, idempotency_key, name, limits::text FROM account""",
    """SELECT ledger_id, kind, source_account_id, target_account_id, amount, source_balance, target_balance,
    source_version, target_version, parent_id, group_id IS NULL, idempotency_key, metadata::text, source_held,
    target_held, CASE WHEN id BETWEEN 201 AND 300 THEN id END FROM transaction""",
    """SELECT ledger_id, idempotency_key, transaction_id IS NULL, answer ->> 'type', answer ->> 'refusal',
    request::text FROM receipt""",
    "SELECT t.source_account_id, t.source_version, hold.amount FROM hold JOIN transaction AS t USING (ledger_id, id)",
    """SELECT ledger_id, CASE WHEN id BETWEEN 201 AND 300 THEN id END, promise #>> '{command}' FROM queued""",
    "SELECT ledger_id, id, answer ->> 'refusal' FROM declined",
    "SELECT ledger_id, account_id, limits_version FROM turnover",
    "SELECT ledger_id, account_id, revision, email, max_balance, status, metadata, limits FROM account_change",
    "SELECT ledger_id, transaction_id, revision, metadata, description, idempotency_key FROM transaction_change",
)
LETTERS = "mmmooaahhhcccvvxrrrnneqqggg"

commands_on_past = requests(LETTERS)
on_database = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def kinds(commands: Iterable[Command | Member]) -> Iterator[str]:
    """What is queued is of the kind of what is executed."""
    for one in commands:
        if isinstance(one, Group):
            yield from kinds(one.members)
        elif isinstance(one, Execute):
            kind = kind_of(one.command)
            yield f"UPDATE queued SET promise = jsonb_build_object('kind', '{kind}') WHERE id = {one.id}"


async def begin(store: Store, database: Database, commands: Sequence[Command]) -> None:
    """Three accounts with their past, and what the commands will execute, and nothing else."""
    await asyncio.to_thread(execute, database.owner_url, *EMPTY)
    store._known.names = AccountNames()
    few = [opening(), opening(floor="-5"), opening()]
    assert await open_accounts(store, *[replace(one, name=f"users:{id_}") for id_, one in enumerate(few, 1)]) == [*IDS]
    for batch in PAST:
        assert not [one for one in await settle(store, batch) if isinstance(one, Declined)]
    await asyncio.to_thread(execute, database.owner_url, *QUEUED, *kinds(commands))


async def prove(database: Database) -> None:
    """The books are right, and empty afterwards: what is queued in them is none that could be proved."""
    found = await asyncio.to_thread(verify, database.owner_url)
    assert [sentence for sentence in found if ": the promise of transaction " not in sentence] == []
    await asyncio.to_thread(execute, database.owner_url, *EMPTY)


def everything(database: Database) -> list[list[tuple[Any, ...]]]:
    return [sorted(query(database, sql), key=repr) for sql in ROWS]


@on_database
@given(commands=commands_on_past, data=st.data())
async def test_where_one_batch_ends_and_the_next_begins_changes_neither_an_answer_nor_a_row(
    store: Store, database: Database, commands: list[Command], data: st.DataObject
) -> None:
    first, second = sorted(data.draw(st.tuples(*[st.integers(0, len(commands))] * 2)))
    await begin(store, database, commands)
    whole = [timeless(one) for one in await settle(store, commands)]
    rows = await asyncio.to_thread(everything, database)
    await prove(database)
    await begin(store, database, commands)
    cut: list[Outcome] = []
    for batch in (commands[:first], commands[first:second], commands[second:]):
        cut += await settle(store, batch) if batch else []
    assert [timeless(one) for one in cut] == whole
    assert await asyncio.to_thread(everything, database) == rows
    await prove(database)


@on_database
@given(commands=commands_on_past)
async def test_a_key_gives_its_first_answer_for_ever_to_the_last_digit(
    store: Store, database: Database, commands: list[Command]
) -> None:
    await begin(store, database, commands)
    first = await settle(store, commands)
    before = await asyncio.to_thread(everything, database)
    keyed = [(c, one) for c, one in zip(commands, first, strict=True) if c.key is not None and not is_reuse(one)]
    for again in (await settle(store, [command for command, _ in keyed]), await alone(store, keyed)):
        assert [exactly(one) for one in again] == [exactly(replayed(one)) for _, one in keyed]
    assert await asyncio.to_thread(everything, database) == before
    await prove(database)


async def alone(store: Store, keyed: Sequence[tuple[Command, Outcome]]) -> list[Outcome]:
    return [outcome for command, _ in keyed for outcome in await settle(store, [command])]


def is_reuse(one: Outcome) -> bool:
    """Whether the key answers another request, or is its member's."""
    return isinstance(one, Declined) and one.refusal is Refusal.IDEMPOTENCY_KEY_REUSED


def replayed(one: Outcome) -> Outcome:
    """What its key answers from now on."""
    return one if isinstance(one, Replayed) else Replayed(one)  # type: ignore[arg-type]  # what has a key is a first one
