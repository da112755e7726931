"""Exchanges: what moves, what is answered, and what is not."""

from itertools import count
from typing import Any

import pytest

from tests.http.test_refusals import assert_problem
from tests.support.service import Answer
from tests.support.till import Till, found, made

_codes = count(1)


@pytest.fixture
def ann(till: Till) -> int:
    """An account with 100.00 USD."""
    return till.open("100")


@pytest.fixture
def bob(till: Till) -> int:
    """An empty account in EUR."""
    return till.open(currency="EUR")


def exchange(till: Till, source: int, target: int, amount: str = "10", query: str = "", /, **said: Any) -> Answer:
    headers = {"Idempotency-Key": said.pop("key")} if "key" in said else {}
    body = {"source_account_id": source, "target_account_id": target, "source_amount": amount} | said
    return till.post(f"/exchange{query}", body, **headers)


def held(till: Till, currency: str) -> dict[str, Any]:
    """The exchange account of a currency."""
    return found(till.call("GET", f"/account/@exchange:{currency}"))


def moved(answer: Answer) -> list[dict[str, Any]]:
    """Both transactions."""
    assert answer.status == 201, answer.body
    return [one["transaction"] for one in answer.body["results"]]


def test_money_goes_into_one_exchange_account_and_comes_out_of_another(till: Till, ann: int, bob: int) -> None:
    answer = exchange(till, ann, bob, "100.00", target_amount="91.37", reference="trip 7", metadata={"of": "Ann"})
    given, gotten = moved(answer)
    dollars, euros = held(till, "USD"), held(till, "EUR")
    assert (given["source_account_id"], given["target_account_id"], given["amount"]) == (ann, dollars["id"], "100.00")
    assert (gotten["source_account_id"], gotten["target_account_id"], gotten["amount"]) == (euros["id"], bob, "91.37")
    assert (given["target"], gotten["source"]) == ("exchange:USD", "exchange:EUR")
    assert given["group_id"] == gotten["group_id"] == answer.body["group_id"] > 0
    for one in (given, gotten):
        assert (one["kind"], one["status"], one["reference"]) == ("transfer", "posted", "trip 7")
        assert (one["metadata"], one["idempotency_key"]) == ({"of": "Ann"}, None)
        assert found(till.call("GET", f"/transaction/{one['id']}"))["amount"] == one["amount"]
    assert (till.account(ann)["balance"], till.account(bob)["balance"]) == ("0.00", "91.37")
    assert "rate" not in answer.body


@pytest.mark.parametrize(
    ("amount", "currency", "rate", "gotten"),
    [
        ("100.00", "EUR", "0.9137", "91.37"),
        ("1.00", "EUR", "0.125", "0.12"),  # half to even
        ("1.00", "EUR", "0.135", "0.14"),
        ("1.00", "EUR", "0.1250000000000000000000000001", "0.13"),  # more than half: no digit is lost before rounding
        ("10", "JPY", "151.55", "1516"),
        ("10", "JPY", "151.45", "1514"),
        ("1", "KWD", "0.3075", "0.308"),
        ("0.01", "JPY", "999999999999999999", "10000000000000000"),
        ("3", "EUR", "0.3333333333333333333333333333333333333333333333333333333333333333", "1.00"),
    ],
)
def test_a_rate_is_applied_exactly_and_rounded_once_half_to_even(
    till: Till, amount: str, currency: str, rate: str, gotten: str
) -> None:
    source, target = till.open("100"), till.open(currency=currency, max_balance=None)
    answer = exchange(till, source, target, amount, rate=rate)
    assert (moved(answer)[1]["amount"], answer.body["rate"]) == (gotten, rate)


@pytest.mark.parametrize("rate", ["0.9000", "1", "12.50", "0.00000010"])
def test_a_rate_keeps_the_digits_that_it_was_given_with(till: Till, ann: int, rate: str) -> None:
    target = till.open(currency="EUR")
    if rate == "0.00000010":
        target, rate = till.open(currency="EUR", max_balance=None), "10.00000010"
    assert exchange(till, ann, target, rate=rate).body["rate"] == rate


