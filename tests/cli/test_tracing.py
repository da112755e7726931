"""The start with traces: what is missing, or of no use, is said in one line, and nothing is served."""

import os
import threading
from pathlib import Path

import pytest

from koshel.config import extras
from koshel.config.settings import Settings, SettingsError
from koshel.serving import startup
from tests.support import command

ON = Settings(tracing="on")


def test_without_the_extra_the_start_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "opentelemetry.py").write_text("")  # not the one that is meant
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    ended = command.run("serve", tracing="on", data_dir=str(tmp_path / "data"))
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr == f"koshel: KOSHEL_TRACING=on needs OpenTelemetry: {extras.how_to_install('tracing')}\n"
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json")],
)
def test_another_protocol_is_refused(name: str, text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        startup.check_tracing(ON, {name: text})
    assert str(refused.value) == f"{name} can be http/protobuf only, not {text!r}"


def test_variables_that_contradict_each_other_stop_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "10")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "20")
    ended = command.run("serve", tracing="on", data_dir=str(tmp_path / "data"))
    assert ended.returncode == 1
    assert ended.stderr.startswith("koshel: OpenTelemetry cannot be set up: max_export_batch_size must be ")
    assert len(ended.stderr.splitlines()) == 1


def test_without_traces_nobody_looks_at_the_variables() -> None:
    startup.check_tracing(Settings(), {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("environment", [{}, {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}])
def test_with_them_the_variables_are_tried_and_no_thread_is_left(environment: dict[str, str]) -> None:
    before = set(threading.enumerate())
    startup.check_tracing(ON, environment)
    assert set(threading.enumerate()) <= before
