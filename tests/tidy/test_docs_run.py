"""The docs are run: the examples of every route, one after the other, and the examples of every refusal."""

import json
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from koshel.core.model import Refusal
from koshel.db.server import embedded
from koshel.db.server.embedded import Cluster
from tests.conftest import TEMPLATE
from tests.support import command
from tests.support.database import Database
from tests.support.service import Running, serving

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(sh|json)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
TIMES = {"ctime", "expires_at"}
KEY = "koshel_live_…"

Ask = Callable[..., Any]


def without_times(document: Any) -> Any:
    if isinstance(document, list):
        return [without_times(one) for one in document]
    if isinstance(document, dict):
        return {name: without_times(one) for name, one in document.items() if name not in TIMES}
    return document


def curl(script: str, port: int) -> tuple[int, str]:
    """The status and the body that the example's request is answered with; a time in it is tomorrow."""
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    script = re.sub(r'(?<="execute_at": ")[^"]+', tomorrow, script)
    words = shlex.split(script.replace("\\\n", "").replace("127.0.0.1:8080", f"127.0.0.1:{port}"))
    done = subprocess.run([*words, "-w", "\n%{http_code}"], capture_output=True, check=True, text=True, timeout=60)
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def test_the_examples_of_the_routes_succeed_in_their_order(database: Database) -> None:
    checked = 0
    key = command.run("key", "create", "--scope", "admin", database_url=database.owner_url).stdout.strip()
    with serving(database.service_url, workers="1") as service:
        for name in ("ann", "shop", "fees"):
            service.call("POST", "/account", {"email": f"{name}@example.com"}, Authorization=f"Bearer {key}")
        body, of_shop = "", ""
        for kind, text in BLOCK.findall((DOCS / "api.md").read_text()):
            if "8080/exchange" in text:
                euros = {"email": "ann@example.com", "currency": "EUR"}
                service.call("PUT", "/account/@ann:eur", euros, Authorization=f"Bearer {key}")
            if kind == "sh":
                is_renaming = "-X PATCH http://127.0.0.1:8080/ledger" in text  # as `main` keeps its name
                script = text.strip() if KEY in text else f"{text.strip()} -H 'Authorization: Bearer {KEY}'"
                status, body = curl(script.replace(KEY, of_shop if is_renaming else key), service.port)
                assert status in {200, 201, 202, 204}, (text, body)
                if "8080/ledger" in text and status == 201:
                    of_shop = json.loads(body)["key"]["key"]
            else:
                assert without_times(json.loads(body)) == without_times(json.loads(text))
                checked += 1
    assert checked == 6


def test_the_examples_of_exchanges_succeed_in_their_order(database: Database) -> None:
    body = ""
    with serving(database.service_url, workers="1") as service:
        for kind, text in BLOCK.findall((DOCS / "exchange.md").read_text()):
            if kind == "sh":
                for script in re.findall(r"^curl.*?[^\\]$", text, re.DOTALL | re.MULTILINE):
                    status, body = curl(script, service.port)
                    assert status in {200, 201}, (script, body)
            else:
                assert without_times(json.loads(body)) == without_times(json.loads(text))
    assert '"rate":"0.91370"' in body


class Shop:
    """A service with two accounts, of which the first has 100.00 USD."""

    def __init__(self, service: Running) -> None:
        self.service = service
        self.ann, self.bob = self.open(), self.open()
        self.paid = self.ask("POST", f"/account/{self.ann}/payment", {"amount": "100"})["id"]

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return self.service.call(method, path, body, **headers).body

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.ask("POST", path, {} if body is None else body, **headers)

    def open(self, **terms: str) -> int:
        account_id: int = self.post("/account", {"email": "ann@example.com", **terms})["id"]
        return account_id

    def move(self, amount: str, source: int | None = None, target: int | None = None, **more: Any) -> Any:
        sides = {"source_account_id": source or self.ann, "target_account_id": target or self.bob}
        return self.post("/transaction", {**sides, "amount": amount, **more})

    def hold(self, seconds: int = 60) -> int:
        hold_id: int = self.move("25", hold={"expires_in": seconds})["id"]
        return hold_id

    def patch(self, account_id: int, body: Any, **headers: str) -> Any:
        return self.ask("PATCH", f"/account/{account_id}", body, **headers)


def reused(shop: Shop) -> Any:
    shop.post(f"/account/{shop.ann}/payment", {"amount": "1"}, Idempotency_Key="one")
    return shop.post(f"/account/{shop.ann}/payment", {"amount": "2"}, Idempotency_Key="one")


def taken(shop: Shop) -> Any:
    shop.ask("PUT", "/account/@users:42", {"email": "ann@example.com"})
    return shop.ask("PUT", "/account/@users:42", {"email": "bob@example.com"})


def voided(shop: Shop) -> Any:
    hold = shop.hold()
    shop.post(f"/transaction/{hold}/void")
    return shop.post(f"/transaction/{hold}/capture")


def expired(shop: Shop) -> Any:
    hold = shop.hold(seconds=1)
    time.sleep(1.01)  # what is waited for is the clock itself
    return shop.post(f"/transaction/{hold}/capture")


def closed(shop: Shop) -> Any:
    shop.patch(shop.bob, {"status": "closed"})
    return shop.move("1")


