"""Accounts that change and money that moves, in one batch: the rows see only how it ends."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal

import pytest

from koshel.core.commands import ChangeAccount, Command, Status
from koshel.core.model import Changed, Posted, Refusal
from koshel.db.store import Store
from koshel.retry import settle_again
from koshel.settle import settle
from tests.support.database import Database
from tests.support.settled import open_accounts, opening, query, refusals
from tests.support.wallets import capture, group, hold, payment, refund, transfer, void, withdrawal

pytestmark = pytest.mark.usefixtures("books")

ROW = "SELECT balance::text, held::text, version, revision, min_balance::text, max_balance::text, status FROM account"


def change(account_id: int, **fields: object) -> ChangeAccount:
    return ChangeAccount(1, account_id, **fields)  # type: ignore[arg-type]  # by name


# With 100.00 on account 1 and nothing on 2: what is done together; what is refused; the row of account 1.
CROSSINGS: dict[str, tuple[Sequence[Command], list[str | None], tuple[object, ...]]] = {
    "all withdrawn, and closed": (
        [withdrawal(1, "100"), change(1, status=Status.CLOSED)],
        [None, None],
        ("0.00", "0.00", 2, 1, "0.00", "1000.00", "closed"),
    ),
    "closed before all is withdrawn": (
        [change(1, status=Status.CLOSED), withdrawal(1, "100")],
        ["account-not-empty", None],
        ("0.00", "0.00", 2, 0, "0.00", "1000.00", "open"),
    ),
    "closed, and then paid": (
        [withdrawal(1, "100"), change(1, status=Status.CLOSED), payment(1, "1"), change(1, status=Status.OPEN)],
        [None, None, "account-closed", "account-closed"],
        ("0.00", "0.00", 2, 1, "0.00", "1000.00", "closed"),
    ),
    "an overdraft line, and used": (
        [change(1, min_balance=Decimal(-50)), withdrawal(1, "150")],
        [None, None],
        ("-50.00", "0.00", 2, 1, "-50.00", "1000.00", "open"),
    ),
    "an overdraft line, used, and gone": (
        [
            change(1, min_balance=Decimal(-50)),
            withdrawal(1, "150"),
            payment(1, "50"),
            change(1, min_balance=Decimal(0)),
        ],
        [None] * 4,
        ("0.00", "0.00", 3, 2, "0.00", "1000.00", "open"),
    ),
    "an overdraft line that is still used": (
        [change(1, min_balance=Decimal(-50)), withdrawal(1, "150"), change(1, min_balance=Decimal(-49))],
        [None, None, "insufficient-funds"],
        ("-50.00", "0.00", 2, 1, "-50.00", "1000.00", "open"),
    ),
    "a ceiling raised, and passed": (
        [payment(1, "901"), change(1, max_balance=Decimal(2_000)), payment(1, "901")],
        ["balance-limit-exceeded", None, None],
        ("1001.00", "0.00", 2, 1, "0.00", "2000.00", "open"),
    ),
    "a ceiling lowered to what is left": (
        [withdrawal(1, "90"), change(1, max_balance=Decimal(10)), payment(1, "0.01")],
        [None, None, "balance-limit-exceeded"],
        ("10.00", "0.00", 2, 1, "0.00", "10.00", "open"),
    ),
    "changed twice, by who knew it": (
        [
            change(1, max_balance=None, expected=((1, 0),)),
            change(1, email="b@example.com", expected=((1, 0),)),
            change(1, min_balance=Decimal(-1), expected=((1, 1),)),
        ],
        [None, "version-mismatch", None],
        ("100.00", "0.00", 1, 2, "-1.00", None, "open"),
    ),
    "frozen, used, and thawed": (
        [
            change(1, status=Status.FROZEN),
            transfer(1, 2, "1"),
            payment(1, "1"),
            hold(1, 2, "1"),
            change(1, status=Status.OPEN),
            transfer(1, 2, "1"),
        ],
        [None, *["account-frozen"] * 3, None, None],
        ("99.00", "0.00", 2, 2, "0.00", "1000.00", "open"),
    ),
    "held, and frozen": (
        [hold(1, 2, "30"), change(1, status=Status.FROZEN, max_balance=None)],
        [None, None],
        ("100.00", "30.00", 2, 1, "0.00", None, "frozen"),
    ),
    "held, and not to be closed": (
        [hold(1, 2, "100"), change(1, min_balance=Decimal(-1)), change(1, status=Status.CLOSED)],
        [None, None, "account-not-empty"],
        ("100.00", "100.00", 2, 1, "-1.00", "1000.00", "open"),
    ),
    "a floor that held money stands in the way of": (
        [change(1, min_balance=Decimal(-50)), hold(1, 2, "120"), change(1, min_balance=Decimal(-19))],
        [None, None, "insufficient-funds"],
        ("100.00", "120.00", 2, 1, "-50.00", "1000.00", "open"),
    ),
    "a group of which nothing is done": (
        [change(1, max_balance=None), group(withdrawal(1, "60"), withdrawal(1, "60")), change(1, status=Status.FROZEN)],
        [None, "batch-refused", None],
        ("100.00", "0.00", 1, 2, "0.00", None, "frozen"),
    ),
}


@pytest.mark.parametrize("name", CROSSINGS)
@pytest.mark.parametrize("together", [True, False], ids=["together", "one by one"])
async def test_changes_and_money_in_one_batch_end_as_if_they_came_alone(
    store: Store,
    database: Database,
    name: str,
    together: bool,  # noqa: FBT001  a parameter of the test
) -> None:
    ann, _ = await open_accounts(store, opening(), opening())
    await settle(store, [payment(ann, "100")])
    commands, refused, row = CROSSINGS[name]
    batches = [commands] if together else [[command] for command in commands]
    outcomes = [outcome for batch in batches for outcome in await settle(store, batch)]
    assert refusals(outcomes) == refused
    assert query(database, f"{ROW} WHERE id = {ann}") == [row]


async def test_what_a_change_answers_is_what_is_read(store: Store) -> None:
    ann, bob = await open_accounts(store, opening(), opening())
    fields = {"email": "b@example.com", "metadata": {"имя": "Аня"}, "max_balance": None, "min_balance": Decimal("-2.5")}
    first, _, second = await settle(store, [change(ann, **fields), payment(ann, "5"), change(bob, metadata={})])
    assert isinstance(first, Changed)
    assert isinstance(second, Changed)
    assert (first.account.version, str(first.account.balance)) == (0, "0.00")
    read = await store.get_account(1, ann)
    assert read is not None
    assert (read.email, read.metadata, read.max_balance, read.revision) == ("b@example.com", {"имя": "Аня"}, None, 1)
    assert (read.version, str(read.balance), str(read.min_balance)) == (1, "5.00", "-2.50")
    assert await store.get_account(1, bob) == second.account


async def test_another_ledgers_account_cannot_be_changed(store: Store) -> None:
    (ann,) = await open_accounts(store, opening(ledger_id=2))
    outcomes = await settle(store, [change(ann, status=Status.CLOSED), change(404, status=Status.CLOSED)])
    assert refusals(outcomes) == [Refusal.ACCOUNT_NOT_FOUND] * 2


async def test_of_two_who_change_the_same_version_at_once_one_wins(store: Store) -> None:
    (ann,) = await open_accounts(store, opening())
    answers = await asyncio.gather(
        *(settle_again(store, [change(ann, email=f"{n}@example.com", expected=((0, 0),))]) for n in range(8))
    )
    refused = refusals([one for (one,) in answers])
    assert (refused.count(None), refused.count(Refusal.VERSION_MISMATCH)) == (1, 7)


async def test_a_closed_account_can_still_be_read_and_its_past_cannot_be_sent_back(store: Store) -> None:
    ann, bob = await open_accounts(store, opening(), opening())
    paid, sent, _ = await settle(store, [payment(ann, "5"), transfer(ann, bob, "5"), change(ann, status=Status.CLOSED)])
    assert isinstance(paid, Posted)
    assert isinstance(sent, Posted)
    assert refusals(await settle(store, [refund(paid.id), refund(sent.id)])) == [Refusal.ACCOUNT_CLOSED] * 2
    account = await store.get_account(1, ann)
    assert account is not None
    assert account.status == Status.CLOSED


async def test_a_hold_of_a_frozen_account_is_voided_but_not_captured(store: Store) -> None:
    ann, bob = await open_accounts(store, opening(), opening())
    _, held = await settle(store, [payment(ann, "5"), hold(ann, bob, "5")])
    assert isinstance(held, Posted)
    outcomes = await settle(store, [change(ann, status=Status.FROZEN), capture(held.id), void(held.id)])
    assert refusals(outcomes) == [None, Refusal.ACCOUNT_FROZEN, None]
