"""What `koshel migrate` would do is asked, and not done."""

from koshel.db.server import embedded
from koshel.db.starting.checked import check
from tests.support.bookkeeping import execute
from tests.support.database import Database


def test_what_is_asked_is_not_done(database: Database) -> None:
    execute(database.owner_url, f"REVOKE INSERT ON transaction FROM {embedded.SERVICE}")
    for _ in range(2):
        found = check(
            database.owner_url, schema=None, service_role=embedded.SERVICE, row_security="on", lock_timeout_ms=1000
        )
        assert found.wanting == [
            f"the role {embedded.SERVICE} lacks INSERT ON transaction",
            "row-level security is not on",
        ]
