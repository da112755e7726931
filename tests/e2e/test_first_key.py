"""When a key is needed: where others reach the service, in person or by a proxy."""

import pytest

from tests.support import command
from tests.support.database import Database
from tests.support.keyed import OTHER_LANE, Client, Said, code
from tests.support.service import serving

PAYMENT = b'{"amount": "1"}'


@pytest.mark.parametrize("lane", [{}, OTHER_LANE], ids=["express", "aiohttp"])
def test_without_keys_nobody_on_another_machine_comes_in_by_a_proxy(database: Database, lane: dict[str, str]) -> None:
    with serving(database.service_url, workers="1") as service:
        opened = service.call("POST", "/account", {"email": "ann@example.com"}).body["id"]
        client = Client(service.port)

        def pay(**headers: str) -> Said:
            sent = [(name.replace("_", "-"), value) for name, value in (lane | headers).items()]
            return client.ask("POST", f"/account/{opened}/payment", PAYMENT, *sent)

        assert pay().status == 201
        assert pay(X_Forwarded_For="127.0.0.1, ::1", Forwarded='for="[::1]:80";proto=http').status == 201
        assert pay(X_Real_IP="127.0.0.1").status == 201
        for headers in (
            {"X_Forwarded_For": "203.0.113.9"},
            {"X_Forwarded_For": "127.0.0.1, 203.0.113.9"},
            {"X_Forwarded_For": "203.0.113.9, 127.0.0.1"},
            {"X_Forwarded_For": "unknown"},
            {"Forwarded": "for=203.0.113.9"},
            {"Forwarded": "by=proxy"},
            {"X_Real_IP": "203.0.113.9"},
            {"X_Real_IP": "unknown"},
            {"X_Real_IP": "203.0.113.9", "X_Forwarded_For": "127.0.0.1"},
            {"Via": "1.1 proxy"},
            {"X_Forwarded_Host": "wallet.example"},
            {"X_Forwarded_Proto": "https"},
            {"X_Forwarded_Proto": "http", "X_Forwarded_For": "127.0.0.1"},
        ):
            refused = pay(**headers)
            assert (refused.status, code(refused)) == (401, "unauthorized"), headers
            assert "koshel key create" in str(refused.body)
        assert service.call("GET", f"/account/{opened}").body["balance"] == "3.00"
        client.close()


@pytest.mark.parametrize("said", [{"allowed_origins": "https://wallet.example"}, {"trusted_proxies": "127.0.0.1"}])
def test_behind_a_proxy_the_service_does_not_start_without_a_key(database: Database, said: dict[str, str]) -> None:
    refused = command.run("serve", database_url=database.service_url, port="0", **said)
    assert refused.returncode == 1
    assert "koshel key create --scope admin" in refused.stderr.splitlines()[-1]


def test_beyond_this_machine_the_service_starts_with_a_key_and_says_how_to_make_one(database: Database) -> None:
    settings = {"database_url": database.service_url, "host": "0.0.0.0", "port": "0"}
    refused = command.run("serve", **settings)
    assert refused.returncode == 1
    assert "koshel key create --scope admin" in refused.stderr.splitlines()[-1]
    assert "KOSHEL_AUTH=off" in refused.stderr.splitlines()[-1]
    with serving(database.service_url, host="0.0.0.0", auth="off", workers="1") as service:
        assert service.call("GET", "/account/1").status == 404
    printed = command.run("key", "create", "--scope", "read", database_url=database.owner_url).stdout.strip()
    with serving(database.service_url, host="0.0.0.0", workers="1") as service:
        assert service.call("GET", "/account/1").status == 401
        assert service.call("GET", "/account/1", Authorization=f"Bearer {printed}").status == 404
