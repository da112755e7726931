"""Notes on a posted transaction, changed by a program."""

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from koshel import Hold, Invalid, Ledger, Misuse, Promise, Refused, Transaction

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]


@pytest.fixture
async def paid(ledger: Ledger, ann: int) -> int:
    """A payment with notes."""
    return (await ledger.pay(ann, amount="5", metadata={"a": "1"}, description="rent")).id


async def test_a_transaction_is_read_with_the_notes_of_now(ledger: Ledger, paid: int) -> None:
    before = await ledger.transaction(paid)
    assert isinstance(before, Transaction)
    now = await ledger.annotate(paid, metadata_patch={"b": "2"}, description=None)
    assert (now.metadata, now.description) == ({"a": "1", "b": "2"}, None)
    assert await ledger.transaction(paid) == now
    changes = await ledger.changes_of_transaction(paid)
    assert changes is not None
    (change,) = changes
    assert change.changes == {"metadata": ({"a": "1"}, {"a": "1", "b": "2"}), "description": ("rent", None)}
    assert (change.revision, change.idempotency_key, change.ctime > before.ctime) == (1, None, True)


async def test_a_hold_stays_one(ledger: Ledger, ann: int) -> None:
    held = await ledger.hold(source=ann, target=None, amount="5")
    now = await ledger.annotate(held.id, description="room 7")
    assert isinstance(now, Hold)
    assert (now.remaining, now.status, now.description) == (held.amount, "held", "room 7")


async def test_two_changes_at_once_are_two_changes(ledger: Ledger, paid: int) -> None:
    patches = [{str(number): "x"} for number in range(20)]
    await asyncio.gather(*(ledger.annotate(paid, metadata_patch=patch) for patch in patches))
    now = await ledger.transaction(paid)
    assert now is not None
    assert now.metadata == {"a": "1"} | {str(number): "x" for number in range(20)}
    changes = await ledger.changes_of_transaction(paid)
    assert changes is not None
    assert [one.revision for one in changes] == [*range(1, 21)]


async def test_a_key_answers_for_ever(ledger: Ledger, paid: int) -> None:
    first = await ledger.annotate(paid, description="first", key="k")
    await ledger.annotate(paid, description="second")
    assert await ledger.annotate(paid, description="first", key="k") == first
    with pytest.raises(Refused, match="idempotency-key-reused"):
        await ledger.annotate(paid, description="other", key="k")


async def test_what_is_rehearsed_or_rolled_back_is_not_done(
    ledger: Ledger, connection: "Connection", paid: int
) -> None:
    before = await ledger.transaction(paid)
    assert (await ledger.rehearsal().annotate(paid, description="x")).description == "x"
    transaction = connection.transaction()
    await transaction.start()
    within = ledger.within(connection)
    assert (await within.annotate(paid, description="y")).description == "y"
    changes = await within.changes_of_transaction(paid)
    assert changes is not None
    assert len(changes) == 1
    await transaction.rollback()
    assert await ledger.transaction(paid) == before
    assert await ledger.changes_of_transaction(paid) == []


async def test_what_is_not_there_or_not_posted_is_refused(ledger: Ledger, ann: int) -> None:
    promise = await ledger.enqueue(ledger.requests.payment(ann, amount="1"))
    assert isinstance(promise, Promise)
    with pytest.raises(Refused) as refused:
        await ledger.annotate(promise.id, description="x")
    assert (refused.value.code, refused.value.facts) == (
        "not-posted",
        {"transaction_id": promise.id, "status": "queued"},
    )
    with pytest.raises(Refused, match="transaction-not-found"):
        await ledger.annotate(999, description="x")
    assert await ledger.changes_of_transaction(999) is None


@pytest.mark.parametrize(
    "said",
    [
        {"metadata": {}, "metadata_patch": {}},
        {"metadata": {"a": None}},
        {"metadata": None},
        {"description": ""},
        {"description": 7},
        {"key": ""},
    ],
)
async def test_what_can_never_be_right_is_refused_before_anything_is_sent(
    ledger: Ledger, paid: int, said: dict[str, Any]
) -> None:
    with pytest.raises(Invalid):
        await ledger.annotate(paid, **said)
    assert await ledger.changes_of_transaction(paid) == []


@pytest.mark.parametrize("id_", [0, -1, True, "1", 2**63])
async def test_what_can_be_no_id_is_refused(ledger: Ledger, id_: Any) -> None:
    with pytest.raises(Misuse):
        await ledger.annotate(id_, description="x")
    with pytest.raises(Misuse):
        await ledger.changes_of_transaction(id_)


async def test_the_changes_of_an_account_are_read_too(ledger: Ledger, connection: "Connection") -> None:
    account = await ledger.open_account("ann@example.com", name="ann", limits=[{"per": "1d", "out": "5"}], key="k")
    await ledger.change_account("@ann", status="frozen", limits=None)
    changes = await ledger.changes_of_account("@ann")
    assert changes is not None
    assert await ledger.changes_of_account(account.id) == changes
    opening, frozen = changes
    assert (opening.revision, opening.idempotency_key, opening.ctime) == (0, "k", account.ctime)
    assert opening.changes["limits"] == (None, account.limits)
    assert opening.changes["max_balance"] == (None, account.max_balance)
    assert frozen.changes == {"status": ("open", "frozen"), "limits": (account.limits, None)}
    transaction = connection.transaction()
    await transaction.start()
    within = ledger.within(connection)
    await within.change_account(account.id, status="open")
    seen = await within.changes_of_account(account.id)
    assert seen is not None
    assert len(seen) == 3
    await transaction.rollback()
    assert await ledger.changes_of_account("@ann") == changes
    assert await ledger.changes_of_account(999) is None
    with pytest.raises(Misuse):
        await ledger.changes_of_account("ann")
