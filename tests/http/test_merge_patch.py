"""A PATCH that is a merge patch (RFC 7396): what is named is set, what is null is removed, all else stays."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from tests.http.test_refusals import assert_problem
from tests.support.service import Answer
from tests.support.till import Till, found

MERGE = {"Content_Type": "application/merge-patch+json"}


def merged(till: Till, account_id: int, headers: dict[str, str] | None = None, /, **fields: Any) -> Answer:
    return till.change(account_id, MERGE | (headers or {}), **fields)


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ({"metadata": {}}, {}),
        ({"metadata": {"new": "1"}}, {"metadata": {"a": "1", "b": "2", "new": "1"}}),
        ({"metadata": {"a": "3"}}, {"metadata": {"a": "3", "b": "2"}}),
        ({"metadata": {"a": None}}, {"metadata": {"b": "2"}}),
        ({"metadata": {"a": None, "b": None}}, {"metadata": {}}),
        ({"metadata": {"never": None}}, {}),
        ({"metadata": None}, {"metadata": {}}),
        (
            {"metadata": {"a": None, "c": "3"}, "status": "frozen"},
            {"metadata": {"b": "2", "c": "3"}, "status": "frozen"},
        ),
        ({"status": "frozen"}, {"status": "frozen"}),
        ({"max_balance": None}, {"max_balance": None}),
        ({"min_balance": "-5"}, {"min_balance": "-5.00", "available": "15.00"}),
        ({}, {}),
    ],
)
def test_what_is_named_is_merged(till: Till, asked: dict[str, Any], kept: dict[str, Any]) -> None:
    ann = till.open("10", metadata={"a": "1", "b": "2"})
    before = till.account(ann)
    answer = merged(till, ann, **asked)
    assert found(answer) == before | kept
    assert till.account(ann) == answer.body


def test_plain_json_still_replaces_metadata_whole(till: Till) -> None:
    ann = till.open(metadata={"a": "1", "b": "2"})
    assert found(till.change(ann, metadata={"c": "3"}))["metadata"] == {"c": "3"}
    problem = assert_problem(till.change(ann, metadata={"c": None}), "validation-failed")
    assert problem["errors"] == [{"pointer": "/metadata/c", "detail": "must be a string"}]


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ({"email": None}, "/email"),
        ({"min_balance": None}, "/min_balance"),
        ({"status": None}, "/status"),
        ({"metadata": {"a": 1}}, "/metadata/a"),
        ({"metadata": {"a": {"b": None}}}, "/metadata/a"),
        ({"metadata": {"k" * 41: None}}, f"/metadata/{'k' * 41}"),
        ({"metadata": {"": "x"}}, "/metadata/"),
        ({"currency": None}, "/currency"),
        ({"metadata": {f"n{number}": "" for number in range(49)}}, "/metadata"),
        ({"metadata": {f"n{number}": None for number in range(101)}}, "/metadata"),
    ],
)
def test_what_cannot_be_merged_is_pointed_at_and_changes_nothing(
    till: Till, asked: dict[str, Any], pointer: str
) -> None:
    ann = till.open(metadata={"a": "1", "b": "2"})
    before = till.account(ann), till.etag(ann)
    (error,) = assert_problem(merged(till, ann, **asked), "validation-failed")["errors"]
    assert error["pointer"] == pointer
    assert (till.account(ann), till.etag(ann)) == before


def test_fifty_entries_are_counted_when_they_are_merged(till: Till) -> None:
    ann = till.open(metadata={f"n{number}": "" for number in range(50)})
    problem = assert_problem(merged(till, ann, metadata={"one": "more"}), "validation-failed")
    assert problem["errors"] == [{"pointer": "/metadata", "detail": "would have 51 entries, and may have at most 50"}]
    assert "one" in found(merged(till, ann, metadata={"one": "more", "n7": None}))["metadata"]
    assert found(merged(till, ann, metadata={f"n{number}": None for number in range(50)}))["metadata"] == {
        "one": "more"
    }


def test_patches_at_the_same_moment_never_lose_each_other(till: Till) -> None:
    ann = till.open(metadata={"gone": "soon"})
    patches: list[dict[str, str | None]] = [{f"n{number}": str(number)} for number in range(40)]
    with ThreadPoolExecutor(max_workers=8) as threads:
        answers = list(threads.map(lambda patch: merged(till, ann, metadata=patch), [*patches, {"gone": None}]))
    assert [answer.status for answer in answers] == [200] * 41
    assert till.account(ann)["metadata"] == {f"n{number}": str(number) for number in range(40)}


def test_a_patch_with_a_key_is_merged_once(till: Till) -> None:
    ann, key = till.open(metadata={"a": "1"}), {"Idempotency_Key": str(uuid4())}
    first = merged(till, ann, key, metadata={"a": None, "b": "2"})
    found(till.change(ann, metadata={"a": "back"}))
    again = merged(till, ann, key, metadata={"b": "2", "a": None})
    assert (again.body, again.headers["Idempotent-Replayed"]) == (found(first), "true")
    assert till.account(ann)["metadata"] == {"a": "back"}
    for other in (merged(till, ann, key, metadata={"b": "2"}), till.change(ann, key, metadata={"b": "2"})):
        assert assert_problem(other, "idempotency-key-reused")["field"] == "metadata"


def test_a_refused_patch_stays_refused(till: Till) -> None:
    ann, key = till.open(metadata={f"n{number}": "" for number in range(50)}), {"Idempotency_Key": str(uuid4())}
    first = merged(till, ann, key, metadata={"one": "more"})
    found(till.change(ann, metadata={}))
    again = merged(till, ann, key, metadata={"one": "more"})
    assert (again.status, again.body) == (422, first.body)
    assert till.account(ann)["metadata"] == {}
