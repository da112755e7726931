"""What an account was at a time whose transactions are archived; and what is left of a split then."""

import psycopg

from tests.http.test_refusals import assert_problem
from tests.support.archived import PARTITION, archive, fill
from tests.support.database import Database
from tests.support.service import serving
from tests.support.till import Till, made


def test_what_is_archived_is_gone_and_what_came_later_is_there(database: Database) -> None:
    with serving(database.service_url, workers="1", auth="off") as service:
        ann = service.call("POST", "/account", {"email": "ann@example.com"}).body["id"]
        early = [service.call("POST", f"/account/{ann}/payment", {"amount": "5"}).body["ctime"] for _ in range(2)]
        fill(database.owner_url)
        late = service.call("POST", f"/account/{ann}/payment", {"amount": "7"}).body["ctime"]
        archive(database.owner_url)
        for asked in (
            f"balance?at={early[0]}",
            f"balance?at={early[1]}",
            "balance?version=2",
            f"statement?since={early[1]}",
            f"statement?until={late}",
        ):
            answer = service.call("GET", f"/account/{ann}/{asked}")
            assert_problem(answer, "history-archived")
            assert (answer.status, answer.body["account_id"]) == (410, ann)
        for asked in ("balance", f"balance?at={late}", "balance?version=3", "balance?version=0"):
            answer = service.call("GET", f"/account/{ann}/{asked}")
            assert answer.status == 200, answer.body
            assert answer.body["balance"] == ("0.00" if asked.endswith("=0") else "17.00")
        assert [
            one["transaction"]["id"] for one in service.call("GET", f"/account/{ann}/transaction").body["items"]
        ] == [1_000_001]


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
