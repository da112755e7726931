"""`filter=` over HTTP: what it finds, how it goes with other parameters, and what is refused."""

from typing import Any
from urllib.parse import quote, urlencode

import pytest

from koshel.inputs.filters import LENGTH_MAX
from tests.http.conftest import OpenAccount
from tests.http.test_lists import walk
from tests.http.test_refusals import assert_problem
from tests.support.service import Running
from tests.support.till import Till, transfer


def refused(service: Running, where: str, text: str, **query: Any) -> str:
    """Why a filter is refused."""
    answer = service.call("GET", f"{where}?{urlencode(query | {'filter': text})}")
    assert_problem(answer, "validation-failed")
    assert answer.body["errors"][0]["parameter"] == "filter", answer.body
    return str(answer.body["errors"][0]["detail"])


def ids(service: Running, where: str, text: str, **query: Any) -> list[int]:
    return [one["id"] for one in walk(service, where, **query, filter=text)]


def test_transactions_are_found_by_comparisons(service: Running, till: Till, open_account: OpenAccount) -> None:
    ann, bob = open_account("100"), open_account()
    labels = {"metadata": {"plan": "gold"}, "effective_on": "2026-01-31", "description": "Über café"}
    small = till.post("/transaction", {**transfer(ann, bob, "5"), "reference": f"one {ann}"} | labels).body["id"]
    large = till.post("/transaction", {**transfer(ann, bob, "50"), "reference": f"two {ann}"}).body["id"]
    back = service.call("POST", f"/transaction/{small}/refund", {"amount": "1.5"}).body["id"]
    mine, both = f"account_id = {ann}", f'reference in ("one {ann}", "two {ann}")'
    for text, found in {
        f"{mine} and amount >= 5.00 and kind != payment": [large, small],
        f"{both} and not amount > 5": [back, small],
        f"{both} and amount = 5.0": [small],
        f"{both} AND (kind = refund OR amount >= 50)": [back, large],
        f'{mine} and metadata.plan = gold and description = "Über café"': [small],
        f"{mine} and effective_on = 2026-01-31": [small],
        f"{mine} and effective_on<2026-02-01": [small],
        f"parent_id = {small}": [back],
        f"id in ({small}, {back}) and status = posted": [back, small],
        f"id = {large} or parent_id = {small}": [back, large],
        f"{mine} and refunded > 0": [small],
        f"{mine} and source_account_id = {bob}": [back],
        f"{both} and target_account_id = {bob} and metadata.plan = null": [large],
        f"{mine} and amount = 3": [],
        f"{mine} and ctime > 2020-01-01T00:00:00Z and ctime < 2020-01-02T00:00:00+01:00": [],
    }.items():
        assert ids(service, "/transaction", text) == found, text
        assert ids(service, "/transaction", text, order="asc", limit=1) == found[::-1], text
    assert ids(service, "/transaction", "amount > 5", account_id=bob) == [large]
    assert ids(service, "/transaction", "amount > 1", reference=f"one {ann}", kind="refund") == [back]
    assert ids(service, "/transaction", "amount = 50", since="2026-01-01T00:00:00Z", account_id=ann) == [large]


def test_accounts_and_lines_are_found_by_comparisons(service: Running) -> None:
    names = [f"filters:{number}" for number in range(4)]
    opened = [
        service.call("POST", "/account", {"email": f"Filters-{name[-1]}@EXAMPLE.com", "name": name}).body["id"]
        for name in names
    ]
    for number, account in enumerate(opened):
        for _ in range(number):
            service.call("POST", f"/account/{account}/payment", {"amount": "10"})
    assert ids(service, "/account", "name = filters:* and balance >= 20.00", order="asc") == opened[2:]
    assert ids(service, "/account", 'name in ("filters:1", filters:3)', limit=1) == [opened[3], opened[1]]
    assert ids(service, "/account", "email = Filters-2@EXAMPLE.com or name = filters:0") == [opened[2], opened[0]]
    assert ids(service, "/account", "currency = USD and version = 3 and available > 0", name="filters:*") == opened[3:]
    assert "a name with *" in refused(service, "/account", "name = filters:* or currency = USD")
    where = f"/account/{opened[3]}/transaction"
    found = [one["version"] for one in walk(service, where, filter="balance >= 20 and not version = 3")]
    assert found == [2]
    assert [one["version"] for one in walk(service, where, filter="change = 10", limit=1, order="asc")] == [1, 2, 3]
    assert list(walk(service, where, filter="kind = void")) == []


