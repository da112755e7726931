"""schemathesis reads the OpenAPI document and tries the running service with what it allows and what not."""

import subprocess
import sys
from pathlib import Path

from tests.support.service import Running
from tests.support.till import Till, made

CASES = 40  # for each operation
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
)


def tried(service: Running, *options: str, before: tuple[str, ...] = ()) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "schemathesis.cli", *before, "run", f"{service.url}/openapi.json", "--seed=1"]
    chosen = [f"--checks={','.join(CHECKS)}", f"--max-examples={CASES}", "--no-color", *options]
    return subprocess.run([*command, *chosen], capture_output=True, check=False, text=True, timeout=240)


def test_the_service_does_what_its_document_says(service: Running) -> None:
    done = tried(service, "--phases=examples,coverage,fuzzing")
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


def test_it_does_so_too_where_accounts_and_transactions_are_there(service: Running, till: Till, tmp_path: Path) -> None:
    ann, bob = till.open("1000", max_balance=None), till.open("1000")
    ids = {
        "/account/{id}": ann,
        "/account/{id}/payment": ann,
        "/account/{id}/withdrawal": bob,
        "/transaction/{id}": made(till.pay(ann, "1"))["id"],
        "/transaction/{id}/capture": made(till.hold(bob, ann, "100"))["id"],
        "/transaction/{id}/void": made(till.hold(bob, None, "100"))["id"],
        "/transaction/{id}/refund": made(till.transfer(bob, ann, "100"))["id"],
    }
    config = tmp_path / "schemathesis.toml"
    config.write_text(
        "".join(
            f'[[operations]]\ninclude-path = "{path}"\nparameters = {{ "path.id" = {id_} }}\n'
            for path, id_ in ids.items()
        )
    )
    done = tried(service, "--phases=fuzzing", r"--include-path-regex=\{id\}", before=(f"--config-file={config}",))
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "404" not in done.stdout
