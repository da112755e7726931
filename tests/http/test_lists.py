"""Lists over HTTP: pages that follow each other, their filters, and what is refused."""

from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from koshel.http import pages
from koshel.http.pages import LIMIT_MAX, Cursor
from koshel.inputs.moments import REASON
from tests.http.conftest import OpenAccount
from tests.http.test_refusals import assert_problem
from tests.support.service import Running
from tests.support.till import Till, transfer

TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()


@pytest.fixture(scope="module")
def path(service: Running) -> str:
    """The lines of an account that has twelve."""
    opened = service.call("POST", "/account", {"email": "lists@example.com"}).body["id"]
    for number in range(12):
        body = {"amount": "1", "reference": "lists", "metadata": {"n": str(number % 3)}}
        assert service.call("POST", f"/account/{opened}/payment", body).status == 201
    return f"/account/{opened}/transaction"


def walk(service: Running, path: str, **query: Any) -> Iterator[Any]:
    """The items of all pages, by their links."""
    link = f"{path}?{urlencode(query)}"
    while link:
        answer = service.call("GET", link)
        assert answer.status == 200, answer
        yield from answer.body["items"]
        link = answer.headers.get("Link", "").removeprefix("<").removesuffix('>; rel="next"')
        assert (answer.body["next"] is None) == (not link)


@pytest.mark.parametrize("limit", [1, 5, 11, 12, 13, LIMIT_MAX])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_that_follow_each_other_have_every_line_once(service: Running, path: str, limit: int, order: str) -> None:
    versions = [line["version"] for line in walk(service, path, limit=limit, order=order)]
    assert versions == list(range(1, 13)) if order == "asc" else list(range(12, 0, -1))


def test_a_line_says_what_it_changed_and_what_was_left(service: Running, open_account: OpenAccount) -> None:
    ann, bob = open_account("100"), open_account()
    sides = {"source_account_id": ann, "target_account_id": bob}
    service.call("POST", "/transaction", {**sides, "amount": "30", "hold": {}})
    hold = next(walk(service, f"/account/{ann}/transaction"))["transaction"]["id"]
    service.call("POST", f"/transaction/{hold}/capture", {"amount": "12.50"})
    of_ann = [(line["change"], line["balance"], line["held"]) for line in walk(service, f"/account/{ann}/transaction")]
    assert of_ann == [("-12.50", "87.50", "0.00"), ("0.00", "100.00", "30.00"), ("100.00", "100.00", "0.00")]
    of_bob = [(line["change"], line["balance"], line["held"]) for line in walk(service, f"/account/{bob}/transaction")]
    assert of_bob == [("12.50", "12.50", "0.00")]
    assert_problem(service.call("GET", "/account/999999/transaction"), "account-not-found")


def test_background_transactions_are_found_like_any_other(
    service: Running, till: Till, open_account: OpenAccount
) -> None:
    poor, other = open_account(), open_account()
    body = {**transfer(poor, other, "5"), "reference": f"of {poor}"}
    declined = till.enqueue("/transaction", body)["id"]
    queued, cancelled = (till.post("/transaction", {**body, "execute_at": TOMORROW}).body["id"] for _ in range(2))
    assert till.cancel(cancelled).status == 200
    assert till.decided(declined)["status"] == "declined"
    ids = {"declined": declined, "queued": queued, "cancelled": cancelled}
    for query in ({"account_id": poor}, {"account_id": other}, {"reference": f"of {poor}"}):
        assert {one["id"] for one in walk(service, "/transaction", **query)} == set(ids.values())
        for status, id_ in ids.items():
            (found,) = walk(service, "/transaction", status=status, **query)
            assert found == till.transaction(id_), "as it is read alone"