def frozen(shop: Shop) -> Any:
    shop.patch(shop.bob, {"status": "frozen"})
    return shop.move("1")


def not_empty(shop: Shop) -> Any:
    shop.hold()
    return shop.patch(shop.ann, {"status": "closed"})


def limited(shop: Shop) -> Any:
    shop.patch(shop.ann, {"limits": [{"per": "1d", "out": "60"}]})
    shop.move("40")
    return shop.move("30")


def exchanged(shop: Shop) -> Any:
    sides = {"source_account_id": shop.ann, "target_account_id": shop.bob}
    return shop.post("/exchange", {**sides, "source_amount": "1", "rate": "1"})


def refunded(shop: Shop) -> Any:
    moved = shop.move("12.50")["id"]
    shop.post(f"/transaction/{moved}/refund", {"amount": "5"})
    return shop.post(f"/transaction/{moved}/refund", {"amount": "8"})


def noted(shop: Shop) -> Any:
    later = shop.post(f"/account/{shop.bob}/payment", {"amount": "1", "execute_at": "2027-01-01T00:00:00Z"})
    return shop.ask("PATCH", f"/transaction/{later['id']}", {"description": "x"})


def batched(shop: Shop) -> Any:
    sides = {"source_account_id": shop.ann, "target_account_id": shop.bob}
    return shop.post("/transaction/batch", {"transactions": [{**sides, "amount": one} for one in ("1", "1000")]})


REFUSED: Mapping[Refusal, Callable[[Shop], Any]] = {
    Refusal.IDEMPOTENCY_KEY_REUSED: reused,
    Refusal.UNKNOWN_CURRENCY: lambda shop: shop.post("/account", {"email": "a@example.com", "currency": "POINTS"}),
    Refusal.NAME_TAKEN: taken,
    Refusal.TRANSACTION_NOT_FOUND: lambda shop: shop.post("/transaction/999/refund"),
    Refusal.NOT_A_HOLD: lambda shop: shop.post(f"/transaction/{shop.move('1')['id']}/capture"),
    Refusal.NOT_REFUNDABLE: lambda shop: shop.post(f"/transaction/{shop.hold()}/refund"),
    Refusal.NOT_POSTED: noted,
    Refusal.SAME_ACCOUNT: lambda shop: shop.move("1", target=shop.ann),
    Refusal.ACCOUNT_NOT_FOUND: lambda shop: shop.move("1", target=999),
    Refusal.CURRENCY_MISMATCH: lambda shop: shop.move("1", target=shop.open(currency="EUR")),
    Refusal.SAME_CURRENCY: exchanged,
    Refusal.HOLD_NOT_OPEN: voided,
    Refusal.HOLD_EXPIRED: expired,
    Refusal.VERSION_MISMATCH: lambda shop: shop.patch(shop.ann, {"status": "frozen"}, If_Match='"77"'),
    Refusal.ACCOUNT_CLOSED: closed,
    Refusal.ACCOUNT_FROZEN: frozen,
    Refusal.ACCOUNT_NOT_EMPTY: not_empty,
    Refusal.CAPTURE_EXCEEDS_HOLD: lambda shop: shop.post(f"/transaction/{shop.hold()}/capture", {"amount": "40"}),
    Refusal.REFUND_EXCEEDS_ORIGINAL: refunded,
    Refusal.INSUFFICIENT_FUNDS: lambda shop: shop.move("200"),
    Refusal.BALANCE_LIMIT_EXCEEDED: lambda shop: shop.post(f"/account/{shop.bob}/payment", {"amount": "1000000"}),
    Refusal.LIMIT_EXCEEDED: limited,
    Refusal.BATCH_REFUSED: batched,
}


def shape(document: Any) -> Any:
    """The document with every number and every time in it as one and the same."""
    if isinstance(document, dict):
        return {name: one if name == "status" else shape(one) for name, one in document.items()}
    return re.sub(r"\d[\dT:.Z-]*(?<!\.)", "0", str(document))


@pytest.fixture(scope="module")
def service(cluster: Cluster) -> Iterator[Running]:
    """One service for all refusals; each has a shop of its own."""
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE docs_tests TEMPLATE {TEMPLATE}")
    with serving(cluster.url(embedded.SERVICE, "docs_tests"), workers="1") as service:
        yield service


@pytest.mark.parametrize("refusal", REFUSED)
def test_the_example_of_a_refusal_is_what_the_service_sends(service: Running, refusal: Refusal) -> None:
    sent = REFUSED[refusal](Shop(service))
    text = (DOCS / "errors.md").read_text().partition(f"\n## `{refusal}`\n")[2]
    example = next(json.loads(block) for kind, block in BLOCK.findall(text) if kind == "json")
    assert shape(sent) == shape(example)


def test_every_refusal_with_a_problem_of_its_own_is_run() -> None:
    of_a_field = {
        *(Refusal.AMOUNT_OUT_OF_RANGE, Refusal.SPLIT_NOT_EXACT),
        *(Refusal.TIME_OUT_OF_RANGE, Refusal.METADATA_TOO_LARGE),
    }
    assert set(Refusal) - REFUSED.keys() == of_a_field
