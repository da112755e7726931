from decimal import Decimal

import pytest
from msgspec import UNSET

from koshel import Account, Hold, Invalid, Kind, Ledger, Misuse, Promise, Promised, Refused, Transaction

pytestmark = pytest.mark.usefixtures("ann")


async def account(ledger: Ledger, account_id: int) -> Account:
    found = await ledger.account(account_id)
    assert found is not None
    return found


async def balances(ledger: Ledger, *ids: int) -> list[str]:
    return [str((await account(ledger, id_)).balance) for id_ in ids]


async def found(ledger: Ledger, transaction_id: int) -> Transaction | Promise:
    there = await ledger.transaction(transaction_id)
    assert there is not None
    return there


async def test_an_account_is_opened_as_it_was_asked_for(ledger: Ledger) -> None:
    opened = await ledger.open_account(
        "eve@Example.COM", currency="JPY", min_balance=-50, max_balance=None, metadata={"plan": "gold"}, key="eve"
    )
    assert (opened.email, opened.currency, opened.metadata) == ("eve@example.com", "JPY", {"plan": "gold"})
    assert (str(opened.balance), str(opened.min_balance), opened.max_balance) == ("0", "-50", None)
    assert await ledger.account(opened.id) == opened


async def test_an_account_is_opened_with_the_settings_defaults(ledger: Ledger) -> None:
    opened = await ledger.open_account("eve@example.com")
    assert (opened.currency, opened.max_balance) == ("USD", Decimal("999999.99"))


async def test_an_account_is_changed_and_only_where_it_is_asked(ledger: Ledger, ann: int) -> None:
    before = await account(ledger, ann)
    changed = await ledger.change_account(ann, min_balance="-20", metadata={"plan": "gold"})
    assert (str(changed.min_balance), changed.email) == ("-20.00", before.email)
    assert changed.metadata == {"plan": "gold"}
    assert (changed.version, changed.revision) == (before.version, before.revision + 1)
    assert await ledger.account(ann) == changed


async def test_a_change_that_expects_another_version_is_refused(ledger: Ledger, ann: int) -> None:
    read = await account(ledger, ann)
    await ledger.change_account(ann, status="frozen", expected=[(read.version, read.revision)])
    with pytest.raises(Refused) as caught:
        await ledger.change_account(ann, status="open", expected=[(read.version, read.revision)])
    assert caught.value.code == "version-mismatch"


async def test_money_comes_in_goes_across_and_leaves(ledger: Ledger, ann: int, bob: int) -> None:
    paid = await ledger.pay(bob, amount="7.50", metadata={"card": "4711"})
    moved = await ledger.transfer(source=ann, target=bob, amount=Decimal("12.50"))
    left = await ledger.withdraw(bob, amount=5)
    assert [one.kind for one in (paid, moved, left)] == ["payment", "transfer", "withdrawal"]
    assert await balances(ledger, ann, bob) == ["87.50", "15.00"]


async def test_a_hold_is_captured_in_parts_and_the_rest_is_free_again(ledger: Ledger, ann: int, bob: int) -> None:
    hold = await ledger.hold(source=ann, target=bob, amount="30", expires_in=60)
    assert (await account(ledger, ann)).held == 30
    first = await ledger.capture(hold.id, amount="10", final=False)
    assert (await found(ledger, hold.id)).status == "held"
    last = await ledger.capture(hold.id, amount="5")
    assert (await found(ledger, hold.id)).status == "captured"
    assert {first.parent_id, last.parent_id} == {hold.id}
    assert (await account(ledger, ann)).held == 0
    assert await balances(ledger, ann, bob) == ["85.00", "15.00"]


async def test_a_hold_for_a_withdrawal_is_voided(ledger: Ledger, ann: int) -> None:
    hold = await ledger.hold(source=ann, target=None, amount="30")
    await ledger.void(hold.id, metadata={"why": "out of stock"})
    assert (await found(ledger, hold.id)).status == "voided"
    assert (await account(ledger, ann)).held == 0


async def test_money_returns_in_parts(ledger: Ledger, ann: int, bob: int) -> None:
    moved = await ledger.transfer(source=ann, target=bob, amount="12.50")
    back = await ledger.refund(moved.id, amount="5")
    rest = await ledger.refund(moved.id)
    assert (str(back.amount), str(rest.amount), rest.kind) == ("5.00", "7.50", Kind.REFUND)
    assert await balances(ledger, ann, bob) == ["100.00", "0.00"]


async def test_a_batch_is_answered_member_by_member(ledger: Ledger, ann: int, bob: int) -> None:
    make = ledger.requests
    first, second = await ledger.batch(
        [make.transfer(source=ann, target=bob, amount=10), make.withdrawal(bob, amount=4)], key="legs"
    )
    assert isinstance(first, Transaction)
    assert isinstance(second, Transaction)
    assert first.group_id == second.group_id is not None
    again = await ledger.batch(
        [make.transfer(source=ann, target=bob, amount=10), make.withdrawal(bob, amount=4)], key="legs"
    )
    assert [one.id for one in again if isinstance(one, Transaction)] == [first.id, second.id]
    assert await balances(ledger, ann, bob) == ["90.00", "6.00"]


