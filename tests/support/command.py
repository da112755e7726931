"""The `koshel` command as a process, with no settings but those it is given."""

import os
import subprocess
import sys
from collections.abc import Mapping


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with these settings of Koshel's and no others; in small letters, without KOSHEL_."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KOSHEL_")}
    return kept | {f"KOSHEL_{name.upper()}": value for name, value in settings.items()}


def start(*arguments: str, **settings: str) -> "subprocess.Popen[str]":
    """The command, under way; what it prints can be read from its pipes."""
    return subprocess.Popen(
        [sys.executable, "-m", "koshel", *arguments],
        env=environment(settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """The command, when it has ended."""
    with start(*arguments, **settings) as process:
        printed, complained = process.communicate(timeout=60)
    return subprocess.CompletedProcess(arguments, process.returncode, printed, complained)
