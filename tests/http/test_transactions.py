from typing import Any

import pytest

from tests.http.conftest import OpenAccount
from tests.support.service import Running
from tests.support.till import Till, made


def test_a_payment_a_transfer_and_a_withdrawal_are_on_the_books(service: Running, open_account: OpenAccount) -> None:
    ann, bob = open_account(), open_account()
    calls: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        (
            f"/account/{ann}/payment",
            {"amount": "100", "metadata": {"order": "1"}},
            {"kind": "payment", "source_account_id": None, "target_account_id": ann, "metadata": {"order": "1"}},
        ),
        (
            "/transaction",
            {"source_account_id": ann, "target_account_id": bob, "amount": 12.5},
            {"kind": "transfer", "source_account_id": ann, "target_account_id": bob, "amount": "12.50"},
        ),
        (
            f"/account/{bob}/withdrawal",
            {"amount": "2.505"},
            {"kind": "withdrawal", "source_account_id": bob, "target_account_id": None, "amount": "2.50"},
        ),
    ]
    for path, body, expected in calls:
        answer = service.call("POST", path, body)
        assert answer.status == 201
        assert answer.headers["Location"] == f"/transaction/{answer.body['id']}"
        assert answer.body == answer.body | expected
        assert answer.body["status"] == "posted"
        assert answer.body["currency"] == "USD"
        assert [answer.body[name] for name in ("parent_id", "group_id", "idempotency_key")] == [None, None, None]
        read = service.call("GET", answer.headers["Location"]).body
        assert read == answer.body | {"refunded": "0.00", "effective_on": answer.body["ctime"][:10]}
    assert service.call("GET", f"/account/{ann}").body["balance"] == "87.50"
    assert service.call("GET", f"/account/{bob}").body["balance"] == "10.00"
    assert service.call("GET", f"/account/{ann}").body["version"] == 2


@pytest.mark.parametrize(
    ("currency", "sent", "posted"),
    [
        ("USD", "0.005", None),
        ("USD", "0.015", "0.02"),
        ("USD", "0.025", "0.02"),
        ("USD", "0.0150000000000000000000000000000000000001", "0.02"),
        ("USD", "0.0050000000000000000000000000000000000001", "0.01"),
        ("USD", 1e2, "100.00"),
        ("JPY", "0.5", None),
        ("JPY", "1.5", "2"),
        ("KWD", "1", "1.000"),
    ],
)
def test_amounts_are_rounded_half_even_to_the_currencys_decimals(
    service: Running, open_account: OpenAccount, currency: str, sent: str | float, posted: str | None
) -> None:
    answer = service.call("POST", f"/account/{open_account(currency=currency)}/payment", {"amount": sent})
    if posted is None:
        assert (answer.status, answer.body["errors"][0]["pointer"]) == (422, "/amount")
    else:
        assert answer.body["amount"] == posted


def test_a_balance_may_have_eighteen_digits_and_no_more(service: Running, open_account: OpenAccount) -> None:
    account_id = open_account(max_balance=None)
    most = "9" * 18
    assert service.call("POST", f"/account/{account_id}/payment", {"amount": most}).status == 201
    refused = service.call("POST", f"/account/{account_id}/payment", {"amount": "1"})
    assert (refused.status, refused.body["code"]) == (409, "balance-limit-exceeded")
    assert service.call("GET", f"/account/{account_id}").body["balance"] == f"{most}.00"


def test_every_transaction_reads_as_it_was_answered(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    hold = made(till.hold(ann, bob, "10"))
    answers = [
        till.pay(ann, "1"),
        till.withdraw(ann, "1"),
        till.transfer(ann, bob, "1"),
        till.hold(ann, None, "1"),
        till.capture(hold["id"], "1", final=False),
        till.refund(made(till.transfer(ann, bob, "5"))["id"], "1"),
        till.void(hold["id"]),
    ]
    for answer in answers:
        transaction = made(answer)
        assert answer.headers["Location"] == f"/transaction/{transaction['id']}"
        assert till.answered(transaction["id"]) == transaction
        assert ("expires_at" in transaction) == (transaction["kind"] == "hold")
        assert "problem" not in transaction


def test_the_members_of_a_transaction_come_in_the_order_that_the_contract_has(till: Till) -> None:
    ann = till.open("10")
    names = [
        *("id", "kind", "status", "source_account_id", "target_account_id", "amount", "currency"),
        *("parent_id", "group_id", "idempotency_key", "metadata", "ctime"),
    ]
    assert list(made(till.withdraw(ann, "1"))) == names
    assert list(made(till.hold(ann, None, "1"))) == [*names, "expires_at"]
    declined = till.decided(till.enqueue(f"/account/{ann}/withdrawal", {"amount": "100"})["id"])
    assert list(declined) == [*names, "problem"]


def test_a_transaction_keeps_its_notes(till: Till) -> None:
    notes = {"order": "7", "ключ": "кошель", "empty": "", "k" * 40: "v" * 500}
    ann = till.open("10")
    payment = made(till.post(f"/account/{ann}/payment", {"amount": "1", "metadata": notes}))
    assert till.transaction(payment["id"])["metadata"] == notes
    many = {str(n): str(n) for n in range(50)}
    assert made(till.post(f"/account/{ann}/payment", {"amount": "1", "metadata": many}))["metadata"] == many
