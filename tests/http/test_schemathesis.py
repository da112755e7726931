"""schemathesis reads the OpenAPI document and tries the running service with what it allows and what not."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from koshel.db.server.embedded import Cluster
from tests.http.conftest import LIMITS as SERVED
from tests.support.clone import cloned
from tests.support.keyed import Authorized, new_key
from tests.support.service import serving
from tests.support.till import Till, made

CASES = 12  # for each operation
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
)


# The document says that an amount is text. The service takes a number as well, so that is tried too, with its bounds.
NUMBERS: dict[str, dict[str, Any]] = {
    "amount": {"exclusiveMinimum": 0, "exclusiveMaximum": 10**18},
    "min_balance": {"maximum": 0},
    "max_balance": {"minimum": 0},
    "out": {"minimum": 0},
    "in": {"minimum": 0},
}


# What is too long for a parameter may be too long for a line of the head, and is refused as that.
CONFIG = """[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 415, 422, 428, 429, 431, "5xx"]
"""


def bodies(part: Any) -> Iterator[dict[str, Any]]:
    """The schemas of requests, which alone refuse what they do not know."""
    for schema in part["components"]["schemas"].values():
        if schema.get("additionalProperties") is False:
            yield schema["properties"]


@pytest.fixture(scope="module")
def service(cluster: Cluster) -> Iterator[Authorized]:
    """A service that asks for keys. The id of ours is one that nobody guesses, and revokes."""
    with cloned(cluster, "schemathesis_tests") as database:
        with psycopg.connect(database.owner_url, autocommit=True) as connection:
            connection.execute("ALTER SEQUENCE koshel.api_key_id RESTART 123456789012345")
            key = asyncio.run(new_key(database.service_url, "admin"))
            connection.execute("ALTER SEQUENCE koshel.api_key_id RESTART 1")
        with serving(database.service_url, **SERVED | {"auth": "keys"}) as running:
            yield Authorized(running, key.text)


@pytest.fixture(scope="module")
def till(service: Authorized) -> Till:
    """The service, in the words of its business."""
    return Till(service)


@pytest.fixture(scope="module")
def document(service: Authorized, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The document that is served, with numbers for amounts."""
    served = service.call("GET", "/openapi.json").body
    count = 0
    for fields in bodies(served):
        for name in fields.keys() & NUMBERS.keys():
            texts = fields[name].pop("anyOf", None) or [{key: fields[name].pop(key) for key in ("type", "pattern")}]
            fields[name]["anyOf"] = [*texts, {"type": "number", **NUMBERS[name]}]
            count += 1
    assert count >= 10
    path = tmp_path_factory.mktemp("document") / "openapi.json"
    path.write_text(json.dumps(served))
    return path


def tried(
    service: Authorized, document: Path, *options: str, operations: str = ""
) -> "subprocess.CompletedProcess[str]":
    config = document.with_name("schemathesis.toml")
    config.write_text(CONFIG + operations)
    command = [sys.executable, "-m", "schemathesis.cli", f"--config-file={config}", "run", str(document)]
    command += [f"--url={service.url}"]
    command += ["--header", f"Authorization: Bearer {service.key}"]
    chosen = [f"--checks={','.join(CHECKS)}", f"--max-examples={CASES}", "--no-color", "--seed=1", *options]
    return subprocess.run([*command, *chosen], capture_output=True, check=False, text=True, timeout=240)


# The list of keys by itself: from it the others would learn the id of our own key, and end it.
@pytest.mark.parametrize("which", ["--exclude-operation-id=list_keys", "--include-operation-id=list_keys"])
def test_the_service_does_what_its_document_says(service: Authorized, document: Path, which: str) -> None:
    done = tried(service, document, "--phases=examples,coverage,fuzzing", which)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert service.call("GET", "/key").status == 200, "the key is still good"


def test_it_does_so_in_any_order_of_requests(service: Authorized, document: Path) -> None:
    # With a key that may end no key: in the end it would end itself.
    writer = Authorized(service, made(service.call("POST", "/key", {"scope": "write"}))["key"])
    done = tried(writer, document, "--phases=stateful")
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert writer.call("GET", "/ledger").status == 200, "the key is still good"


def split(till: Till, source: int, target: int) -> int:
    """The id of a split that is held."""
    body = {"source_account_id": source, "amount": "9", "targets": [{"target_account_id": target, "remaining": True}]}
    answer = till.post("/transaction", body | {"hold": {}})
    group_id: int = answer.body["group_id"]
    return group_id


def test_it_does_so_too_where_accounts_and_transactions_are_there(
    service: Authorized, document: Path, till: Till
) -> None:
    ann, bob = till.open("1000", max_balance=None), till.open("1000")
    ids = {
        "/account/{id}": ann,
        "/account/{id}/payment": ann,
        "/account/{id}/personal-data": ann,
        "/account/{id}/withdrawal": bob,
        **{f"/account/{{id}}/{what}": ann for what in ("transaction", "balance", "statement", "change")},
        "/transaction/{id}": made(till.pay(ann, "1"))["id"],
        "/transaction/{id}/change": made(till.pay(ann, "1"))["id"],
        **{f"/split/{{id}}{what}": split(till, bob, ann) for what in ("", "/capture", "/void")},
        "/transaction/{id}/capture": made(till.hold(bob, ann, "100"))["id"],
        "/transaction/{id}/void": made(till.hold(bob, None, "100"))["id"],
        "/transaction/{id}/refund": made(till.transfer(bob, ann, "100"))["id"],
        "/key/{id}": made(till.post("/key", {"scope": "read"}))["id"],
        "/key/{id}/rotate": made(till.post("/key", {"scope": "read"}))["id"],
    }
    given = (
        f'[[operations]]\ninclude-path = "{path}"\nparameters = {{ "path.id" = {id_} }}\n' for path, id_ in ids.items()
    )
    done = tried(service, document, "--phases=fuzzing", r"--include-path-regex=\{id\}", operations="".join(given))
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "404" not in done.stdout
