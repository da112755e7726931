"""What is read of metrics, and what two readings say together."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import pytest

from koshel.telemetry.readings import Between, NotReadable, Reading, _values, read

BEFORE = """\
# TYPE requests_total counter
requests_total{route="a",status="200"} 10
requests_total{route="b",status="200"} 5
# TYPE took histogram
took_bucket{le="0.1"} 0
took_bucket{le="1.0"} 0
took_bucket{le="+Inf"} 0
took_count 0
took_sum 0
# TYPE info gauge
info{version="0005"} 1
"""
AFTER = """\
# TYPE requests_total counter
requests_total{route="a",status="200"} 30
requests_total{route="a",status="404"} 4
requests_total{route="b",status="200"} 2
# TYPE took histogram
took_bucket{le="0.1"} 50
took_bucket{le="1.0"} 90
took_bucket{le="+Inf"} 100
took_count 100
took_sum 60
# TYPE info gauge
info{version="0005"} 1
"""


def reading(moment: float, text: str) -> Reading:
    return Reading(moment, _values(text))


@pytest.fixture
def seen() -> Between:
    """Two seconds."""
    return Between(reading(100.0, BEFORE), reading(102.0, AFTER))


def test_a_value_is_the_sum_of_the_series_that_are_meant(seen: Between) -> None:
    assert seen.after.value("requests_total") == 36
    assert seen.after.value("requests_total", route="a") == 34
    assert seen.after.value("requests_total", route="a", status="404") == 4
    assert seen.after.value("nothing") == 0
    assert seen.after.label("info", "version") == "0005"
    assert seen.after.label("nothing", "version") == "?"


def test_what_was_not_there_before_has_grown_from_nothing_and_what_is_less_has_begun_anew(seen: Between) -> None:
    assert seen.grown("requests_total", status="404") == 4
    assert seen.grown("requests_total", route="b") == 2
    assert seen.rate("requests_total") == 13


def test_the_busiest_come_first_and_those_at_rest_not_at_all(seen: Between) -> None:
    assert list(seen.rates("requests_total", "route").items()) == [("a", 12), ("b", 1)]
    assert not Between(seen.after, seen.after).rates("requests_total", "route")


@pytest.mark.parametrize(
    ("part", "value"),
    [(0.25, 0.05), (0.5, 0.1), (0.7, 0.55), (0.9, 1.0), (0.99, 1.0)],
)
def test_a_quantile_lies_within_its_bucket(seen: Between, part: float, value: float) -> None:
    assert seen.quantile(part, "took") == pytest.approx(value)


def test_of_what_was_not_observed_there_is_neither_mean_nor_quantile(seen: Between) -> None:
    assert seen.mean("took") == pytest.approx(0.6)
    at_rest = Between(seen.after, seen.after)
    assert at_rest.mean("took") is at_rest.quantile(0.5, "took") is None
    assert at_rest.quantile(0.5, "nothing") is None


class Elsewhere(ThreadingHTTPServer):
    """Answers with this status, and where to ask instead; it notes who was asked what."""

    def __init__(self, status: int, body: bytes = b"") -> None:
        self.asked: list[tuple[str, str | None]] = []
        self.location = ""

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                """A request comes."""
                server = self.server
                assert isinstance(server, Elsewhere)
                server.asked.append((self.path, self.headers["Authorization"]))
                self.send_response(status)
                self.send_header("Location", server.location)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing is said of it."""

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    path = tmp_path / "key"
    path.write_text("sekret\n")
    return str(path)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("path", ["", "/metrics2"])
def test_the_key_follows_no_redirection(key_file: str, status: int, path: str) -> None:
    with Elsewhere(200, AFTER.encode()) as stranger, Elsewhere(status) as service:
        service.location = path or f"{stranger.url}/metrics"
        with pytest.raises(NotReadable, match=f"answers {status} .*no redirection is followed"):
            read(service.url, key_file)
        assert service.asked == [("/metrics", "Bearer sekret")]
        assert stranger.asked == []


def test_what_answers_there_is_read_with_the_key(key_file: str) -> None:
    with Elsewhere(200, AFTER.encode()) as service:
        assert read(f"{service.url}/", key_file).value("requests_total") == 36
        assert service.asked == [("/metrics", "Bearer sekret")]


@pytest.mark.parametrize("body", [b"\xff", b"<html>", b"a b c"])
def test_what_are_no_metrics_is_said(body: bytes) -> None:
    with Elsewhere(200, body) as service, pytest.raises(NotReadable, match="has no metrics that can be read"):
        read(service.url)


@pytest.mark.parametrize(
    "url",
    [
        "http://user:sekret@127.0.0.1:1",
        "https://sekret@127.0.0.1",
        "user:sekret@127.0.0.1",
        "http://127.0.0.1:x",
        "http://[::1",
    ],
)
def test_a_url_that_cannot_be_asked_is_said_without_its_password(url: str) -> None:
    with pytest.raises(NotReadable) as said:
        read(url)
    assert "sekret" not in str(said.value)


@pytest.mark.parametrize(
    "content", [b"sekret\nsekret", b"sek ret", b"", b"sekret\xff", "s\u00e9kret".encode(), b"sekret\x00"]
)
def test_a_file_that_has_no_key_is_said_without_what_it_has(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(NotReadable, match="has no key in it") as said:
        read("http://127.0.0.1:1", str(path))
    assert "kret" not in str(said.value)
