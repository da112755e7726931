from typing import Any

import pytest

from tests.http.conftest import OpenAccount
from tests.support.service import Running


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
        assert service.call("GET", answer.headers["Location"]).body == answer.body
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
