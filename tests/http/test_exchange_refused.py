"""Exchanges that are refused: each kind of bad input has one answer, and nothing is done."""

from typing import Any

import pytest

from tests.http.test_exchange import exchange, moved
from tests.http.test_exchange_later import member
from tests.http.test_refusals import assert_problem
from tests.support.till import Till, made

LONG = "0." + "0" * 63 + "1"


@pytest.fixture
def sides(till: Till) -> tuple[int, int]:
    """An account with 100.00 USD, and an empty one in EUR."""
    return till.open("100"), till.open(currency="EUR")


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({}, "/target_amount"),
        ({"rate": "1", "target_amount": "1"}, "/rate"),
        ({"rate": "0"}, "/rate"),
        ({"rate": "-1"}, "/rate"),
        ({"rate": "1/3"}, "/rate"),
        ({"rate": "1,5"}, "/rate"),
        ({"rate": "NaN"}, "/rate"),
        ({"rate": None}, "/rate"),
        ({"rate": [1]}, "/rate"),
        ({"rate": LONG + "1"}, "/rate"),
        ({"rate": "1" + "0" * 18}, "/rate"),
        ({"rate": LONG}, "/rate"),  # the target would get nothing
        ({"rate": "9" * 18}, "/rate"),  # the target would get a nineteenth digit
        ({"target_amount": "0"}, "/target_amount"),
        ({"target_amount": "-1"}, "/target_amount"),
        ({"target_amount": "0.001"}, "/target_amount"),
        ({"target_amount": "1", "source_amount": "0"}, "/source_amount"),
        ({"target_amount": "1", "source_amount": "0.004"}, "/source_amount"),
        ({"target_amount": "1", "amount": "1"}, "/amount"),
        ({"target_amount": "1", "hold": {}}, "/hold"),
        ({"target_amount": "1", "source": "users:1"}, "/source"),
        ({"target_amount": "1", "target": "../1"}, "/target"),
        ({"target_amount": "1", "source_account_id": None}, "/source_account_id"),
        ({"target_amount": "1", "target_account_id": 0}, "/target_account_id"),
        ({"target_amount": "1", "reference": ""}, "/reference"),
    ],
)
def test_a_field_that_is_wrong_is_named(till: Till, sides: tuple[int, int], said: dict[str, Any], pointer: str) -> None:
    problem = assert_problem(exchange(till, *sides, "100", **said), "validation-failed")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert (till.account(sides[0])["balance"], till.account(sides[1])["version"]) == ("100.00", 0)


@pytest.mark.parametrize("missing", ["source_account_id", "target_account_id", "source_amount"])
def test_a_field_that_is_missing_is_named(till: Till, sides: tuple[int, int], missing: str) -> None:
    body = dict(zip(("source_account_id", "target_account_id"), sides, strict=True)) | {"source_amount": "1", "rate": 1}
    del body[missing]
    problem = assert_problem(till.post("/exchange", body), "validation-failed")
    assert problem["errors"] == [{"pointer": f"/{missing}", "detail": "is required"}]


def test_both_accounts_must_be_there_and_in_two_currencies(till: Till, sides: tuple[int, int]) -> None:
    dollars, euros = sides
    assert (
        assert_problem(exchange(till, 10**9, euros, rate="1"), "account-not-found")["pointer"] == "/source_account_id"
    )
    missing = assert_problem(exchange(till, dollars, 10**9, rate="1"), "account-not-found")
    assert missing["pointer"] == "/target_account_id"
    assert_problem(exchange(till, dollars, dollars, rate="1"), "same-account")
    same = assert_problem(exchange(till, dollars, till.open(), rate="1"), "same-currency")
    assert same["currency"] == "USD"


def test_an_exchange_account_exchanges_nothing_of_its_own_currency(till: Till, sides: tuple[int, int]) -> None:
    dollars, euros = sides
    moved(exchange(till, dollars, euros, "1", rate="1"))
    body = {"source": "exchange:USD", "target_account_id": euros, "source_amount": "1", "rate": "1"}
    assert assert_problem(till.post("/exchange", body), "same-account")["name"] == "exchange:USD"
    own = {"source": "exchange:USD", "target_account_id": dollars, "amount": "1"}
    assert till.post("/transaction", own).status == 201, "it is an ordinary account"


def test_the_source_must_have_it_the_target_must_have_room_and_both_must_be_open(
    till: Till, sides: tuple[int, int]
) -> None:
    dollars, euros = sides
    short = assert_problem(exchange(till, dollars, euros, "100.01", rate="1"), "insufficient-funds")
    assert (short["account_id"], short["required"]) == (dollars, "100.01")
    full = assert_problem(exchange(till, dollars, euros, "100", rate="10000.01"), "balance-limit-exceeded")
    assert full["account_id"] == euros
    till.change(dollars, limits=[{"per": "1d", "out": "5"}])
    assert assert_problem(exchange(till, dollars, euros, "6", rate="1"), "limit-exceeded")["account_id"] == dollars
    till.change(euros, status="frozen")
    assert assert_problem(exchange(till, dollars, euros, "1", rate="1"), "account-frozen")["account_id"] == euros
    assert (till.account(dollars)["balance"], till.account(euros)["balance"]) == ("100.00", "0.00")


def test_an_account_that_is_called_so_in_another_currency_is_not_used(till: Till, sides: tuple[int, int]) -> None:
    till.post("/account", {"email": "a@example.com", "name": "exchange:ISK", "currency": "USD"})
    krona = till.open(currency="ISK")
    taken = assert_problem(exchange(till, sides[0], krona, rate="1"), "name-taken")
    assert (taken["name"], taken["field"]) == ("exchange:ISK", "currency")


def test_a_key_gives_the_same_answer_refusals_too_and_knows_another_request(till: Till, sides: tuple[int, int]) -> None:
    key = f"trip-{sides[0]}"
    first, again = (exchange(till, *sides, "10", rate="0.9", key=key) for _ in range(2))
    assert (again.status, again.body) == (201, first.body)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert exchange(till, *sides, "10.00", rate="0.90", key=key).body == first.body
    other = assert_problem(exchange(till, *sides, "10", rate="0.91", key=key), "idempotency-key-reused")
    assert other["field"] == "rate"
    assert_problem(till.pay(sides[0], "10", **{"Idempotency-Key": key}), "idempotency-key-reused")
    refusals = [exchange(till, *sides, "1000", rate="1", key=f"{key}-refused") for _ in range(2)]
    assert refusals[0].body == refusals[1].body
    assert_problem(refusals[1], "insufficient-funds")
    assert till.account(sides[0])["balance"] == "90.00"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"rate": "0.51"}, "exchange/rate"),
        ({"source_account_id": 1}, "exchange/source_account_id"),
        ({"reference": "home"}, "reference"),
    ],
)
def test_the_key_of_an_exchange_in_a_batch_names_the_field_that_differs_where_it_is_sent(
    till: Till, sides: tuple[int, int], changed: dict[str, Any], field: str
) -> None:
    key = {"idempotency_key": f"batch-trip-{sides[0]}"}
    asked = member(*sides, rate="0.50") | {"reference": "trip"} | key
    made(till.batch(asked))
    is_term = field.startswith("exchange/")
    other = asked | ({"exchange": asked["exchange"] | changed} if is_term else changed)
    paid = {"source_account_id": sides[0], "target_account_id": None, "amount": "5"}
    results = till.batch(paid, other, paid | key, atomic=False).body["results"]
    fields = [one["problem"]["field"] for one in results[1:]]
    assert fields == [f"transactions/1/{field}", "transactions/2/exchange"]
