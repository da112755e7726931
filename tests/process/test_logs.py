"""What is logged and printed: one format for both streams, and nothing that is lost at the end."""

import json
import subprocess
import sys

import pytest

SCRIPT = """
import logging, sys
import structlog
from koshel import logs
streams = logs.configure({format!r}, "info", {bytes_max})
structlog.get_logger().warning("of ours", account_id=7)
logging.getLogger("somebody").error("of %s", "others")
logging.getLogger("somebody").debug("not wanted")
streams.take_over()
streams.announce("http://127.0.0.1:1")
sys.stdout.write("printed\\n")
{more}
"""


def run(chosen: str, more: str = "", bytes_max: int = 100_000) -> "subprocess.CompletedProcess[str]":
    script = SCRIPT.format(format=chosen, more=more, bytes_max=bytes_max)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, check=False, text=True, timeout=60)


@pytest.mark.parametrize("chosen", ["json", "auto"])
def test_where_no_terminal_is_both_streams_are_json(chosen: str) -> None:
    done = run(chosen)
    ours, others = map(json.loads, done.stderr.splitlines())
    assert (ours["event"], ours["level"], ours["account_id"]) == ("of ours", "warning", 7)
    assert (others["event"], others["level"], others["logger"]) == ("of others", "error", "somebody")
    announced, printed = done.stdout.splitlines()
    assert json.loads(announced)["url"] == "http://127.0.0.1:1"
    assert printed == "printed"


def test_on_a_console_both_are_for_people() -> None:
    done = run("console")
    assert done.stdout.splitlines()[0] == "Koshel answers on http://127.0.0.1:1"
    assert "of ours" in done.stderr
    assert "{" not in done.stderr + done.stdout


def test_what_was_logged_last_is_written_before_the_process_ends() -> None:
    done = run("json", "for number in range(500): logging.getLogger('n').info('line %d', number)")
    assert [json.loads(line)["event"] for line in done.stderr.splitlines()[2:]] == [f"line {n}" for n in range(500)]


def test_a_traceback_that_nobody_caught_is_written_too() -> None:
    done = run("json", "1 / 0")
    assert done.returncode == 1
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")


@pytest.mark.parametrize("chosen", ["json", "console"])
def test_dropped_lines_are_counted_in_the_format_of_the_stream(chosen: str) -> None:
    done = run(chosen, "logging.getLogger('n').info('x' * 3000)", bytes_max=2_000)
    last = done.stderr.splitlines()[-1]
    if chosen == "json":
        line = json.loads(last)
        assert (line["event"], line["level"], line["stream"], line["count"]) == (
            "log lines dropped",
            "warning",
            "stderr",
            1,
        )
    else:
        assert last == "log lines dropped  stream=stderr count=1"
