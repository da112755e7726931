"""The law on a real database."""

import asyncio

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from koshel.core.model import Command, Declined, Opened, Outcome, Posted, Replayed
from koshel.db.store import Store
from koshel.db.verify import verify
from koshel.settle import settle
from tests.support.bookkeeping import execute
from tests.support.database import Database
from tests.support.settled import open_accounts, opening
from tests.support.strategies import IDS, requests
from tests.support.wallets import NOW, payment

pytestmark = pytest.mark.usefixtures("books")

EMPTY = (
    "TRUNCATE account, transaction, receipt, batch",
    "ALTER SEQUENCE account_id RESTART",
    "ALTER SEQUENCE transaction_id RESTART",
)


async def settled_from_nothing(store: Store, database: Database, *batches: list[Command]) -> list[bytes]:
    """What the batches answer on an empty database with three accounts, as text without ids and times."""
    await asyncio.to_thread(execute, database.owner_url, *EMPTY)
    ids = await open_accounts(store, opening(), opening(floor="-5"), opening("WEI"))
    assert ids == list(IDS)
    await settle(store, [payment(one, "10") for one in ids])
    outcomes = [timeless(outcome) for batch in batches if batch for outcome in await settle(store, batch)]
    # A fact's or a note's place among the others is not kept by jsonb, and means nothing.
    return [msgspec.json.encode(outcome, order="deterministic") for outcome in outcomes]


def timeless(outcome: Outcome) -> Outcome:
    match outcome:
        case Posted():
            return replace(outcome, id=0, ctime=NOW)
        case Opened(command, account):
            return Opened(command, replace(account, id=0, ctime=NOW))
        case Replayed(first):
            return replace(outcome, first=timeless(first))
        case Declined():
            return outcome


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(commands=requests(), data=st.data())
async def test_where_one_batch_ends_and_the_next_begins_never_changes_an_answer(
    store: Store, database: Database, commands: list[Command], data: st.DataObject
) -> None:
    first, second = sorted(data.draw(st.tuples(*[st.integers(0, len(commands))] * 2)))
    whole = await settled_from_nothing(store, database, commands)
    assert verify(database.owner_url) == []
    cut = [commands[:first], commands[first:second], commands[second:]]
    assert await settled_from_nothing(store, database, *cut) == whole
