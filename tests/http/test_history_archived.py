"""What needs transactions that are archived is refused, and what needs none of them is answered as ever."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import psycopg
import pytest

from koshel.db.server.embedded import Cluster
from koshel.inputs.moments import moment, text
from tests.http.test_refusals import assert_problem
from tests.support.archived import PARTITION, archive, fill, scheduled_early
from tests.support.bookkeeping import execute
from tests.support.clone import cloned
from tests.support.database import Database
from tests.support.service import Running, serving
from tests.support.till import Till, made

LAST_FIRST = PARTITION + 1  # the first id of the second partition


class Archive(NamedTuple):
    """A service whose first partition is detached, and what was written into both."""

    service: Running
    ann: int  # two payments of 5.00 archived, the latter of which counts for 2999; one of 7.00 and one of 1.00 left
    bob: int  # all that has touched him is archived
    cid: int  # opened later: nothing of his is archived
    eve: int  # her second of three lines has an id of the archived partition
    split: int  # one leg of it is archived
    early: list[str]  # when she was paid
    late: list[str]

    def get(self, path: str) -> Any:
        answer = self.service.call("GET", path)
        assert answer.status == 200, answer.body
        return answer.body

    def refused(self, path: str) -> dict[str, Any]:
        """The facts of the refusal."""
        answer = self.service.call("GET", path)
        assert_problem(answer, "history-archived")
        assert answer.status == 410
        return {name: answer.body[name] for name in ("account_id", "readable_since") if name in answer.body}

    def after(self, late: int) -> str:
        """The moment after one of the transactions that are left."""
        return text(moment(self.late[late], "") + timedelta(microseconds=1))


@pytest.fixture(scope="module")
def books(cluster: Cluster) -> Iterator[Archive]:
    with (
        cloned(cluster, "http_history_archived") as database,
        serving(database.service_url, workers="1", auth="off") as service,
    ):

        def post(path: str, **body: Any) -> Any:
            answer = service.call("POST", path, body)
            assert answer.status == 201, answer.body
            return answer.body

        def paid(account: int, amount: str, **labels: str) -> str:
            ctime: str = post(f"/account/{account}/payment", amount=amount, **labels)["ctime"]
            return ctime

        ann, bob, eve = (post("/account", email=f"{name}@example.com")["id"] for name in ("ann", "bob", "eve"))
        early = [paid(ann, "5"), paid(ann, "5", effective_on="2999-12-31")]
        paid(bob, "3")
        fill(database.owner_url)
        cid = post("/account", email="cid@example.com")["id"]
        late = [paid(ann, "7"), paid(ann, "1")]
        paid(cid, "2", effective_on="2026-01-01")
        for amount in ("1", "2", "4"):
            paid(eve, amount)
        scheduled_early(database.owner_url, eve, version=2, id_=900_000)
        fay, *both = [post("/account", email="fay@example.com")["id"] for _ in range(3)]
        paid(fay, "3")
        legs = [{"target_account_id": one, "share": "50%"} for one in both]
        split = post("/transaction", source_account_id=fay, amount="3", targets=legs)["group_id"]
        scheduled_early(database.owner_url, both[0], version=1, id_=900_001)
        execute(database.owner_url, "UPDATE split SET transaction_ids[1] = 900001")
        archive(database.owner_url)
        yield Archive(service, ann, bob, cid, eve, split, early, late)


def test_the_balance_at_an_archived_line_is_gone(books: Archive) -> None:
    for asked in (f"at={books.early[0]}", f"at={books.early[1]}", "version=1", "version=2"):
        facts = books.refused(f"/account/{books.ann}/balance?{asked}")
        assert facts == {"account_id": books.ann, "readable_since": books.after(0)}


def test_the_balance_at_a_line_that_is_left_is_there(books: Archive) -> None:
    asked = {"": "18.00", f"?at={books.late[0]}": "17.00", "?version=3": "17.00", "?version=0": "0.00"}
    for query, balance in asked.items():
        assert books.get(f"/account/{books.ann}/balance{query}")["balance"] == balance


def test_a_statement_with_an_archived_line_is_gone_whether_it_begins_there_or_at_the_first_line(books: Archive) -> None:
    for query in ("", f"?until={books.late[1]}", f"?since={books.early[1]}", f"?until={books.late[0]}"):
        facts = books.refused(f"/account/{books.ann}/statement{query}")
        assert facts == {"account_id": books.ann, "readable_since": books.after(0)}
    assert books.refused(f"/account/{books.ann}/statement?since={books.late[0]}")["account_id"] == books.ann


def test_the_refusal_says_from_when_a_statement_can_be_had(books: Archive) -> None:
    since = books.refused(f"/account/{books.ann}/statement")["readable_since"]
    found = books.get(f"/account/{books.ann}/statement?since={since}")
    sums = {name: found[name] for name in ("opening_balance", "total_in", "total_out", "closing_balance")}
    assert sums == {"opening_balance": "17.00", "total_in": "1.00", "total_out": "0.00", "closing_balance": "18.00"}
    assert [line["version"] for line in found["lines"]] == [4]


def test_of_an_account_all_of_whose_lines_are_archived_no_statement_can_be_had(books: Archive) -> None:
    for query in ("", "?since=2999-01-01T00:00:00Z"):
        assert books.refused(f"/account/{books.bob}/statement{query}") == {"account_id": books.bob}
    assert books.get(f"/account/{books.bob}")["balance"] == "3.00"


def test_an_account_without_archived_lines_is_answered_as_ever(books: Archive) -> None:
    found = books.get(f"/account/{books.cid}/statement")
    assert (found["opening_balance"], found["total_in"], found["closing_balance"]) == ("0.00", "2.00", "2.00")
    assert books.get(f"/account/{books.cid}/balance?as_of=2026-01-01")["balance"] == "2.00"
    assert books.get(f"/account/{books.cid}/balance?as_of=2025-12-31")["balance"] == "0.00"


def test_a_balance_by_value_date_is_gone_since_an_archived_line_may_count_for_any_day(books: Archive) -> None:
    for day in ("2025-01-01", "2100-01-01", "9999-12-31"):
        assert books.refused(f"/account/{books.ann}/balance?as_of={day}") == {"account_id": books.ann}


def test_a_line_with_an_archived_id_between_others_is_missed(books: Archive) -> None:
    """What was scheduled has an early id, and a late version."""
    facts = books.refused(f"/account/{books.eve}/statement")
    assert set(facts) == {"account_id", "readable_since"}
    assert books.refused(f"/account/{books.eve}/balance?as_of=2100-01-01") == {"account_id": books.eve}
    found = books.get(f"/account/{books.eve}/statement?since={facts['readable_since']}")
    assert (found["opening_balance"], found["lines"], found["closing_balance"]) == ("7.00", [], "7.00")
    assert books.get(f"/account/{books.eve}/balance?version=1")["balance"] == "1.00"


def test_lists_have_all_that_is_left_whatever_time_is_asked_for(books: Archive) -> None:
    for query in ("", f"?since={books.early[0]}", f"?since={books.early[1]}", "?since=2020-01-01T00:00:00Z"):
        items = books.get(f"/account/{books.ann}/transaction{query}")["items"]
        assert [line["transaction"]["id"] for line in items] == [LAST_FIRST + 1, LAST_FIRST], query
    first = books.get(f"/account/{books.eve}/transaction")["items"][-1]["transaction"]["ctime"]
    for since in (first, text(moment(first, "") + timedelta(microseconds=1))):
        items = books.get(f"/account/{books.eve}/transaction?since={since}")["items"]
        assert [line["version"] for line in items] == ([3, 1] if since == first else [3])


def test_the_sums_of_a_ledger_are_those_that_its_accounts_say(books: Archive) -> None:
    found = books.get("/ledger")
    assert found["history_archived"] is True
    assert found["currencies"] == [{"currency": "USD", "accounts": 7, "balance": "33.00", "held": "0.00"}]


def test_a_volume_is_answered_from_after_the_first_transaction_that_is_left(books: Archive) -> None:
    for query in ("", f"?since={books.early[0]}", f"?since={books.late[0]}", f"?until={books.early[0]}"):
        assert books.refused(f"/ledger/volume{query}") == {"readable_since": books.after(0)}
    (found,) = books.get(f"/ledger/volume?since={books.after(0)}")["volumes"]
    assert (found["total"], found["transactions"]) == ("12.50", 6)  # 1, 2, 1 and 4 of eve's, 3, and a leg of the split


def test_a_split_with_an_archived_transaction_is_gone(books: Archive) -> None:
    assert books.refused(f"/split/{books.split}") == {}


def test_a_split_of_which_a_hold_is_archived_does_not_end_by_halves(database: Database) -> None:
    with serving(database.service_url, workers="1", auth="off") as service:
        till = Till(service)
        ann, bob = till.open("100"), till.open()
        fill(database.owner_url)
        with psycopg.connect(database.owner_url, autocommit=True) as owner:
            owner.execute("SELECT setval('transaction_id', %s)", [PARTITION - 2])
        half = {"target_account_id": bob, "share": "1/2"}
        split = made(
            till.post("/transaction", {"source_account_id": ann, "amount": "10", "hold": {}, "targets": [half, half]})
        )
        first, second = [one["transaction"]["id"] for one in split["results"]]
        assert (first, second) == (PARTITION - 1, PARTITION)
        made(till.void(first))
        archive(database.owner_url)
        for verb in ("capture", "void"):
            problem = assert_problem(till.post(f"/split/{split['group_id']}/{verb}"), "batch-refused")
            assert (problem["index"], problem["cause"]["code"]) == (0, "transaction-not-found")
            assert "pointer" not in problem["cause"], "no field of the request names it"
            assert problem["detail"] == f"Nothing was done, since hold 0 was refused: {problem['cause']['detail']}"
        assert till.status(second) == "held"