def test_a_queued_split_is_found_by_its_one_side_and_by_all_of_them_once_it_is_posted(
    service: Running, till: Till, open_account: OpenAccount
) -> None:
    ann, bob, cat = open_account("100"), open_account(), open_account()
    legs = [{"target_account_id": bob, "amount": "5"}, {"target_account_id": cat, "remaining": True}]
    body = {"source_account_id": ann, "amount": "9", "targets": legs}
    queued = till.post("/transaction", {**body, "execute_at": TOMORROW}).body["id"]
    found = [one["id"] for one in walk(service, "/transaction", account_id=ann, status="queued")]
    assert found == [queued]
    assert list(walk(service, "/transaction", account_id=bob)) == []
    group_id = till.post("/transaction", body).body["group_id"]
    posted = [one["id"] for one in walk(service, "/transaction", group_id=group_id, order="asc")]
    assert [one["id"] for id_ in (bob, cat) for one in walk(service, "/transaction", account_id=id_)] == posted


def test_accounts_are_found_by_their_names_and_how_these_begin(service: Running, open_account: OpenAccount) -> None:
    names = ["shop-7:a", "shop-7:b", "shop-7:b:c", "shop-70", "shop-7"]
    for name in names:
        open_account(name=name, metadata={"kind": name[-1]})
    assert [one["name"] for one in walk(service, "/account", name="shop-7:*", order="asc", limit=1)] == names[:3]
    assert [one["name"] for one in walk(service, "/account", name="shop-7:*", limit=2)] == names[2::-1]
    assert [one["name"] for one in walk(service, "/account", name="shop-7:b")] == ["shop-7:b"]
    assert [one["name"] for one in walk(service, "/account", **{"name": "shop-7*", "metadata.kind": "7"})] == ["shop-7"]
    assert [one["id"] for one in walk(service, "/account", status="closed", name="shop-7*")] == []


def test_accounts_are_found_by_client_currency_and_status(service: Running, open_account: OpenAccount) -> None:
    ids = [open_account(email="lists-7@example.com", currency=currency) for currency in ("CHF", "JPY", "CHF")]
    service.call("PATCH", f"/account/{ids[0]}", {"status": "frozen"})
    for query, expected in (
        ({}, ids[::-1]),
        ({"currency": "CHF"}, [ids[2], ids[0]]),
        ({"status": "frozen"}, ids[:1]),
        ({"status": "open", "currency": "CHF", "order": "asc"}, ids[2:]),
    ):
        found = walk(service, "/account", limit=1, email="lists-7@example.com", **query)
        assert [one["id"] for one in found] == expected


WRONG = {
    "limit=0": ("limit", "must be a whole number from 1 to 500"),
    "limit=-1": ("limit", "must be a whole number from 1 to 500"),
    "limit=1000000": ("limit", "must be a whole number from 1 to 500"),
    "limt=1": ("limt", "is not known"),
    "order=up": ("order", 'must be one of "asc", "desc"'),
    "order=asc&order=asc": ("order", "must come once"),
    "since=yesterday": ("since", REASON),
    "since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z": ("since", "must not be after until"),
    "since=0000-01-01T00:00:00Z": ("since", REASON),
    "since=10000-01-01T00:00:00Z": ("since", REASON),
    "kind=payments": ("kind", None),
    "status=lost": ("status", None),
    "account_id=0": ("account_id", None),
    "account_id=1&account=ann": ("account", "does not go with account_id"),
    "account=%27%3B--": ("account", None),
    "effective_on=2026-02-30": ("effective_on", "must be a date such as 2026-11-22"),
    "metadata=plan": ("metadata", "is not known"),
    "metadata.=gold": ("metadata.", None),
    "metadata.a=1&metadata.a=2": ("metadata.a", "must come once"),
    "&".join(f"metadata.{name}=1" for name in "abcdef"): ("metadata.f", "must have at most 5 entries"),
    "reference=%00": ("reference", None),
    "after=": ("after", "must be the `next` of a page, as it was given"),
    "after=%C3%A9": ("after", "must be the `next` of a page, as it was given"),
    "after=" + "a" * 6_001: ("after", None),
}


