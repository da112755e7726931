"""Version 0.2.0 from the project's own history, installed once: what this version is compared with in the same run."""

import io
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

from bench.against import Version
from bench.servers import ROOT

NAME = "0.2.0"
COMMIT = "a4a764e"
HOME = ROOT / ".bench" / NAME


class NotInstalled(Exception):
    """The earlier version cannot be had here; the message says why, and what to do."""


def version(home: Path = HOME, commit: str = COMMIT) -> Version:
    """The earlier version, ready to run; it is installed if it is not yet. Raises NotInstalled."""
    source, environment, mark = home / "source", home / "venv", home / "ready"
    wanted = f"{commit}\n{sys.version}\n"
    if not mark.exists() or mark.read_text() != wanted:
        archive = _archive(commit)
        shutil.rmtree(home, ignore_errors=True)
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(source, filter="data")
        # With this Python, so that only Koshel is another.
        _run([sys.executable, "-m", "venv", str(environment)])
        pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "--constraint", str(source / "constraints.txt"), str(source)])
        mark.write_text(wanted)
    return Version("earlier", environment / "bin" / "python", source)


def _archive(commit: str) -> bytes:
    git = shutil.which("git")
    if git is None:
        raise NotInstalled(f"version {NAME} is commit {commit} of this project's history, and git is not installed")
    done = subprocess.run([git, "archive", "--format=tar", commit], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        raise NotInstalled(
            f"version {NAME} is commit {commit}, and this clone does not have it ({done.stderr.decode().strip()}); "
            "`git fetch --unshallow` brings it"
        )
    return done.stdout


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True)
    if done.returncode:
        raise NotInstalled(f"version {NAME} could not be installed: {(done.stderr or done.stdout).strip()[-500:]}")
