"""The README is run: every curl and every koshel command, and then the library's programs on what they left behind."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from koshel.db.server import embedded
from koshel.db.verifying.verify import verify
from tests.support.service import Running, serving

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"```(sh|json|python)\n(.*?)```|^((?: {4}[^\n]*\n)+)", re.DOTALL | re.MULTILINE)


def blocks(heading: str, end: str) -> list[tuple[str, str]]:
    section = README.split(f"\n## {heading}\n")[1].split(f"\n## {end}\n")[0]
    return [(m[1] or "text", m[2] or m[3]) for m in BLOCK.finditer(section)]


def run(script: str, port: int, directory: Path) -> str:
    """The output of the script's last command, in the directory where the service runs."""
    script = script.replace("\\\n", " ").replace("127.0.0.1:8080", f"127.0.0.1:{port}")
    output = ""
    for line in script.splitlines():
        words = shlex.split(line)
        if words[0] == ".venv/bin/koshel":
            words = [sys.executable, "-m", "koshel", *words[1:]]
        elif words[0] == ".venv/bin/python":
            words = [sys.executable, str(ROOT / words[1]), *words[2:]]
        done = subprocess.run(words, capture_output=True, check=True, text=True, timeout=60, cwd=directory)
        output = done.stdout
    return output


def without_times(text: str) -> str:
    return re.sub(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"', '"a time"', text)


def without_seconds(text: str) -> str:
    return re.sub(r"\d+\.\d\d s\b", "N s", " ".join(text.split()))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the service is started, as by `make run`."""
    return tmp_path_factory.mktemp("readme")


@pytest.fixture(scope="module")
def service(home: Path) -> Iterator[Running]:
    with serving(None, data_dir=str(home / ".koshel")) as service:
        yield service


def test_the_examples_of_the_readme_go_as_it_says(service: Running, home: Path) -> None:
    output = ""
    checked = 0
    for kind, text in blocks("A first transfer", "As a library"):
        if kind == "sh":
            output = run(text, service.port, home)
        elif kind == "json":
            assert without_times(output) == without_times(text), "to the byte"
            checked += 1
        else:
            assert without_seconds(output) == without_seconds(text)
            checked += 1
    assert checked == 9


def test_the_programs_of_the_readme_run_on_what_its_examples_left_behind(service: Running, home: Path) -> None:
    ran = 0
    for kind, text in blocks("As a library", "The numbers"):
        if kind == "python":
            program = [sys.executable, "-c", text]
            done = subprocess.run(program, capture_output=True, check=False, text=True, timeout=60, cwd=home)
            assert (done.returncode, done.stderr) == (0, "")
            ran += 1
        elif kind == "sh":
            assert "paid: 19.40 to the seller and 0.60 in fees" in run(text, service.port, home)
            ran += 1
    assert ran == 2
    with embedded.running(home / ".koshel") as cluster:
        assert verify(cluster.url()) == []
