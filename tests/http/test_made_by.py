"""By a key all transactions are found that it has made, however many they are, by the parameter and by a filter."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from tests.support.service import Answer
from tests.support.till import Till, found, transfer

TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()


class Made:
    """Four accounts, and requests between them with keys."""

    def __init__(self, till: Till) -> None:
        self.till = till
        self.name = f"made-by:{uuid4()}"
        self.ann, self.bob, self.cat = till.open("1000"), till.open("1000", name=self.name), till.open()
        self.eur = till.open(currency="EUR")
        self.move = transfer(self.ann, self.bob, "1")
        legs = [{"target_account_id": self.bob, "share": "50%"}, {"target_account_id": self.cat, "remaining": True}]
        self.split = {"source_account_id": self.ann, "amount": "10", "targets": legs}
        sides = {"source_account_id": self.ann, "target_account_id": self.eur}
        self.exchange = {**sides, "source_amount": "5", "target_amount": "4"}

    def post(self, path: str, body: Any, **headers: str) -> tuple[str, dict[str, Any]]:
        """The key, and the answer."""
        key = f"key-{uuid4()}"
        answer: Answer = self.till.post(path, body, Idempotency_Key=key, **headers)
        assert answer.status in {200, 201, 202}, answer
        return key, answer.body

    def later(self, path: str, body: Any) -> tuple[str, int]:
        """The key, and the id of what is queued."""
        key, answer = self.post(path, body, Prefer="respond-async")
        return key, answer["id"]

    def listed(self, path: str = "/transaction", **query: str) -> list[int]:
        """The ids of all pages."""
        ids, after = list[int](), dict[str, str]()
        while True:
            page = found(self.till.call("GET", f"{path}?{urlencode({'order': 'asc', **query, **after})}"))
            ids += [one.get("transaction", one)["id"] for one in page["items"]]
            if page["next"] is None:
                return ids
            after = {"after": page["next"]}

    def of(self, key: str, **query: str) -> list[int]:
        """The ids of what a key has made: the same by the parameter and by a filter, in pages of any size."""
        ids = self.listed(idempotency_key=key, **query)
        assert self.listed(idempotency_key=key, order="desc", **query) == ids[::-1]
        for asked in (
            {"idempotency_key": key, "limit": "1"},
            {"filter": f'idempotency_key = "{key}"'},
            {"filter": f'idempotency_key = "{key}"', "limit": "1"},
            {"filter": f'idempotency_key in ("{key}", "nobody")', "limit": "1"},
        ):
            assert self.listed(**asked, **query) == ids
        return ids


@pytest.fixture(scope="module")
def books(till: Till) -> Made:
    return Made(till)


def ids(answer: dict[str, Any]) -> list[int]:
    """The transactions of an answer, which were made for it."""
    if "results" not in answer:
        return [answer["transaction"]["id"] if "transaction" in answer else answer["id"]]
    return sorted(id_ for one in answer["results"] if "problem" not in one for id_ in ids(one))


def test_by_the_key_of_a_single_transaction_it_alone(books: Made) -> None:
    key, answer = books.post("/transaction", books.move)
    assert books.of(key) == [answer["id"]]


@pytest.mark.parametrize(("path", "name"), [("/transaction", "split"), ("/exchange", "exchange")])
def test_by_the_key_of_a_split_or_an_exchange_each_of_its_transactions(books: Made, path: str, name: str) -> None:
    key, answer = books.post(path, getattr(books, name))
    assert books.of(key) == ids(answer)
    assert len(ids(answer)) == 2


@pytest.mark.parametrize(("path", "name"), [("/transaction", "split"), ("/exchange", "exchange")])
def test_by_the_key_of_one_that_was_queued_it_and_then_all_that_it_has_become(
    books: Made, path: str, name: str
) -> None:
    key, first = books.later(path, getattr(books, name))
    group = books.till.decided(first)["group_id"]
    both = books.listed(group_id=str(group))
    assert books.of(key) == both
    assert len(both) == 2
    assert first in both


def test_what_is_queued_and_what_was_declined_is_found_by_its_key(books: Made) -> None:
    late, answer = books.post("/transaction", {**books.split, "execute_at": TOMORROW})
    assert books.of(late) == [answer["id"]]
    assert books.of(late, status="queued") == [answer["id"]]
    key, declined = books.later("/transaction", {**books.split, "amount": "5000"})
    assert books.till.decided(declined)["status"] == "declined"
    assert books.of(key) == [declined]


def test_by_the_key_of_the_end_of_a_split_all_captures(books: Made) -> None:
    _, held = books.post("/transaction", {**books.split, "hold": {}})
    key, answer = books.post(f"/split/{held['group_id']}/capture", None)
    assert books.of(key) == ids(answer)
    _, held = books.post("/transaction", {**books.split, "hold": {}})
    key, first = books.later(f"/split/{held['group_id']}/void", None)
    voids = books.listed(group_id=str(books.till.decided(first)["group_id"]))
    assert books.of(key) == voids
    assert len(voids) == 2


@pytest.mark.parametrize("atomic", [True, False])
def test_by_the_key_of_a_batch_all_that_its_members_have_made_and_by_a_members_own_key_what_it_has(
    books: Made, *, atomic: bool
) -> None:
    own = [f"own-{uuid4()}" for _ in range(3)]
    before, earlier = books.post("/transaction", books.move)
    members = [
        books.move,
        {**books.move, "idempotency_key": own[0]},
        {**books.move, "hold": {}},
        {**books.move, "idempotency_key": before},
        books.split,
        {**books.split, "idempotency_key": own[1]},
        {"exchange": books.exchange},
        {"exchange": books.exchange, "idempotency_key": own[2]},
    ]
    named = {"source_account_id": None, "target": books.name, "amount": "3"}
    refused = [] if atomic else [{**books.move, "amount": "5000"}]
    key, answer = books.post("/transaction/batch", {"atomic": atomic, "transactions": [*members, named, *refused]})
    each = [[] if "problem" in one else ids(one) for one in answer["results"]]
    new = sorted(id_ for place, some in enumerate(each) if place != 3 for id_ in some)
    assert len(new) == 12
    assert books.of(key) == new
    assert [books.of(one) for one in own] == [each[1], each[5], each[7]]
    assert books.of(before) == [earlier["id"]]


def test_other_filters_combine_with_the_key(books: Made) -> None:
    key, answer = books.post("/transaction", books.split)
    first, second = ids(answer)
    group, is_it = str(answer["group_id"]), f'idempotency_key = "{key}"'
    assert books.listed(idempotency_key=key, account_id=str(books.cat)) == [second]
    assert books.listed(idempotency_key=key, group_id=group, kind="transfer") == [first, second]
    assert books.listed(idempotency_key=key, kind="payment") == []
    assert books.listed(idempotency_key=key, since="2099-01-01T00:00:00Z") == []
    assert books.listed(idempotency_key=key, filter=f"id = {second}") == [second]
    assert books.listed(filter=f"{is_it} and target_account_id = {books.bob}") == [first]
    assert books.listed(filter=f"id in ({first}, {second}) and {is_it}") == [first, second]
    assert books.listed(filter=f"group_id = {group} and not {is_it}") == []
    assert books.listed(filter=f"group_id = {group} and idempotency_key = null") == [first, second]
    assert books.listed(filter=f'id = {first} or {is_it} or idempotency_key = "{key}x"') == [first, second]
    assert books.listed(f"/account/{books.cat}/transaction", filter=is_it) == [second]
    other, _ = books.post("/transaction", books.move)
    assert books.listed(filter=f'group_id = {group} and idempotency_key = "{other}"') == []
    assert books.listed(idempotency_key=other, filter=is_it) == []


def test_a_key_that_has_made_no_transaction_finds_none(books: Made) -> None:
    key, _ = books.post("/account", {"email": "ann@example.com"})
    assert books.of(key) == books.of("nobody") == []
