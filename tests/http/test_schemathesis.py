"""schemathesis reads the OpenAPI document and tries the running service with what it allows and what not."""

import subprocess
import sys

from tests.support.service import Running

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


def test_the_service_does_what_its_document_says(service: Running) -> None:
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{service.url}/openapi.json", "--seed=1"]
    options = [
        f"--checks={','.join(CHECKS)}",
        f"--max-examples={CASES}",
        "--phases=examples,coverage,fuzzing",
        "--no-color",
    ]
    done = subprocess.run([*command, *options], capture_output=True, check=False, text=True, timeout=240)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
