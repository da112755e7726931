"""Accounts by names in a program: "@" and the name stands where an id may, and nothing else is taken for one."""

from typing import Any

import pytest

from koshel import Account, Hold, Invalid, Ledger, Promise, Refused, Transaction
from koshel.asking.group_requests import MemberRequest

pytestmark = pytest.mark.usefixtures("ann")


async def test_an_account_is_opened_found_and_changed_by_its_name(ledger: Ledger) -> None:
    opened = await ledger.open_account("eve@example.com", name="users:42", key="eve")
    assert opened.name == "users:42"
    assert await ledger.open_account("eve@example.com", name="users:42", key="eve") == opened
    assert await ledger.account("@users:42") == await ledger.account(opened.id) == opened
    assert await ledger.account("@users:43") is None
    changed = await ledger.change_account("@users:42", metadata={"plan": "gold"})
    assert (changed.id, changed.name, changed.metadata) == (opened.id, "users:42", {"plan": "gold"})
    with pytest.raises(Refused) as caught:
        await ledger.open_account("eve@example.com", name="users:42")
    assert (caught.value.code, caught.value.facts["field"]) == ("name-taken", "name")


async def test_an_account_is_ensured_as_often_as_one_likes(ledger: Ledger) -> None:
    first = await ledger.ensure_account("users:42", email="eve@example.com", max_balance=None)
    assert await ledger.ensure_account("users:42", email="eve@example.com") == first
    with pytest.raises(Refused) as caught:
        await ledger.ensure_account("users:42", email="eve@example.com", max_balance=5)
    assert (caught.value.code, caught.value.facts["field"]) == ("name-taken", "max_balance")


async def test_money_moves_by_names(ledger: Ledger, ann: int) -> None:
    eve = await ledger.open_account("eve@example.com", name="eve")
    moved = await ledger.transfer(source=ann, target="@eve", amount="10")
    assert (moved.target_account_id, moved.source, moved.target) == (eve.id, None, "eve")
    paid = await ledger.pay("@eve", amount="1")
    taken = await ledger.withdraw("@eve", amount="1")
    held = await ledger.hold(source="@eve", target=ann, amount="2")
    assert isinstance(held, Hold)
    assert [paid.target, taken.source, held.source, held.target] == ["eve", "eve", "eve", None]
    assert await ledger.transaction(moved.id) == await ledger.transaction(moved.id)
    later = await ledger.enqueue(ledger.requests.transfer(source="@eve", target="@late", amount="1"))
    assert isinstance(later, Promise)
    assert (later.source, later.target, later.target_account_id) == ("eve", "late", None)
    with pytest.raises(Refused) as caught:
        await ledger.pay("@nobody", amount="1")
    assert caught.value.facts == {"name": "nobody", "field": "target"}


async def test_a_batch_opens_an_account_and_pays_into_it(ledger: Ledger) -> None:
    make = ledger.requests
    members: list[MemberRequest] = [
        make.ensure_account("eve", email="eve@example.com"),
        make.payment("@eve", amount="5", key="welcome"),
    ]
    opened, paid = await ledger.batch(members)
    again, replayed = await ledger.batch(members)
    assert isinstance(opened, Account)
    assert isinstance(paid, Transaction)
    assert paid.target_account_id == opened.id
    assert isinstance(again, Account)
    assert (again.id, str(again.balance), replayed) == (opened.id, "5.00", paid)
    with pytest.raises(Invalid, match="transactions/0/open does not go with a key of the whole batch"):
        await ledger.batch(members, key="all")


async def test_a_rehearsal_opens_nothing_and_gives_no_id(ledger: Ledger) -> None:
    rehearsal, make = ledger.rehearsal(), ledger.requests
    opened = await rehearsal.ensure_account("eve", email="eve@example.com")
    assert (opened.id, opened.name) == (0, "eve")
    opening, paying = make.ensure_account("eve", email="e@example.com"), make.payment("@eve", amount=1)
    member, paid = await rehearsal.batch([opening, paying])
    assert isinstance(member, Account)
    assert isinstance(paid, Transaction)
    assert (member.id, paid.target_account_id, paid.target) == (0, 0, "eve")
    with pytest.raises(Refused) as caught:
        await rehearsal.batch([opening, make.withdrawal("@eve", amount=1)])
    cause = caught.value.cause
    assert cause is not None
    assert (cause.code, cause.facts["name"], "account_id" in cause.facts) == ("insufficient-funds", "eve", False)
    assert await ledger.account("@eve") is None


@pytest.mark.parametrize("account", ["1", "eve", "", "@", "@a b", "@" + "a" * 101, "@é", "@a\n", "@@a"])
async def test_what_is_neither_an_id_nor_a_name_is_refused_before_anything_is_sent(
    ledger: Ledger, account: str
) -> None:
    make = ledger.requests
    for call in (
        lambda: make.payment(account, amount=1),
        lambda: make.transfer(source=1, target=account, amount=1),
        lambda: make.hold(source=account, target=None, amount=1),
        lambda: make.change_account(account),
    ):
        with pytest.raises(Invalid, match="must be an id, or @ and the name of an account"):
            call()
    with pytest.raises(Invalid):
        await ledger.account(account)


@pytest.mark.parametrize("name", ["", "a b", "é", "a" * 101, "@a", 42, None])
async def test_what_can_be_no_name_is_refused(ledger: Ledger, name: Any) -> None:
    with pytest.raises(Invalid, match=r"^name must be"):
        await ledger.ensure_account(name, email="eve@example.com")