async def test_a_batch_that_is_not_atomic_returns_its_refusals(ledger: Ledger, ann: int, bob: int) -> None:
    make = ledger.requests
    paid, refused = await ledger.batch(
        [make.transfer(source=ann, target=bob, amount=10), make.transfer(source=ann, target=bob, amount=1000)],
        atomic=False,
    )
    assert isinstance(paid, Transaction)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.facts["available"]) == ("insufficient-funds", "90.00")


async def test_an_atomic_batch_is_refused_as_a_whole_and_says_by_which_member(
    ledger: Ledger, ann: int, bob: int
) -> None:
    make = ledger.requests
    with pytest.raises(Refused, match="batch-refused: index 1: insufficient-funds: account_id") as caught:
        await ledger.batch(
            [make.transfer(source=ann, target=bob, amount=10), make.transfer(source=ann, target=bob, amount=1000)]
        )
    assert (caught.value.code, caught.value.facts) == ("batch-refused", {"index": 1})
    assert caught.value.cause is not None
    assert caught.value.cause.code == "insufficient-funds"
    assert caught.value.cause.cause is None
    assert await balances(ledger, ann, bob) == ["100.00", "0.00"]


async def test_a_refusal_is_raised_with_its_code_and_its_facts(ledger: Ledger, ann: int, bob: int) -> None:
    with pytest.raises(Refused, match=r"insufficient-funds: account_id \d+, .*required 100\.01") as caught:
        await ledger.transfer(source=ann, target=bob, amount="100.01")
    facts = {"account_id": ann, "currency": "USD", "available": "100.00", "required": "100.01"}
    assert (caught.value.code, caught.value.facts, caught.value.cause) == ("insufficient-funds", facts, None)


async def test_a_key_gives_the_same_answer_for_ever(ledger: Ledger, ann: int, bob: int) -> None:
    first = await ledger.transfer(source=ann, target=bob, amount="5", key="order-17")
    assert (await ledger.transfer(source=ann, target=bob, amount="5", key="order-17")).id == first.id
    with pytest.raises(Refused) as caught:
        await ledger.transfer(source=ann, target=bob, amount="6", key="order-17")
    assert (caught.value.code, caught.value.facts) == ("idempotency-key-reused", {"field": "amount"})
    assert await balances(ledger, ann, bob) == ["95.00", "5.00"]


async def test_a_refusal_with_a_key_is_raised_again_whatever_has_changed(ledger: Ledger, ann: int, bob: int) -> None:
    for amount in ("0.01", "1"):
        with pytest.raises(Refused, match="insufficient-funds"):
            await ledger.transfer(source=bob, target=ann, amount="1", key="early")
        await ledger.pay(bob, amount=amount)


async def test_a_key_of_a_queued_transaction_raises_promised(ledger: Ledger, ann: int, bob: int) -> None:
    await ledger.enqueue(ledger.requests.transfer(source=ann, target=bob, amount="5", key="later"))
    with pytest.raises(Promised) as caught:
        await ledger.transfer(source=ann, target=bob, amount="5", key="later")
    assert (await found(ledger, caught.value.transaction_id)).status == "queued"


async def test_what_is_not_there_is_none(ledger: Ledger) -> None:
    assert await ledger.account(999) is None
    assert await ledger.transaction(999) is None


async def test_a_request_that_can_never_be_right_is_refused_before_it_is_sent(ledger: Ledger, ann: int) -> None:
    with pytest.raises(Invalid, match="amount must be more than zero"):
        await ledger.pay(ann, amount="0")
    with pytest.raises(Invalid, match="amount must be exact"):
        await ledger.pay(ann, amount=12.5)  # type: ignore[arg-type]  # a float is what it is about
    with pytest.raises(Misuse, match="email"):
        await ledger.open_account("nonsense")
    with pytest.raises(Misuse, match="email"):
        await ledger.change_account(ann, email="nonsense", metadata=UNSET)
    with pytest.raises(Misuse, match="key"):
        await ledger.batch([ledger.requests.payment(ann, amount=1, key="two\nlines")])
    with pytest.raises(Misuse, match="metadata"):
        await ledger.pay(ann, amount=1, metadata={"n": 1})  # type: ignore[dict-item]  # a row that nobody could read
    assert await balances(ledger, ann) == ["100.00"]


async def test_what_is_left_of_a_hold_and_what_was_refunded_is_read(ledger: Ledger, ann: int, bob: int) -> None:
    hold = await ledger.hold(source=ann, target=bob, amount="30", key="hold")
    moved = await ledger.capture(hold.id, amount="10", final=False)
    assert (hold.remaining, moved.refunded) == (None, None)
    read = await found(ledger, hold.id)
    assert isinstance(read, Hold)
    assert (read.status, str(read.remaining), read.expires_at) == ("held", "20.00", hold.expires_at)
    await ledger.void(hold.id)
    await ledger.refund(moved.id, amount="4")
    ended, sent_back = await found(ledger, hold.id), await found(ledger, moved.id)
    assert isinstance(ended, Hold)
    assert isinstance(sent_back, Transaction)
    assert (ended.status, str(ended.remaining), str(sent_back.refunded)) == ("voided", "0.00", "4.00")
    assert await ledger.hold(source=ann, target=bob, amount="30", key="hold") == hold
