"""If-Match and ETag: who changes an account sees it as it is, or is told that it is not so any more."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.http.test_refusals import assert_problem
from tests.support.service import Answer
from tests.support.till import Till, found, made


def change_if(till: Till, account_id: int, if_match: str, **fields: Any) -> Answer:
    return till.change(account_id, {"If_Match": if_match}, **fields or {"metadata": {}})


def test_transactions_and_changes_both_give_an_account_another_etag(till: Till) -> None:
    ann = till.open()
    seen = [till.etag(ann)]
    for _ in range(2):
        made(till.pay(ann, "1"))
        seen.append(till.etag(ann))
        found(till.change(ann, metadata={"seen": str(len(seen))}))
        seen.append(till.etag(ann))
    assert seen == ['"0"', '"1"', '"1.1"', '"2.1"', '"2.2"']


@pytest.mark.parametrize(
    "if_match", ['"1.1"', '"0", "1.1"', '"1.1","2"', '  "1.1"  ', '"nonsense", "1.1"', 'W/"1.1", "1.1"', "*", " * "]
)
def test_a_change_is_made_if_the_account_is_as_it_is_known(till: Till, if_match: str) -> None:
    ann = till.open("5")
    found(till.change(ann, metadata={}))
    assert till.etag(ann) == '"1.1"'
    assert found(change_if(till, ann, if_match, status="frozen"))["status"] == "frozen"


@pytest.mark.parametrize(
    "if_match",
    [
        '"1"',
        '"0.1"',
        '"1.0"',
        '"1.2"',
        '"2.1"',
        'W/"1.1"',
        '"1.1.1"',
        '"01.1"',
        '"1.01"',
        '"-1"',
        '"*"',
        '"9999999999999999999"',
        "",
        ",",
    ],
)
def test_a_change_is_refused_if_the_account_is_not_as_it_is_known(till: Till, if_match: str) -> None:
    ann = till.open("5")
    found(till.change(ann, metadata={}))
    before = till.account(ann)
    problem = assert_problem(change_if(till, ann, if_match, status="frozen"), "version-mismatch")
    assert (problem["account_id"], problem["version"]) == (ann, 1)
    assert problem["detail"] == f'Account {ann} is at "1.1"; read it again.'
    assert problem["etag"] == '"1.1"' == till.etag(ann)
    assert till.account(ann) == before


def test_money_that_moved_meanwhile_is_a_mismatch_too(till: Till) -> None:
    ann = till.open("5")
    etag = till.etag(ann)
    made(till.pay(ann, "1"))
    problem = assert_problem(change_if(till, ann, etag, max_balance="5"), "version-mismatch")
    assert (problem["detail"], problem["etag"]) == (f'Account {ann} is at "2"; read it again.', '"2"')


def test_the_etag_of_a_mismatch_is_good_for_the_next_change_even_if_the_version_is_the_same(till: Till) -> None:
    ann = till.open("5")
    first = till.etag(ann)
    found(till.change(ann, metadata={}))
    headers = {"If_Match": first, "Idempotency_Key": f"late-{ann}"}
    refused = till.change(ann, headers, metadata={"a": "b"})
    problem = assert_problem(refused, "version-mismatch")
    assert refused.headers["ETag"] == problem["etag"] != first
    found(change_if(till, ann, problem["etag"], metadata={"a": "b"}))
    again = till.change(ann, headers, metadata={"a": "b"})
    assert (again.body, again.headers["ETag"]) == (problem, problem["etag"]), "of the account as it was then"


def test_the_etag_of_a_change_is_good_for_the_next(till: Till) -> None:
    ann = till.open()
    etag = till.etag(ann)
    for _ in range(3):
        answer = change_if(till, ann, etag)
        assert found(answer)
        assert answer.headers["ETag"] != etag
        etag = answer.headers["ETag"]
    assert etag == '"0.3"'


def test_the_etag_of_an_opening_is_good_for_a_change(till: Till) -> None:
    opened = till.post("/account", {"email": "ann@example.com"})
    found(change_if(till, opened.body["id"], opened.headers["ETag"]))


def test_a_mismatch_comes_before_what_the_money_says(till: Till) -> None:
    ann = till.open("5")
    assert_problem(change_if(till, ann, '"7"', status="closed"), "version-mismatch")
    assert_problem(change_if(till, ann, '"1"', status="closed"), "account-not-empty")
    assert_problem(change_if(till, 999_999_999, "*"), "account-not-found")


def test_of_two_changes_that_know_the_same_account_one_is_made(till: Till) -> None:
    ann = till.open("5")
    with ThreadPoolExecutor(max_workers=8) as threads:
        for number in range(25):
            etag = till.etag(ann)
            names = [f"{number}-{n}" for n in range(8)]
            answers = list(
                threads.map(lambda name, etag=etag: change_if(till, ann, etag, metadata={"name": name}), names)
            )
            assert sorted(answer.status for answer in answers) == [200] + [412] * 7
            (winner,) = [name for name, answer in zip(names, answers, strict=True) if answer.status == 200]
            assert till.account(ann)["metadata"] == {"name": winner}
    assert till.etag(ann) == '"1.25"'


def test_changes_that_know_nothing_are_all_made(till: Till) -> None:
    ann = till.open("5")
    with ThreadPoolExecutor(max_workers=8) as threads:
        answers = list(threads.map(lambda n: till.change(ann, metadata={"n": str(n)}), range(32)))
    assert [answer.status for answer in answers] == [200] * 32
    assert len({answer.headers["ETag"] for answer in answers}) == 32
    assert till.etag(ann) == '"1.32"'


def test_a_repeated_change_knows_the_same_account(till: Till) -> None:
    ann = till.open()
    headers = {"Idempotency_Key": f"change-{ann}", "If_Match": '"0"'}
    first, again = (till.change(ann, headers, status="frozen") for _ in range(2))
    assert (again.status, again.body) == (200, first.body)
    other = till.change(ann, headers | {"If_Match": '"0.1"'}, status="frozen")
    assert assert_problem(other, "idempotency-key-reused")["field"] == "If-Match"


def test_an_account_that_was_changed_is_sent_again(till: Till) -> None:
    ann = till.open("5")
    path, etag = f"/account/{ann}", till.etag(ann)
    assert till.call("GET", path, If_None_Match=etag).status == 304
    found(till.change(ann, metadata={"a": "b"}))
    changed = till.call("GET", path, If_None_Match=etag)
    assert (found(changed)["metadata"], changed.headers["ETag"]) == ({"a": "b"}, '"1.1"')
    for known in ('"1.1"', 'W/"1.1"', '"7", "1.1"'):
        assert till.call("GET", path, If_None_Match=known).status == 304


def test_a_hold_gives_its_account_another_etag(till: Till) -> None:
    ann = till.open("5")
    hold = made(till.hold(ann, None, "1"))["id"]
    assert till.etag(ann) == '"2"'
    made(till.void(hold))
    assert till.etag(ann) == '"3"'
