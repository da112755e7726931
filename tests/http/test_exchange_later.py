"""Exchanges that are decided later, and exchanges as members of a batch: as any other request for money."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.http.test_exchange import exchange, held
from tests.http.test_refusals import assert_problem
from tests.support.service import Answer
from tests.support.till import Till, found, made

PAST, TOMORROW = "2020-01-01T00:00:00Z", (datetime.now(UTC) + timedelta(days=1)).isoformat()


@pytest.fixture
def ann(till: Till) -> int:
    """An account with 100.00 USD."""
    return till.open("100")


@pytest.fixture
def bob(till: Till) -> int:
    """An empty account in EUR."""
    return till.open(currency="EUR")


def member(source: int | str, target: int | str, amount: str = "10", **said: Any) -> dict[str, Any]:
    sides = {
        name if isinstance(one, str) else f"{name}_account_id": one
        for name, one in (("source", source), ("target", target))
    }
    return {"exchange": {**sides, "source_amount": amount, **said}}


def of_group(till: Till, group_id: int) -> list[dict[str, Any]]:
    """The transactions of a group, in their order."""
    listed = found(till.call("GET", f"/transaction?group_id={group_id}"))["items"]
    return sorted(listed, key=lambda one: one["id"])


@pytest.mark.parametrize("way", ["queued", "scheduled"])
def test_it_is_promised_polled_and_then_both_transactions_are_found_by_the_group(
    till: Till,
    ann: int,
    bob: int,
    way: str,
) -> None:
    key, said = str(uuid4()), {"reference": "trip 7", "metadata": {"of": "ann"}}
    body = {"source_account_id": ann, "target_account_id": bob, "source_amount": "10.004", "rate": "0.9000", **said}
    headers = {"Idempotency_Key": key} | ({"Prefer": "respond-async"} if way == "queued" else {})
    body |= {"execute_at": PAST} if way == "scheduled" else {}
    promise = till.post("/exchange", body, **headers)
    assert (promise.status, promise.headers["Location"]) == (202, f"/transaction/{promise.body['id']}")
    told = {name: promise.body[name] for name in ("kind", "status", "amount", "currency", "exchange", "reference")}
    assert told == {
        "kind": "transfer",
        "status": "queued",
        "amount": "10.00",
        "currency": "USD",
        "exchange": {"rate": "0.9000"},
        "reference": "trip 7",
    }
    assert (promise.body["source_account_id"], promise.body["target_account_id"]) == (ann, bob)
    first = till.decided(promise.body["id"])
    assert (first["status"], first["target"], first["idempotency_key"]) == ("posted", "exchange:USD", key)
    given, gotten = of_group(till, first["group_id"])
    assert (given["id"], given["amount"], gotten["amount"]) == (promise.body["id"], "10.00", "9.00")
    assert [(one["reference"], one["metadata"]) for one in (given, gotten)] == [("trip 7", {"of": "ann"})] * 2
    again = till.post("/exchange", body, **headers)
    assert (again.status, again.body) == (202, promise.body)
    other = till.post("/exchange", body | {"rate": "0.91"}, **headers)
    assert assert_problem(other, "idempotency-key-reused")["field"] == "rate"
    assert (till.account(ann)["balance"], till.account(bob)["balance"]) == ("90.00", "9.00")


def test_the_exchange_accounts_are_opened_by_what_decides_it(till: Till, ann: int) -> None:
    target = till.open(currency="THB")
    early = exchange(till, ann, target, target_amount="350", execute_at=TOMORROW)
    assert (early.status, early.body["exchange"]) == (202, {"target_amount": "350"})
    assert till.call("GET", "/account/@exchange:THB").status == 404
    done = till.decided(exchange(till, ann, target, target_amount="350", execute_at=PAST).body["id"])
    assert (done["status"], held(till, "THB")["balance"]) == ("posted", "-350.00")


def test_until_it_is_claimed_it_can_be_cancelled(till: Till, ann: int, bob: int) -> None:
    queued = exchange(till, ann, bob, rate="1", execute_at=TOMORROW)
    cancelled = found(till.cancel(queued.body["id"]))
    assert (cancelled["status"], cancelled["exchange"]) == ("cancelled", {"rate": "1"})
    assert till.account(ann)["balance"] == "100.00"


@pytest.mark.parametrize(
    ("change", "amount", "code"),
    [({"status": "closed"}, "10", "account-closed"), ({}, "100.01", "insufficient-funds")],
)
def test_what_cannot_be_exchanged_then_is_declined(
    till: Till,
    ann: int,
    bob: int,
    change: dict[str, str],
    amount: str,
    code: str,
) -> None:
    if change:
        till.change(bob, **change)
    done = till.decided(exchange(till, ann, bob, amount, rate="0.5", execute_at=PAST).body["id"])
    assert (done["status"], done["problem"]["code"]) == ("declined", code)
    assert till.account(ann)["balance"] == "100.00"


def test_names_are_found_when_it_is_decided(till: Till, ann: int) -> None:
    name = f"later:{uuid4()}"
    body = {"source_account_id": ann, "target": name, "source_amount": "10", "rate": "2"}
    when = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    ids = [till.post("/exchange", body | {"execute_at": at}).body["id"] for at in (PAST, when)]
    problem = till.decided(ids[0])["problem"]
    assert [problem[one] for one in ("code", "name", "pointer")] == ["account-not-found", name, "/target"]
    till.open(currency="EUR", name=name)
    assert till.decided(ids[1])["status"] == "posted"


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"execute_at": "tomorrow"}, "/execute_at"),
        ({"execute_at": "2026-01-01T00:00:00"}, "/execute_at"),
        ({"execute_at": "2999-01-01T00:00:00Z"}, "/execute_at"),
        ({"hold": {}}, "/hold"),
    ],
)
def test_a_time_that_cannot_be_is_refused(
    till: Till,
    ann: int,
    bob: int,
    said: dict[str, Any],
    pointer: str,
) -> None:
    problem = assert_problem(exchange(till, ann, bob, rate="1", **said), "validation-failed")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


def test_a_dry_run_of_one_that_is_scheduled_queues_nothing(till: Till, ann: int, bob: int) -> None:
    dry = exchange(till, ann, bob, "10", "?dry_run=true", rate="1", execute_at=TOMORROW)
    assert (dry.status, dry.body["id"], dry.body["status"]) == (200, None, "queued")


def results(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status in {200, 201}, answer.body
    return list(answer.body["results"])


def test_it_is_a_member_of_a_batch_with_a_group_of_its_own(till: Till, ann: int, bob: int) -> None:
    key = str(uuid4())
    asked = [
        member(ann, bob, rate="0.50") | {"reference": "trip"},
        {"source_account_id": bob, "target_account_id": None, "amount": "5"},
        member(ann, bob, "2", target_amount="3"),
    ]
    body = {"transactions": asked}
    answer = till.post("/transaction/batch", body, Idempotency_Key=key)
    first, paid, second = results(answer)
    assert (first["rate"], "rate" in second) == ("0.50", False)
    amounts = [one["transaction"]["amount"] for one in (*first["results"], *second["results"])]
    assert amounts == ["10.00", "5.00", "2.00", "3.00"]
    groups = {one["transaction"]["group_id"] for one in first["results"]}
    assert groups == {first["group_id"]} != {answer.body["group_id"]} == {paid["transaction"]["group_id"]}
    assert first["results"][1]["transaction"]["reference"] == "trip"
    again = till.post("/transaction/batch", body, Idempotency_Key=key)
    assert (again.body, again.headers["Idempotent-Replayed"]) == (answer.body, "true")
    asked[0]["exchange"]["rate"] = "0.51"
    reused = till.post("/transaction/batch", body, Idempotency_Key=key)
    assert assert_problem(reused, "idempotency-key-reused")["field"] == "transactions/0/exchange/rate"


def test_a_member_before_it_may_open_an_account_that_it_names(till: Till, ann: int) -> None:
    name = f"traveller:{uuid4()}"
    opening = {"open": {"name": name, "email": "t@example.com", "currency": "MXN"}}
    paid = {"source": "exchange:MXN", "target": name, "amount": "1"}
    opened, made_, second = results(till.batch(opening, member(ann, name, rate="18"), paid))
    assert made_["results"][1]["transaction"]["target_account_id"] == opened["account"]["id"]
    assert second["transaction"]["source"] == "exchange:MXN"
    assert held(till, "MXN")["balance"] == "-181.00"


def test_money_of_an_exchange_account_that_was_opened_in_the_batch_can_be_exchanged(till: Till, ann: int) -> None:
    zloty, forint = till.open(currency="PLN"), till.open(currency="HUF", max_balance=None)
    own = member("exchange:PLN", forint, "1", rate="85")
    refused = assert_problem(till.batch(own, member(ann, zloty, rate="4")), "batch-refused")
    assert (refused["index"], refused["cause"]["pointer"]) == (0, "/transactions/0/exchange/source")
    results(till.batch(member(ann, zloty, rate="4"), member(forint, zloty, "1", rate="1"), atomic=False))
    same = assert_problem(till.batch(own), "batch-refused")["cause"]
    assert (same["code"], same["name"]) == ("same-account", "exchange:PLN"), "PLN go through this account itself"


def test_a_batch_of_exchanges_is_rehearsed(till: Till, ann: int) -> None:
    target = till.open(currency="ZAR")
    (one,) = results(till.post("/transaction/batch?dry_run=true", {"transactions": [member(ann, target, rate="18")]}))
    assert (one["group_id"], one["rate"]) == (None, "18")
    gotten = one["results"][1]["transaction"]
    assert (gotten["id"], gotten["source_account_id"], gotten["source"]) == (None, None, "exchange:ZAR")
    assert till.call("GET", "/account/@exchange:ZAR").status == 404


@pytest.mark.parametrize(
    ("one", "pointer"),
    [
        ({"exchange": {}}, "/exchange/source_account_id"),
        ({"exchange": {"source_account_id": 1, "target_account_id": 2, "rate": "1"}}, "/exchange/source_amount"),
        ({"exchange": None}, "/exchange"),
        (member(1, 2), "/exchange/target_amount"),
        (member(1, 2, rate="1", target_amount="1"), "/exchange/rate"),
        (member(1, 2, rate="1/3"), "/exchange/rate"),
        (member(1, 2, "0", rate="1"), "/exchange/source_amount"),
        (member(1, 2, rate="1", execute_at=TOMORROW), "/exchange/execute_at"),
        (member(1, 2, rate="1", reference="trip"), "/exchange/reference"),
        (member(1, 2, rate="1") | {"amount": "1"}, "/amount"),
        (member(1, 2, rate="1") | {"hold": {}}, "/hold"),
        (member(1, 2, rate="1") | {"source_account_id": 1}, "/source_account_id"),
        (member(1, 2, rate="1") | {"void": 1}, "/exchange"),
    ],
)
def test_a_member_that_is_wrong_is_named(till: Till, one: dict[str, Any], pointer: str) -> None:
    problem = assert_problem(till.batch(one), "validation-failed")
    assert problem["errors"][0]["pointer"] == f"/transactions/0{pointer}"


def test_a_member_that_rounds_to_nothing_is_named(till: Till, ann: int, bob: int) -> None:
    problem = assert_problem(till.batch(member(ann, bob, "0.001", rate="1")), "batch-refused")
    assert problem["cause"]["errors"][0]["pointer"] == "/transactions/0/exchange/source_amount"


def test_two_of_its_transactions_count_against_the_most_of_a_batch(till: Till, ann: int, bob: int) -> None:
    problem = assert_problem(till.batch(*[member(ann, bob, "0.01", rate="1")] * 501), "validation-failed")
    assert problem["errors"][0]["pointer"] == "/transactions"


def test_a_batch_that_is_refused_opens_no_exchange_account(till: Till, ann: int) -> None:
    target = till.open(currency="BRL")
    short = {"source_account_id": target, "target_account_id": None, "amount": "1000000"}
    refused = assert_problem(till.batch(member(ann, target, rate="5"), short), "batch-refused")
    assert (refused["index"], refused["cause"]["code"]) == (1, "insufficient-funds")
    assert till.call("GET", "/account/@exchange:BRL").status == 404
    each = results(till.batch(short, member(ann, target, rate="5"), atomic=False))
    assert (each[0]["problem"]["code"], each[1]["results"][1]["transaction"]["amount"]) == (
        "insufficient-funds",
        "50.00",
    )
    made(till.batch(member(ann, target, rate="5")))