def test_a_hold_does_not_touch_its_target(service: Running, open_account: OpenAccount) -> None:
    ann, bob = open_account("100"), open_account()
    body = {"source_account_id": ann, "target_account_id": bob, "amount": "3", "hold": {}, "reference": f"hold {ann}"}
    hold = service.call("POST", "/transaction", body).body["id"]
    assert ids(service, "/transaction", f"account_id = {bob} and kind = hold") == []
    assert ids(service, "/transaction", f'reference = "hold {ann}" and account_id = {bob}') == []
    assert [one["id"] for one in walk(service, "/transaction", reference=f"hold {ann}", account_id=bob)] == []
    assert ids(service, "/transaction", f"source_account_id = {ann} and target_account_id = {bob}") == [hold]
    assert ids(service, "/transaction", f"status = held and target_account_id = {bob} and remaining = 3") == [hold]
    service.call("POST", f"/transaction/{hold}/void", {})
    assert ids(service, "/transaction", f"status in (held, voided) and target_account_id = {bob}") == [hold]


def test_background_transactions_are_found_by_their_status(
    service: Running, till: Till, open_account: OpenAccount
) -> None:
    poor, other = open_account(), open_account()
    declined = till.enqueue("/transaction", transfer(poor, other, "5"))["id"]
    assert till.decided(declined)["status"] == "declined"
    assert ids(service, "/transaction", f"status = declined and target_account_id = {other}") == [declined]
    assert ids(service, "/transaction", f"id = {declined} and status in (queued, declined)") == [declined]
    assert ids(service, "/transaction", f"account_id = {other} and status = posted") == []
    body = {"source": f"ghosts:{other}", "target_account_id": other, "amount": "5"}
    nameless = till.enqueue("/transaction", body)["id"]
    assert till.decided(nameless)["status"] == "declined"
    for by in ("", f"id = {nameless} and ", f"reference = x or account_id = {other} and "):
        name = f"source = ghosts:{other}"
        assert nameless not in ids(service, "/transaction", by + name), "no account has that name"
    assert ids(service, "/transaction", f"id = {nameless} and not source = ghosts:{other}") == [nameless]


def test_what_no_index_finds_is_refused_with_the_fields_that_would_help(service: Running) -> None:
    for where, text, named in (
        ("/transaction", "amount > 10", "amount"),
        ("/transaction", 'reference = "a" or metadata.plan = gold', "metadata.*"),
        ("/transaction", "not kind = hold", "kind"),
        ("/transaction", "not ctime = 2026-01-01T00:00:00Z and status = posted", "ctime and status"),
        ("/transaction", "target = users:1", "target"),
        ("/account", "balance > 0 and held = 0", "balance and held"),
    ):
        answer = service.call("GET", f"{where}?filter={quote(text)}")
        assert_problem(answer, "filter-not-indexed")
        assert answer.body["parameters"] == ["filter"]
        assert f" {named} alone" in answer.body["detail"]
        assert answer.body["add_one_of"]
        assert not {*named.split(" and ")} & {*answer.body["add_one_of"]}, "it has them"
        value = {"ctime": "2026-01-01T00:00:00Z", "kind": "payment", "status": "held", "account": "users:1"}
        for name in answer.body["add_one_of"]:
            more = f"{name} = {value.get(name, 1) if where == '/transaction' else _of_account(name)}"
            assert service.call("GET", f"{where}?filter={quote(f'({text}) and {more}')}").status == 200, more


