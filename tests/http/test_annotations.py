"""Notes on a posted transaction, changed over HTTP: PATCH /transaction/{id}, and what was changed."""

from typing import Any
from uuid import uuid4

import pytest

from tests.http.test_refusals import assert_problem
from tests.support.service import Answer
from tests.support.till import Till, found, made

MERGE = {"Content_Type": "application/merge-patch+json"}


def annotate(till: Till, id_: int | str, body: Any, **headers: str) -> Answer:
    return till.call("PATCH", f"/transaction/{id_}", body, **headers)


def changes(till: Till, id_: int) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = found(till.call("GET", f"/transaction/{id_}/change?order=asc"))["items"]
    return items


@pytest.fixture
def paid(till: Till) -> int:
    """A payment that says all that one can say."""
    said = {"amount": "10", "metadata": {"a": "1", "b": "2"}, "description": "rent", "reference": "order 7"}
    id_: int = made(till.post(f"/account/{till.open()}/payment", said))["id"]
    return id_


def test_whoever_reads_it_finds_the_notes_of_now_and_all_else_as_it_was(till: Till, paid: int) -> None:
    before = till.transaction(paid)
    answer = annotate(till, paid, {"metadata": {"c": "3"}, "description": "paid late"})
    assert found(answer) == before | {"metadata": {"c": "3"}, "description": "paid late"}
    assert till.transaction(paid) == answer.body
    assert list(answer.body) == list(before), "in this order"


@pytest.mark.parametrize(
    ("headers", "said", "metadata", "description"),
    [
        ({}, {"description": None}, {"a": "1", "b": "2"}, None),
        ({}, {"metadata": {}}, {}, "rent"),
        ({}, {"metadata": {"a": "2"}}, {"a": "2"}, "rent"),
        ({}, {}, {"a": "1", "b": "2"}, "rent"),
        (MERGE, {"metadata": {"a": "2"}}, {"a": "2", "b": "2"}, "rent"),
        (MERGE, {"metadata": {"a": None, "c": "3"}, "description": None}, {"b": "2", "c": "3"}, None),
    ],
)
def test_plain_json_replaces_metadata_and_a_merge_patch_goes_into_it(
    till: Till,
    paid: int,
    headers: dict[str, str],
    said: dict[str, Any],
    metadata: dict[str, str],
    description: str | None,
) -> None:
    now = found(annotate(till, paid, said, **headers))
    assert (now["metadata"], now.get("description")) == (metadata, description)
    assert till.transaction(paid) == now


def test_each_change_is_kept_with_what_was_there_before(till: Till, paid: int) -> None:
    assert changes(till, paid) == []
    key = uuid4().hex
    annotate(till, paid, {"metadata": {"a": "2"}}, Idempotency_Key=key)
    annotate(till, paid, {"description": None})
    annotate(till, paid, {})
    first, second, third = changes(till, paid)
    assert first["changes"] == {"metadata": [{"a": "1", "b": "2"}, {"a": "2"}]}
    assert second["changes"] == {"description": ["rent", None]}
    assert third["changes"] == {}
    assert [one["revision"] for one in (first, second, third)] == [1, 2, 3]
    assert [one["idempotency_key"] for one in (first, second, third)] == [key, None, None]
    assert till.transaction(paid)["ctime"] < first["ctime"] < second["ctime"]


def test_a_key_answers_for_ever_what_it_has_answered_first(till: Till, paid: int) -> None:
    key = uuid4().hex
    first = annotate(till, paid, {"description": "first"}, Idempotency_Key=key)
    found(annotate(till, paid, {"description": "second"}))
    made(till.refund(paid, "1"))
    again = annotate(till, paid, {"description": "first"}, Idempotency_Key=key)
    assert (again.status, again.body, again.headers["Idempotent-Replayed"]) == (200, first.body, "true")
    assert till.transaction(paid)["description"] == "second"
    problem = assert_problem(annotate(till, paid, {"description": "x"}, Idempotency_Key=key), "idempotency-key-reused")
    assert problem["field"] == "description"
    account = till.transaction(paid)["target_account_id"]
    assert assert_problem(till.pay(account, "1", Idempotency_Key=key), "idempotency-key-reused")["field"] == "kind"


def test_the_key_of_the_transaction_itself_answers_as_ever(till: Till) -> None:
    account, key, body = till.open(), uuid4().hex, {"amount": "3", "description": "rent"}
    first = till.post(f"/account/{account}/payment", body, Idempotency_Key=key)
    found(annotate(till, made(first)["id"], {"description": "late", "metadata": {"a": "b"}}))
    again = till.post(f"/account/{account}/payment", body, Idempotency_Key=key)
    assert again.body == first.body
    assert again.body["description"] == "rent"


def test_a_hold_is_answered_as_it_stands(till: Till) -> None:
    ann = till.open("10")
    hold = made(till.hold(ann, None, "5"))["id"]
    assert found(annotate(till, hold, {"description": "x"}))["remaining"] == "5.00"
    made(till.capture(hold, "2"))
    now = found(annotate(till, hold, {"metadata": {"a": "b"}}))
    assert (now["status"], now["remaining"], now["description"]) == ("captured", "0.00", "x")
    assert till.transaction(hold) == now


def test_what_is_not_posted_takes_no_notes(till: Till) -> None:
    ann = till.open()
    at = {"amount": "1", "execute_at": "2027-01-01T00:00:00Z"}
    queued = till.post(f"/account/{ann}/payment", at).body["id"]
    problem = assert_problem(annotate(till, queued, {"description": "x"}), "not-posted")
    assert (problem["transaction_id"], problem["transaction_status"]) == (queued, "queued")
    assert changes(till, queued) == []
    found(till.cancel(queued))
    assert assert_problem(annotate(till, queued, {}), "not-posted")["transaction_status"] == "cancelled"


@pytest.mark.parametrize("id_", [9_999_999, "x", "0", "@ann"])
def test_a_transaction_that_is_not_there(till: Till, id_: int | str) -> None:
    assert_problem(annotate(till, id_, {"description": "x"}), "transaction-not-found")
    assert_problem(till.call("GET", f"/transaction/{id_}/change"), "transaction-not-found")


@pytest.mark.parametrize(
    ("headers", "body", "pointer"),
    [
        ({}, {"amount": "5"}, "/amount"),
        ({}, {"reference": "x"}, "/reference"),
        ({}, {"metadata": None}, "/metadata"),
        ({}, {"metadata": {"a": None}}, "/metadata/a"),
        ({}, {"metadata": {"a": 1}}, "/metadata/a"),
        ({}, {"metadata": {str(number): "" for number in range(51)}}, "/metadata"),
        ({}, {"description": ""}, "/description"),
        ({}, {"description": "x" * 501}, "/description"),
        ({}, {"description": "a\nb"}, "/description"),
        (MERGE, {"metadata": {str(number): "" for number in range(50)}}, "/metadata"),
    ],
)
def test_what_no_notes_can_be_is_refused(
    till: Till, paid: int, headers: dict[str, str], body: dict[str, Any], pointer: str
) -> None:
    problem = assert_problem(annotate(till, paid, body, **headers), "validation-failed")
    assert [one["pointer"] for one in problem["errors"]] == [pointer]
    assert changes(till, paid) == []


@pytest.mark.parametrize("header", ["If_Match", "If_None_Match"])
def test_a_condition_is_refused_since_it_is_not_looked_at(till: Till, paid: int, header: str) -> None:
    assert_problem(annotate(till, paid, {}, **{header: '"1"'}), "validation-failed")
