"""What is said of a database that is away: at once, less and less often, and once when it is back."""

import time
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from koshel.db.errors import DatabaseUnavailable
from koshel.db.gate import NotOpenYet
from koshel.outage import Outage

AWAY = DatabaseUnavailable("connection refused")


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets a clock of the test's own go on."""
    now = [1_000.0]

    def go_on(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return go_on


def test_the_first_failure_is_said_and_then_one_after_twice_as_long(pass_time: Callable[[float], None]) -> None:
    one = Outage()
    said_at = []
    for second in range(40):
        with capture_logs() as logs:
            one.met("queue", AWAY)
            one.met("holds", AWAY)
        said_at += [second] * len(logs)
        pass_time(1)
    assert said_at == [0, 1, 3, 7, 15, 31]


def test_a_long_outage_is_spoken_of_every_ten_minutes(pass_time: Callable[[float], None]) -> None:
    one = Outage()
    with capture_logs() as logs:
        for _ in range(24 * 3_600):
            one.met("queue", AWAY)
            pass_time(1)
    assert 24 * 6 <= len(logs) <= 24 * 6 + 11
    assert logs[-1]["error"] == "connection refused"
    assert logs[-1]["waited_s"] > 23 * 3_600


def test_its_end_is_said_once_when_all_who_met_it_have_worked_again(pass_time: Callable[[float], None]) -> None:
    one = Outage()
    with capture_logs() as logs:
        one.over("queue")
        one.met("queue", AWAY)
        one.met("holds", AWAY)
        pass_time(0.5)
        one.over("holds")
        one.over("holds")
        assert [line["log_level"] for line in logs] == ["warning"]
        one.over("queue")
        one.over("queue")
    assert [line["log_level"] for line in logs] == ["warning", "info"]
    assert logs[-1]["waited_s"] == 0.5
    with capture_logs() as logs:
        one.met("queue", AWAY)
    assert len(logs) == 1, "the next one is said at once"


def test_nothing_is_said_while_the_start_waits() -> None:
    one = Outage()
    closed = DatabaseUnavailable("not yet")
    closed.__cause__ = NotOpenYet("not yet")
    with capture_logs() as logs:
        one.met("queue", closed)
        one.over("queue")
    assert logs == []
