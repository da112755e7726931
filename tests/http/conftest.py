"""One running service for all the tests of this folder; each opens accounts of its own."""

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import psycopg
import pytest

from koshel.db import embedded
from koshel.db.embedded import Cluster
from tests.conftest import TEMPLATE
from tests.support.service import Answer, Running, serving

OpenAccount = Callable[..., int]
Send = Callable[..., Answer]


@pytest.fixture(scope="session")
def service(cluster: Cluster) -> Iterator[Running]:
    """The service, connected as the role that may do least."""
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE http_tests TEMPLATE {TEMPLATE}")
    url = cluster.url(embedded.SERVICE, "http_tests")
    with serving(url, body_bytes_max="20000", receive_timeout_ms="1000", keepalive_timeout_s="3") as service:
        yield service


@pytest.fixture
def open_account(service: Running) -> OpenAccount:
    """Opens an account, pays money in, and gives its id."""

    def open_account(balance: str | None = None, **fields: Any) -> int:
        account = service.call("POST", "/account", {"email": "ann@example.com"} | fields)
        assert account.status == 201, account
        account_id: int = account.body["id"]
        if balance is not None:
            assert service.call("POST", f"/account/{account_id}/payment", {"amount": balance}).status == 201
        return account_id

    return open_account


@pytest.fixture
def send(service: Running) -> Send:
    """Sends bytes as they are, with no header that was not asked for."""

    def send(method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in (
                headers or {"Content-Type": "application/json", "Content-Length": str(len(body))}
            ).items():
                connection.putheader(name, value)
            connection.endheaders(body or None)
            reply = connection.getresponse()
            content = reply.read()
        finally:
            connection.close()
        is_json = "json" in reply.headers.get("Content-Type", "")
        return Answer(reply.status, dict(reply.headers), json.loads(content) if content and is_json else content)

    return send
