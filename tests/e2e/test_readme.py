"""The README is run: every curl and every koshel command up to the library, and what it says they answer."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.service import serving

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"```(sh|json)\n(.*?)```|^((?: {4}[^\n]*\n)+)", re.DOTALL | re.MULTILINE)


def blocks() -> list[tuple[str, str]]:
    section = README.read_text().split("## A first transfer")[1].split("\n## As a library")[0]
    return [(m[1] or "text", m[2] or m[3]) for m in BLOCK.finditer(section)]


def run(script: str, port: int, data_dir: Path) -> str:
    """The output of the script's last command."""
    script = script.replace("\\\n", " ").replace("127.0.0.1:8080", f"127.0.0.1:{port}")
    output = ""
    for line in script.splitlines():
        words = shlex.split(line)
        if words[0] == ".venv/bin/koshel":
            words = [sys.executable, "-m", "koshel", *words[1:], "--data-dir", str(data_dir)]
        done = subprocess.run(words, capture_output=True, check=True, text=True, timeout=60)
        output = done.stdout
    return output


def without_times(document: Any) -> Any:
    if isinstance(document, list):
        return [without_times(one) for one in document]
    if isinstance(document, dict):
        return {name: without_times(one) for name, one in document.items() if name not in {"ctime", "expires_at"}}
    return document


def test_the_examples_of_the_readme_go_as_it_says(tmp_path: Path) -> None:
    output = ""
    checked = 0
    with serving(None, data_dir=str(tmp_path)) as service:
        for kind, text in blocks():
            if kind == "sh":
                output = run(text, service.port, tmp_path)
            elif kind == "json":
                assert without_times(json.loads(output)) == without_times(json.loads(text))
                checked += 1
            else:
                assert output.strip() == text.strip()
                checked += 1
    assert checked == 9
