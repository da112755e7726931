"""`koshel serve` where PostgreSQL is to confine it: it starts only if PostgreSQL does, and then works as ever."""

import psycopg
import pytest

from koshel.db.server import embedded
from koshel.db.starting.migrate import migrate
from koshel.db.verifying.verify import verify
from tests.support import command
from tests.support.database import Database
from tests.support.service import serving
from tests.support.waiting import wait_until


def test_it_does_not_start_where_it_is_not_held(database: Database) -> None:
    ended = command.run("serve", "--port", "0", database_url=database.service_url, row_security="on")
    assert (ended.returncode, ended.stdout) == (1, "")
    said = ended.stderr.splitlines()[-1]
    assert said.startswith("koshel: row-level security does not hold the role koshel_service, which has no policy")
    assert "`koshel migrate --row-security on --service-role NAME`" in said


@pytest.mark.parametrize("said", [{}, {"row_security": "on"}])
def test_it_pays_queues_and_releases_where_it_is_held(database: Database, said: dict[str, str]) -> None:
    migrate(database.owner_url, service_role=embedded.SERVICE, row_security="on")
    with serving(database.service_url, workers="2", auth="off", background_poll_ms="100", **said) as service:
        ann, bob = (service.call("POST", "/account", {"email": "ann@example.com"}).body["id"] for _ in range(2))
        assert service.call("POST", f"/account/{ann}/payment", {"amount": "10"}).status == 201
        sides = {"source_account_id": ann, "target_account_id": bob}
        service.call("POST", "/transaction", {**sides, "amount": "3"}, Prefer="respond-async")
        held = service.call("POST", "/transaction", {**sides, "amount": "2", "hold": {"expires_in": 1}})
        assert held.status == 201

        def is_done() -> bool:
            source, target = (service.call("GET", f"/account/{id_}").body for id_ in (ann, bob))
            return (source["held"], target["balance"]) == ("0.00", "3.00")

        wait_until(is_done, "what was queued is posted, and the hold is released")
    with psycopg.connect(database.owner_url) as connection:
        kinds = connection.execute("SELECT kind FROM koshel.transaction ORDER BY kind").fetchall()
    assert [kind for (kind,) in kinds] == ["expiry", "hold", "payment", "transfer"]
    assert verify(database.owner_url) == []
