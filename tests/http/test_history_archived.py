"""What an account was at a time whose transactions are archived."""

from tests.http.test_refusals import assert_problem
from tests.support.archived import archive, fill
from tests.support.database import Database
from tests.support.service import serving


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