def _of_account(name: str) -> str:
    return {"status": "open", "currency": "USD", "email": "a@example.com", "name": "users:1"}.get(name, "1")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "must have 1 to 1000 characters"),
        (" ", "it ends too early"),
        ("x" * (LENGTH_MAX + 1), "must have 1 to 1000 characters"),
        ("(" * 1_000 + "id = 1" + ")" * 1_000, "must have 1 to 1000 characters"),
        ("(" * 490 + "id = 1" + ")" * 490, "brackets"),
        ("not " * 240 + "id = 1", "brackets"),
        ("(" * 900, "it ends too early"),
        ("id = 1; DROP TABLE account", "it goes wrong at character 9"),
        ("id = 1 OR 1 = 1", "it goes wrong at character 11"),
        ("' OR ''='", "it goes wrong at character 1"),
        ("reference = 'x' -- and", "it goes wrong"),
        ("id = 1 and", "it ends too early"),
        ("id = 1)", "it goes wrong at character 7"),
        ("kind == refund", "it goes wrong at character 7"),
        ("balance > 3 and id = 1", "has balance, which is none of its fields"),
        ("ID = 1", "it goes wrong at character 1"),
        ("metadata = gold", "must have an entry after it"),
        ('metadata."" = gold', "must have an entry after it"),
        ('id = 1 and metadata."" != null', "must have an entry after it"),
        ("kind.plan = gold", "has no entries"),
        ('kind."" = refund', "has no entries"),
        ("kind = gift", "has a value of kind that must be one of payment"),
        ("kind < hold", "must compare kind by =, != or in"),
        ("amount > null", "with null"),
        ("amount = ten", "has a value of amount that must be a number such as 12.50"),
        ("amount = 1e999999999", "has a value of amount that must be a number such as 12.50"),
        ("amount = 1e99", "has a value of amount that must have at most 18 digits"),
        ("amount = NaN", "must be a number"),
        ("id = -1", "must be a whole number from 0"),
        ("id = \u0661", "must be a whole number from 0"),
        ("id = 99999999999999999999", "must be a whole number from 0"),
        ("ctime > 2026-01-01", "must be a time such as"),
        ("ctime > 10000-01-01T00:00:00Z", "must be a time such as"),
        ("ctime > 0001-01-01T00:00:00+23:00", "must be in the years 1 to 9999"),
        ("effective_on = 2026-02-30", "must be a date such as"),
        ("source = a@b", "must be 1 to 100 characters"),
        ('reference = "\\u0000"', "must be without the character NUL"),
        ("reference = \0", "must be without the character NUL"),
        ('reference = "\\ud800"', "it goes wrong at character 13"),
        ('reference = "no end', "it goes wrong at character 13"),
        ('reference = "\\', "it goes wrong at character 14"),
        ("id in ()", "it goes wrong at character 8"),
        ("id in (" + ",".join(map(str, range(51))) + ")", "must not compare with more than 50 values"),
        ("id in (" + ",".join(map(str, range(9))) + ")", "must not need more than 8 look-ups"),
    ],
)
def test_what_is_no_filter_is_refused(service: Running, text: str, why: str) -> None:
    assert why in refused(service, "/transaction", text)
    if "look-ups" not in why:
        assert why in refused(service, "/transaction", text, account="nobody"), "also where nothing can be found"
    if "fields" not in why:
        assert service.call("GET", f"/account?filter={quote(text)}").status == 422


def test_texts_are_compared_and_never_run(service: Running, till: Till, open_account: OpenAccount) -> None:
    ann = open_account()
    for text in (
        "'; DROP TABLE koshel.transaction; --",
        "$1",
        "%",
        "日本語 \U0001f600",
        'say "and" \\ or',
        "null",
        "a(b)",
    ):
        body = {"amount": "1", "reference": text}
        paid = service.call("POST", f"/account/{ann}/payment", body).body["id"]
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        assert ids(service, "/transaction", f'reference = "{escaped}" and account_id = {ann}') == [paid]
        assert till.transaction(paid)["reference"] == text