@pytest.mark.parametrize(("sent", "kept"), [("00.5", "0.5"), ("0.91370", "0.91370"), (5e-1, "0.5")])
def test_a_rate_keeps_its_decimals_and_no_zeros_before_it(till: Till, ann: int, sent: Any, kept: str) -> None:
    answer = exchange(till, ann, till.open(currency="EUR"), "1", rate=sent)
    assert answer.body["rate"] == kept


def test_the_source_amount_is_rounded_before_the_rate_is_applied(till: Till, ann: int, bob: int) -> None:
    given, gotten = moved(exchange(till, ann, bob, "0.014", rate="10"))
    assert (given["amount"], gotten["amount"]) == ("0.01", "0.10")


def test_accounts_are_asked_for_by_names_too(till: Till, ann: int) -> None:
    name = f"traveller:{next(_codes)}"
    made(till.call("PUT", f"/account/@{name}", {"email": "a@example.com", "currency": "EUR"}))
    body = {"source_account_id": ann, "target": name, "source_amount": "10", "rate": "0.9"}
    assert moved(till.post("/exchange", body))[1]["target"] == name
    assert_problem(till.post("/exchange", body | {"target_account_id": ann}), "validation-failed")
    nobody = assert_problem(till.post("/exchange", body | {"target": "nobody"}), "account-not-found")
    assert (nobody["pointer"], nobody["name"]) == ("/target", "nobody")


def test_exchange_accounts_are_opened_when_they_are_needed_and_may_go_below_zero(till: Till) -> None:
    source, target = till.open("100"), till.open(currency="SEK")
    assert till.call("GET", "/account/@exchange:SEK").status == 404
    moved(exchange(till, source, target, "10", rate="11"))
    account = held(till, "SEK")
    assert (account["balance"], account["currency"], account["max_balance"]) == ("-110.00", "SEK", None)
    assert account["min_balance"] == "-999999999999999999.00"
    first = held(till, "USD")["id"]
    moved(exchange(till, source, target, "10", rate="11"))
    assert (held(till, "SEK")["balance"], held(till, "USD")["id"]) == ("-220.00", first)


def test_an_exchange_account_has_limits_that_its_owner_may_change(till: Till) -> None:
    source, target = till.open("100"), till.open(currency="NOK")
    moved(exchange(till, source, target, "1", rate="10"))
    account = held(till, "NOK")
    till.change(account["id"], min_balance="-15")
    short = assert_problem(exchange(till, source, target, "1", rate="10"), "insufficient-funds")
    assert (short["account_id"], short["name"], short["available"]) == (account["id"], "exchange:NOK", "5.00")
    moved(exchange(till, source, target, "1", rate="5"))
    till.change(account["id"], status="frozen")
    assert assert_problem(exchange(till, source, target, "1", rate="5"), "account-frozen")["name"] == "exchange:NOK"
    assert till.account(source)["balance"] == "98.00"


def test_a_dry_run_says_what_would_happen_and_opens_nothing(till: Till, ann: int) -> None:
    target = till.open(currency="DKK")
    answer = exchange(till, ann, target, "10", "?dry_run=true", rate="7.5")
    assert (answer.status, answer.body["group_id"], answer.body["rate"]) == (200, None, "7.5")
    given, gotten = (one["transaction"] for one in answer.body["results"])
    assert (given["id"], gotten["id"], gotten["amount"]) == (None, None, "75.00")
    assert (gotten["source_account_id"], gotten["source"]) == (None, "exchange:DKK")
    assert till.call("GET", "/account/@exchange:DKK").status == 404
    assert till.account(ann)["balance"] == "100.00"


def test_what_was_exchanged_can_be_taken_back_by_refunds_in_one_batch(till: Till, ann: int, bob: int) -> None:
    given, gotten = moved(exchange(till, ann, bob, "50", rate="0.9"))
    assert till.batch({"refund": gotten["id"]}, {"refund": given["id"]}).status == 201
    assert (till.account(ann)["balance"], till.account(bob)["balance"]) == ("100.00", "0.00")
    again = assert_problem(till.refund(gotten["id"]), "refund-exceeds-original")
    assert again["refunded"] == "45.00"
