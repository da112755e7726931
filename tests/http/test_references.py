"""References, descriptions and value dates: on every transaction that a caller may make."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.till import Till, made, transfer

SAID = {"reference": "order 7", "description": "Lunch, for two", "effective_on": "2026-02-28"}
NAMES = [*SAID]
TODAY = f"{datetime.now(UTC):%Y-%m-%d}"  # and these tests do not run over midnight for long


def said(transaction: dict[str, Any]) -> dict[str, Any]:
    return {name: transaction[name] for name in NAMES if name in transaction}


def every_kind(till: Till, labels: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """A request of each kind, path and body, about accounts and transactions that are there."""
    ann, bob = till.open("100"), till.open("100")
    hold, other = (made(till.hold(ann, bob, "5"))["id"] for _ in range(2))
    paid = made(till.pay(ann, "5"))["id"]
    return [
        (path, body | labels)
        for path, body in [
            (f"/account/{ann}/payment", {"amount": "1"}),
            (f"/account/{ann}/withdrawal", {"amount": "1"}),
            ("/transaction", transfer(ann, bob, "1")),
            ("/transaction", transfer(ann, bob, "1") | {"hold": {}}),
            (f"/transaction/{hold}/capture", {"amount": "1"}),
            (f"/transaction/{other}/void", {}),
            (f"/transaction/{paid}/refund", {"amount": "1"}),
        ]
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_transaction_keeps_each_by_itself(till: Till, name: str) -> None:
    one = {name: SAID[name]}
    for path, body in every_kind(till, one):
        made_ = made(till.post(path, body))
        assert said(made_) == one, path
        expected = {"effective_on": made_["ctime"][:10]} | one
        assert said(till.transaction(made_["id"])) == expected
        assert till.post(f"{path}?dry_run=true", body).body.get(name, SAID[name]) == SAID[name]


def test_what_was_not_said_is_not_answered_and_counts_for_its_own_day(till: Till) -> None:
    for labels in ({}, dict.fromkeys(NAMES)):
        for path, body in every_kind(till, labels):
            transaction = made(till.post(path, body))
            assert said(transaction) == {}, path
            assert said(till.transaction(transaction["id"])) == {"effective_on": transaction["ctime"][:10]}


def test_a_capture_a_void_and_a_refund_keep_the_reference_and_nothing_else(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    hold, other = (made(till.post("/transaction", transfer(ann, bob, "5") | {"hold": {}} | SAID))["id"] for _ in "ab")
    kept = {"reference": SAID["reference"]}
    capture = made(till.capture(hold, "2", final=False))
    for transaction in (capture, made(till.void(other)), made(till.refund(capture["id"], "1"))):
        assert said(transaction) == kept, transaction
        assert said(till.transaction(transaction["id"])) == kept | {"effective_on": TODAY}
    assert said(made(till.capture(hold, "1", final=False, reference=None))) == kept
    told = made(till.capture(hold, "1", reference="parcel 2"))
    assert told["reference"] == "parcel 2"
    assert made(till.refund(told["id"]))["reference"] == "parcel 2"


def test_members_of_a_batch_have_their_own_and_keep_their_parents(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    hold = made(till.post("/transaction", transfer(ann, bob, "5") | {"hold": {}} | SAID))["id"]
    members = [
        transfer(ann, bob, "1") | SAID,
        {"capture": hold},
        {"capture": hold, "reference": "x"},
        transfer(ann, bob, "1"),
    ]
    answer = till.batch(*members, atomic=False, Idempotency_Key="labelled-batch")
    results = answer.body["results"]
    assert [said(one["transaction"]) for one in (results[0], results[1], results[3])] == [
        SAID,
        {"reference": "order 7"},
        {},
    ]
    assert results[2]["problem"]["code"] == "hold-not-open"
    again = till.batch(*members, atomic=False, Idempotency_Key="labelled-batch")
    assert again.body == answer.body
    members[0] = members[0] | {"reference": "order 8"}
    assert (
        till.batch(*members, atomic=False, Idempotency_Key="labelled-batch").body["field"] == "transactions/0/reference"
    )


def test_what_is_queued_shows_what_was_said_and_keeps_the_reference_when_it_is_decided(till: Till) -> None:
    ann, bob = till.open("100"), till.open()
    queued = till.enqueue("/transaction", transfer(ann, bob, "5") | SAID)
    assert said(queued) == SAID
    assert said(till.decided(queued["id"])) == SAID
    refund = till.enqueue(f"/transaction/{queued['id']}/refund")
    assert said(refund) == {}
    assert said(till.decided(refund["id"])) == {"reference": "order 7", "effective_on": TODAY}
    declined = till.enqueue("/transaction", transfer(ann, bob, "5000") | SAID)
    assert said(till.decided(declined["id"])) == SAID


@pytest.mark.parametrize("name", NAMES)
def test_each_is_compared_under_a_reused_key(till: Till, name: str) -> None:
    other = {"reference": "order 8", "description": "Dinner", "effective_on": "2026-03-01"}[name]
    for number, (path, body) in enumerate(every_kind(till, SAID)):
        key = f"compared-{name}-{number}"
        first = made(till.post(path, body, Idempotency_Key=key))
        again = till.post(path, body, Idempotency_Key=key)
        assert (again.status, again.body, again.headers["Idempotent-Replayed"]) == (201, first, "true")
        for changed in (body | {name: other}, body | {name: None}, {n: v for n, v in body.items() if n != name}):
            refused = till.post(path, changed, Idempotency_Key=key)
            assert (refused.status, refused.body["code"], refused.body["field"]) == (
                422,
                "idempotency-key-reused",
                name,
            )


DATES: list[tuple[Any, bool]] = [
    ("2026-11-22", True),
    ("2024-02-29", True),  # a leap year
    ("2000-02-29", True),
    ("2023-02-29", False),
    ("1900-02-29", False),
    ("2026-02-30", False),
    ("2026-13-01", False),
    ("2026-00-10", False),
    ("2026-10-00", False),
    ("0001-01-01", True),
    ("0000-01-01", False),
    ("-001-01-01", False),
    ("9999-12-31", True),
    ("10000-01-01", False),
    ("2026-11-22T00:00:00Z", False),
    ("2026-11-22T00:00:00+02:00", False),
    ("2026-11-22Z", False),
    ("2026-11-22 ", False),
    ("20261122", False),
    ("2026-1-2", False),
    ("2026-W01-1", False),
    ("22.11.2026", False),
    ("\uff12\uff10\uff12\uff16-11-22", False),  # digits, but not of ASCII
    ("today", False),
    ("infinity", False),
    ("", False),
    (20261122, False),
    (True, False),
    ([], False),
    ({}, False),
]


@pytest.mark.parametrize(("sent", "is_right"), DATES)
def test_a_value_date_is_a_day_of_the_calendar(till: Till, sent: Any, is_right: bool) -> None:  # noqa: FBT001
    answer = till.post(f"/account/{till.open()}/payment", {"amount": "1", "effective_on": sent})
    if is_right:
        assert made(answer)["effective_on"] == till.transaction(answer.body["id"])["effective_on"] == sent
    else:
        reason = "must be a date such as 2026-11-22, or null"
        assert (answer.status, answer.body["errors"]) == (422, [{"pointer": "/effective_on", "detail": reason}])


TEXTS: list[tuple[str, bool]] = [
    ("a", True),
    (" a ", True),  # nothing is trimmed
    ("\u043a\u043e\u0448\u0435\u043b\u0451\u043a \U0001f45b", True),
    ("e\u0301", True),  # not made the one character that it looks like
    ("a'b\"c\\d{e},NULL", True),
    ("NULL", True),
    ("\u2028", True),
    ("", False),
    ("a\nb", False),
    ("a\n", False),
    ("a\tb", False),
    ("\0", False),
    ("\x7f", False),
    ("\x85", False),
]


@pytest.mark.parametrize(("name", "most"), [("reference", 255), ("description", 500)])
def test_texts_are_kept_to_the_letter_or_refused(till: Till, name: str, most: int) -> None:
    ann = till.open()
    for text, is_right in [*TEXTS, ("\U0001f45b" * most, True), ("\U0001f45b" * (most + 1), False)]:
        answer = till.post(f"/account/{ann}/payment", {"amount": "1", name: text})
        if is_right:
            assert made(answer)[name] == till.transaction(answer.body["id"])[name] == text
        else:
            assert (answer.status, answer.body["errors"][0]["pointer"]) == (422, f"/{name}"), text
    wrong: list[Any] = [7, True, [], {}]
    for value in wrong:
        answer = till.post(f"/account/{ann}/payment", {"amount": "1", name: value})
        assert (answer.status, answer.body["errors"]) == (
            422,
            [{"pointer": f"/{name}", "detail": "must be a string, or null"}],
        )


def test_a_member_that_says_it_wrongly_is_named_by_its_place(till: Till) -> None:
    ann, bob = till.open("10"), till.open()
    answer = till.batch(transfer(ann, bob, "1"), transfer(ann, bob, "1") | {"effective_on": "2026-02-30"})
    assert (answer.status, answer.body["errors"][0]["pointer"]) == (422, "/transactions/1/effective_on")