@pytest.mark.parametrize("query", WRONG)
def test_what_a_list_cannot_be_asked_is_refused_by_name(service: Running, query: str) -> None:
    answer = service.call("GET", f"/transaction?{query}")
    assert_problem(answer, "validation-failed")
    (error,) = answer.body["errors"]
    name, detail = WRONG[query]
    assert error["parameter"] == name
    assert detail in {None, error["detail"]}


@pytest.mark.parametrize(
    "query",
    [
        "since=0001-01-01T00:00:00Z&until=9999-12-31T23:59:59.999999Z",
        "since=2026-01-01T00:00:00Z&until=2026-01-01T00:00:00Z",
        "metadata.plan=gold&since=2026-01-01T00:00:00Z",
        "account=no-such",
        "account_id=9223372036854775807",
    ],
)
def test_what_is_strange_is_no_error(service: Running, query: str) -> None:
    assert service.call("GET", f"/transaction?{query}").status == 200


def test_what_no_index_finds_is_refused_with_what_would_help(service: Running) -> None:
    answer = service.call("GET", "/transaction?metadata.plan=gold")
    assert_problem(answer, "filter-not-indexed")
    assert answer.body["parameters"] == ["metadata.*"]
    assert {"account_id", "since"} <= set(answer.body["add_one_of"])
    assert_problem(service.call("GET", "/account?metadata.plan=gold"), "filter-not-indexed")


POSITIONS = {
    "a time without a zone": ["2026-01-01T00:00:00", 1, 1],
    "an id past all ids": ["2026-01-01T00:00:00Z", 2**63, 1],
    "a version past all versions": ["2026-01-01T00:00:00Z", 1, 2**63],
    "an id below zero": ["2026-01-01T00:00:00Z", -1, 1],
    "no position": {},
}
FILTERS: dict[str, dict[str, Any]] = {
    "an account past all ids": {"account_id": 2**63},
    "a text with NUL": {"reference": "a\0b"},
    "notes with NUL": {"metadata": {"a": "\0"}, "reference": "a"},
    "a time without a zone": {"since": "2026-01-01T00:00:00"},
}


@pytest.mark.parametrize("name", [*POSITIONS, *FILTERS])
def test_a_cursor_that_somebody_made_is_refused(service: Running, name: str) -> None:
    position = POSITIONS.get(name, ["2026-01-01T00:00:00Z", 1, 1])
    cursor = pages._written(Cursor("/transaction", 1, "desc", FILTERS.get(name, {}), position))
    assert_problem(service.call("GET", f"/transaction?after={cursor}"), "validation-failed")


def test_so_is_one_that_is_nested_deep(service: Running) -> None:
    deep = b'["/transaction",1,"desc",{"reference":' + b"[" * 2_100 + b"]" * 2_100 + b"},[1]]"
    cursor = urlsafe_b64encode(pages._sum(deep) + deep).rstrip(b"=").decode()
    assert_problem(service.call("GET", f"/transaction?after={cursor}"), "validation-failed")


@pytest.mark.parametrize("query", ["email=%00", "email=a%00@example.com", "currency=%00", "name=%00", "metadata.a=%00"])
def test_a_filter_with_nul_finds_no_fault_of_ours(service: Running, query: str) -> None:
    assert_problem(service.call("GET", f"/account?{query}"), "validation-failed")


def test_accounts_are_found_by_an_email_however_its_domain_is_written(service: Running) -> None:
    opened = service.call("POST", "/account", {"email": "spelling@EXAMPLE.com"}).body["id"]
    for spelling in ("spelling@example.com", "spelling@Example.COM"):
        assert [one["id"] for one in walk(service, "/account", email=spelling)] == [opened]


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_first_and_the_last_day_are_days(service: Running, day: str) -> None:
    opened = service.call("POST", "/account", {"email": "days@example.com"}).body["id"]
    body = {"amount": "1", "effective_on": day}
    paid = service.call("POST", f"/account/{opened}/payment", body).body["id"]
    assert [one["id"] for one in walk(service, "/transaction", account_id=opened, effective_on=day)] == [paid]
