"""Limits by time over HTTP: what is asked, what is shown, and what is told of a refusal."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.http.test_refusals import assert_problem
from tests.support.till import Till, found, made, transfer

ANY_JSON = {"Content_Type": "application/merge-patch+json"}
PERIODS = '"1d", "1h", "30d", "365d", "7d"'
DAILY = [{"per": "1d", "out": "60.00"}]


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ([{"per": "1d", "out": "500.00"}], [{"per": "1d", "out": "500.00"}]),
        ([{"per": "1h", "in": 5}], [{"per": "1h", "in": "5.00"}]),
        ([{"per": "365d", "out": "0", "in": None}], [{"per": "365d", "out": "0.00"}]),
        ([{"per": "30d", "in": 1000.0, "out": 0.125}], [{"per": "30d", "out": "0.12", "in": "1000.00"}]),
        (
            [{"per": per, "out": "1"} for per in ("1h", "365d", "7d", "1d", "30d")],
            [{"per": per, "out": "1.00"} for per in ("1h", "365d", "7d", "1d", "30d")],
        ),
    ],
)
def test_limits_are_shown_as_they_were_given_with_the_decimals_of_the_currency(
    till: Till, asked: list[dict[str, Any]], shown: list[dict[str, Any]]
) -> None:
    opened = made(till.post("/account", {"email": "ann@example.com", "limits": asked}))
    assert opened["limits"] == shown
    assert till.account(opened["id"]) == opened
    ann = till.open()
    assert found(till.change(ann, limits=asked))["limits"] == shown
    assert till.account(ann)["limits"] == shown


@pytest.mark.parametrize("none", [None, []])
@pytest.mark.parametrize("headers", [{}, ANY_JSON])
def test_an_account_without_limits_shows_nothing_of_them(till: Till, none: object, headers: dict[str, str]) -> None:
    plain = made(till.post("/account", {"email": "ann@example.com", "limits": none}))
    assert "limits" not in plain
    ann = till.open("100", limits=DAILY)
    before = till.account(ann)
    assert found(till.change(ann, headers, limits=none)) == {k: v for k, v in before.items() if k != "limits"}
    assert till.etag(ann) == '"1.1"'
    made(till.withdraw(ann, "100"))


@pytest.mark.parametrize(
    ("limits", "pointer", "detail"),
    [
        ({}, "/limits", "must be an array, or null"),
        ("1d", "/limits", "must be an array, or null"),
        ([None], "/limits/0", "must be an object"),
        (["1d"], "/limits/0", "must be an object"),
        ([{}], "/limits/0/per", "is required"),
        ([{"out": "5"}], "/limits/0/per", "is required"),
        ([{"per": "1w", "out": "5"}], "/limits/0/per", f"must be one of {PERIODS}"),
        ([{"per": "24h", "out": "5"}], "/limits/0/per", f"must be one of {PERIODS}"),
        ([{"per": 1, "out": "5"}], "/limits/0/per", f"must be one of {PERIODS}"),
        ([{"per": None, "out": "5"}], "/limits/0/per", f"must be one of {PERIODS}"),
        ([{"per": "1d"}], "/limits/0", "must have out, or in, or both"),
        ([{"per": "1d", "out": None, "in": None}], "/limits/0", "must have out, or in, or both"),
        ([{"per": "1d", "out": "-0.01"}], "/limits/0/out", "must not be less than zero"),
        ([{"per": "1h", "out": "1"}, {"per": "1d", "in": "lots"}], "/limits/1/in", "must be a number such as 12.50"),
        ([{"per": "1d", "out": "1" + "0" * 18}], "/limits/0/out", "must have at most 18 digits"),
        ([{"per": "1d", "out": "5", "most": "5"}], "/limits/0/most", "is not a field"),
        ([{"per": "1d", "in_": "5"}], "/limits/0/in_", "is not a field"),
        ([{"per": "1d", "out": "5"}, {"per": "1d", "in": "5"}], "/limits/1/per", 'must not come twice: "1d"'),
        ([{"per": "1d", "out": "5"}] * 6, "/limits", "must have at most 5 members"),
    ],
)
def test_what_is_no_limit_is_refused_with_its_place(till: Till, limits: object, pointer: str, detail: str) -> None:
    ann = till.open()
    for answer in (
        till.post("/account", {"email": "ann@example.com", "limits": limits}),
        till.change(ann, limits=limits),
        till.change(ann, ANY_JSON, limits=limits),
    ):
        errors = assert_problem(answer, "validation-failed")["errors"]
        told = {error["pointer"]: error["detail"] for error in errors}
        assert told[pointer].startswith(detail), told
    assert "limits" not in till.account(ann)


def test_a_refusal_says_which_window_what_is_left_and_when_it_will_fit(till: Till) -> None:
    ann, bob = till.open("120", limits=[*DAILY, {"per": "7d", "in": "150"}]), till.open("100")
    before = datetime.now(UTC)
    made(till.transfer(ann, bob, "40"))
    problem = assert_problem(till.transfer(ann, bob, "20.01"), "limit-exceeded")
    fits_at = datetime.fromisoformat(problem["fits_at"])
    assert before + timedelta(days=1) < fits_at <= datetime.now(UTC) + timedelta(days=1, minutes=24)
    assert problem["detail"] == (
        f"Account {ann} may send 60.00 USD in any 1d: 20.00 of that is left, 20.01 is asked for; "
        f"it fits from {problem['fits_at']} on."
    )
    names = ("account_id", "currency", "direction", "per", "limit", "left", "amount", "retryable")
    assert tuple(problem[name] for name in names) == (ann, "USD", "out", "1d", "60.00", "20.00", "20.01", True)
    never = assert_problem(till.withdraw(ann, "60.01"), "limit-exceeded")
    assert "fits_at" not in never
    assert never["detail"].endswith("waiting alone does not make it fit.")
    coming = assert_problem(till.pay(ann, "30.01"), "limit-exceeded")
    assert (coming["direction"], coming["per"], coming["left"]) == ("in", "7d", "30.00")
    assert coming["detail"].startswith(f"Account {ann} may take 150.00 USD in any 7d: 30.00 of that is left")


def test_each_way_of_asking_is_refused_alike(till: Till) -> None:
    ann, bob = till.open("100", limits=DAILY), till.open("100")
    hold = made(till.hold(ann, bob, "40"))["id"]
    path, body = "/transaction", transfer(ann, bob, "21")
    assert_problem(till.post(path, body), "limit-exceeded")
    assert_problem(till.post(f"{path}?dry_run=true", body), "limit-exceeded")
    assert_problem(till.hold(ann, bob, "21"), "limit-exceeded")
    queued = till.decided(till.enqueue(path, body)["id"])
    assert (queued["status"], queued["problem"]["code"], queued["problem"]["left"]) == (
        "declined",
        "limit-exceeded",
        "20.00",
    )
    batch = assert_problem(till.batch(transfer(ann, bob, "15"), transfer(ann, bob, "6")), "batch-refused")
    assert (batch["index"], batch["cause"]["code"], batch["cause"]["left"]) == (1, "limit-exceeded", "5.00")
    each = till.batch(transfer(ann, bob, "15"), transfer(ann, bob, "6"), transfer(ann, bob, "5"), atomic=False).body
    assert [one.get("problem", {}).get("code") for one in each["results"]] == [None, "limit-exceeded", None]
    made(till.capture(hold))
    assert till.money(ann).balance == "40.00"


def test_a_key_keeps_its_refusal_and_another_key_asks_again(till: Till) -> None:
    ann = till.open("100", limits=DAILY)
    key, other = str(uuid4()), str(uuid4())
    first = till.withdraw(ann, "61", Idempotency_Key=key)
    assert_problem(first, "limit-exceeded")
    found(till.change(ann, limits=[{"per": "1d", "out": "61"}]))
    again = till.withdraw(ann, "61", Idempotency_Key=key)
    assert (again.body, again.headers["Idempotent-Replayed"]) == (first.body, "true")
    made(till.withdraw(ann, "61", Idempotency_Key=other))


@pytest.mark.parametrize(
    ("first", "other"),
    [
        (DAILY, [{"per": "1d", "out": "60.01"}]),
        (DAILY, [{"per": "1h", "out": "60"}]),
        (DAILY, [{"per": "1d", "in": "60"}]),
        (DAILY, [*DAILY, {"per": "1h", "out": "5"}]),
        (DAILY, None),
        (None, DAILY),
    ],
)
def test_limits_are_compared_under_a_reused_key(till: Till, first: Any, other: Any) -> None:
    key, ann = str(uuid4()), till.open()
    made(till.post("/account", {"email": "a@example.com", "limits": first}, Idempotency_Key=key))
    refused = till.post("/account", {"email": "a@example.com", "limits": other}, Idempotency_Key=key)
    assert assert_problem(refused, "idempotency-key-reused")["field"] == "limits"
    changing = {"Idempotency_Key": str(uuid4())}
    changed = found(till.change(ann, changing, limits=first))
    assert assert_problem(till.change(ann, changing, limits=other), "idempotency-key-reused")["field"] == "limits"
    assert found(till.change(ann, changing, limits=first)) == changed


def test_the_same_limits_written_otherwise_are_the_same_request(till: Till) -> None:
    key = {"Idempotency_Key": str(uuid4())}
    body = {"email": "a@example.com", "limits": DAILY}
    opened = made(till.post("/account", body, **key))
    again = till.post("/account", {**body, "limits": [{"in": None, "out": 60, "per": "1d"}]}, **key)
    assert made(again) == opened


def test_limits_of_a_closed_account_stay_as_they_are(till: Till) -> None:
    ann = till.open(limits=DAILY)
    found(till.change(ann, status="closed"))
    assert_problem(till.change(ann, limits=None), "account-closed")
    assert till.account(ann)["limits"] == DAILY


def test_limits_below_what_a_window_holds_are_taken(till: Till) -> None:
    ann = till.open("100")
    made(till.withdraw(ann, "50"))
    assert found(till.change(ann, limits=[{"per": "1d", "out": "10"}]))["version"] == 2
    problem = assert_problem(till.withdraw(ann, "1"), "limit-exceeded")
    assert (problem["left"], "fits_at" in problem) == ("0.00", True)
