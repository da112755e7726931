"""TLS, as its users see it: both ways through HTTP, and a new certificate while the service runs."""

import http.client
import json
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import trustme

from tests.support.command import environment, run
from tests.support.database import Database
from tests.support.service import Running, free_port, stop
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
ACCOUNT = json.dumps({"email": "ann@example.com"})
PLAIN = {"Content-Type": "application/json"}  # both ways; with a Prefer it is not plain
NOT_PLAIN = PLAIN | {"Prefer": "wait=1"}


def write(at: Path, ca: trustme.CA) -> dict[str, str]:
    issued = ca.issue_cert("127.0.0.1")
    certificate, key = at / "tls.crt", at / "tls.key"
    certificate.write_bytes(issued.cert_chain_pems[0].bytes())
    key.write_bytes(issued.private_key_pem.bytes())
    return {"tls_certificate_file": str(certificate), "tls_key_file": str(key)}


def trusting(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    ca.configure_trust(context)
    return context


def connect(port: int, ca: trustme.CA) -> http.client.HTTPSConnection:
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=trusting(ca))
    connection.connect()
    return connection


def status(connection: http.client.HTTPSConnection, method: str, path: str, body: str, headers: dict[str, str]) -> int:
    connection.request(method, path, body, headers)
    reply = connection.getresponse()
    reply.read()
    return reply.status


def health_check() -> list[str]:
    """The one of the image."""
    (line,) = [
        line for line in (ROOT / "Dockerfile").read_text().splitlines() if line.strip().startswith('CMD ["python')
    ]
    return [sys.executable, *json.loads(line.strip().removeprefix("CMD "))[1:]]


@contextmanager
def serving(database: Database, at: Path, **settings: str) -> Iterator[tuple[Running, Path]]:
    out = at / "out"
    chosen = {"database_url": database.service_url, "port": str(free_port()), "workers": "2", **settings}
    with out.open("wb") as stdout, (at / "err").open("wb") as stderr:
        command = [sys.executable, "-m", "koshel", "serve"]
        process = subprocess.Popen(command, env=environment(chosen), stdout=stdout, stderr=stderr)
    running = Running(process, int(chosen["port"]))
    try:
        wait_until(lambda: "answers on" in out.read_text(), "it answers")
        yield running, at / "err"
        assert stop(running) == 0
    finally:
        process.kill()
        process.wait()


def test_money_moves_over_tls_both_ways_and_a_new_certificate_is_shown_after_sighup(
    database: Database, tmp_path: Path
) -> None:
    first, second = trustme.CA(), trustme.CA()
    files = write(tmp_path, first)
    with serving(database, tmp_path, **files) as (service, err):
        assert f"https://127.0.0.1:{service.port}" in (tmp_path / "out").read_text()
        with closing(connect(service.port, first)) as connection:
            for _ in range(2):
                assert status(connection, "POST", "/account", ACCOUNT, PLAIN) == 201
            for headers in (PLAIN, NOT_PLAIN):
                assert status(connection, "POST", "/account/1/payment", '{"amount": "5"}', headers) in {201, 202}
            assert connection.sock.version() in {"TLSv1.2", "TLSv1.3"}
        checked = subprocess.run(health_check(), env=environment({"port": str(service.port)} | files), check=False)
        assert checked.returncode == 0
        write(tmp_path, second)
        service.process.send_signal(signal.SIGHUP)

        def shows_the_second() -> bool:
            try:
                with closing(connect(service.port, second)) as connection:
                    return status(connection, "GET", "/health/live", "", {}) == 200
            except ssl.SSLCertVerificationError:
                return False

        wait_until(lambda: all(shows_the_second() for _ in range(20)), "both workers show the new certificate")
        (tmp_path / "tls.crt").write_text("no certificate")
        service.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "the old certificate stays in use" in err.read_text(), "it says so")
        wait_until(lambda: all(shows_the_second() for _ in range(20)), "both workers go on with the old one")


def test_what_is_not_tls_and_what_is_too_old_get_no_answer_and_no_line_in_the_log(
    database: Database, tmp_path: Path
) -> None:
    ca = trustme.CA()
    chosen = write(tmp_path, ca) | {"first_byte_timeout_ms": "500"}
    with serving(database, tmp_path, **chosen) as (service, err):
        before = said(err)
        with socket.create_connection(("127.0.0.1", service.port), 10) as plain:
            plain.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"HTTP" not in plain.recv(1_000)
        with socket.create_connection(("127.0.0.1", service.port), 10) as silent:
            assert silent.recv(1) == b"", "who begins no handshake is cut off"
        old = trusting(ca)
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with socket.create_connection(("127.0.0.1", service.port), 10) as raw, pytest.raises(ssl.SSLError):
            old.wrap_socket(raw, server_hostname="127.0.0.1")
        assert said(err) == before


def said(err: Path) -> list[str]:
    """What is in the log, but for workers that begin: the service is announced before the last one does."""
    return [line for line in err.read_text().splitlines() if "Booting worker" not in line]


def test_who_does_not_read_its_answers_is_cut_off_over_tls_too(database: Database, tmp_path: Path) -> None:
    ca = trustme.CA()
    chosen = write(tmp_path, ca) | {"send_timeout_ms": "1000", "auth": "off"}
    with serving(database, tmp_path, **chosen) as (service, err), closing(connect(service.port, ca)) as connection:
        connection.sock.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 50)
        wait_until(lambda: "a client does not read its answers" in err.read_text(), "it is cut off")


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"tls_certificate_file": "/nowhere/tls.crt"}, "KOSHEL_TLS_KEY_FILE (None by default) belong together"),
        (
            {"tls_certificate_file": "/nowhere/tls.crt", "tls_key_file": "/nowhere/tls.key"},
            "koshel: the TLS certificate /nowhere/tls.crt cannot be read: No such file or directory",
        ),
    ],
)
def test_files_that_cannot_be_used_stop_the_start(database: Database, chosen: dict[str, str], said: str) -> None:
    ended = run("serve", database_url=database.service_url, port=str(free_port()), **chosen)
    assert ended.returncode == 1
    assert said in ended.stderr
    assert ended.stdout == ""
