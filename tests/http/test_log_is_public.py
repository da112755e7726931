"""What a caller sends ends in no line of the log if it may be personal or secret, whichever lane has answered."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from koshel.callers import Scope
from koshel.db.access.api_keys import NewKey
from koshel.db.server.embedded import Cluster
from tests.support.clone import cloned
from tests.support.keyed import OTHER_LANE, new_key
from tests.support.launch import serving_into
from tests.support.service import Answer, Running
from tests.support.waiting import wait_until

KEY = "koshel_live_" + "a1B2" * 12 + "c"
JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"
PRIVATE = {
    "an email": "ann@mail.example.com",
    "an email of a URL": "ann%40mail.example.com",
    "an email among others": "order-7/ann@mail.example.com/2",
    "a login": "ann@localhost",
    "a key": KEY,
    "a key after other text": f"till-7:{KEY}",
    "most of a key": KEY[:-9],
    "a JWT": JWT,
    "a JWT without its signature": JWT.rpartition(".")[0] + ".",
    "a password": "postgres://koshel:sekret@db/koshel",
}
PUBLIC = [
    "abc-123",
    "0af7651916cd43dd8448eb211c80319c",
    "7c9e6679-7425-40de-944b-e07fc1f90ae7",
    "a.b.c",
    "eyJ",
    "x" * 128,
]
LANES: Mapping[str, Mapping[str, str]] = {"express": {}, "aiohttp": {"X_Unknown": OTHER_LANE["X-Unknown"]}}


class Logging(NamedTuple):
    """A service that asks for keys, one of them, and the access log."""

    service: Running
    key: NewKey
    out: Path

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        return self.service.call(method, path, body, Authorization=f"Bearer {self.key.text}", **headers)

    def line_of(self, answer: Answer) -> dict[str, Any]:
        """The line of the request that was answered so."""
        name = answer.headers["X-Request-Id"]
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            lines = map(json.loads, self.out.read_text().splitlines())
            found[:] = [line for line in lines if line.get("request_id") == name]
            return bool(found)

        wait_until(is_there, "the line")
        (line,) = found
        return line


@pytest.fixture(scope="module")
def logging(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logging]:
    with cloned(cluster, "log_tests") as database:
        key = asyncio.run(new_key(database.service_url, Scope.ADMIN))
        folder = tmp_path_factory.mktemp("log")
        with serving_into(folder, database.service_url, auth="keys", log_format="json") as (service, out, _):
            yield Logging(service, key, out)


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("given", PRIVATE)
def test_a_request_id_that_may_be_private_is_replaced_in_the_answer_and_in_the_log(
    logging: Logging, given: str, lane: str
) -> None:
    private = PRIVATE[given]
    paid = logging.call("POST", "/account/1/payment", {"amount": "1"}, X_Request_Id=private, **LANES[lane])
    assert paid.headers["X-Request-Id"] != private
    assert logging.line_of(paid)["path"] == "/account/1/payment"
    assert private not in logging.out.read_text()


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("given", PUBLIC)
def test_any_other_is_kept(logging: Logging, given: str, lane: str) -> None:
    name = f"{given}-{lane}"[-128:]
    paid = logging.call("POST", "/account/1/payment", {"amount": "1"}, X_Request_Id=name, **LANES[lane])
    assert paid.headers["X-Request-Id"] == name
    assert logging.line_of(paid)["request_id"] == name


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("name", [KEY, JWT, f"user:{KEY}"])
def test_a_secret_in_the_place_of_an_accounts_name_is_not_shown(logging: Logging, name: str, lane: str) -> None:
    asked = logging.call("POST", f"/account/@{name}/payment", {"amount": "1"}, **LANES[lane])
    assert logging.line_of(asked)["path"] == "/account/…/payment"
    assert name not in logging.out.read_text()


@pytest.mark.parametrize("lane", LANES)
def test_an_accounts_name_is_shown(logging: Logging, lane: str) -> None:
    asked = logging.call("POST", "/account/@users:42/payment", {"amount": "1"}, **LANES[lane])
    assert logging.line_of(asked)["path"] == "/account/@users:42/payment"


@pytest.mark.parametrize("lane", LANES)
def test_the_key_of_a_line_is_the_id_that_the_list_of_keys_shows(logging: Logging, lane: str) -> None:
    paid = logging.call("POST", "/account/1/payment", {"amount": "1"}, **LANES[lane])
    (listed,) = logging.call("GET", "/key").body["items"]
    assert logging.line_of(paid)["key"] == str(listed["id"])
