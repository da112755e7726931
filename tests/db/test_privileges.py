"""As root: a user for PostgreSQL is made once and made known, and closed directories are passed, or named."""

import logging
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from koshel.db.errors import EmbeddedError
from koshel.db.server import privileges

ME = pwd.getpwuid(os.geteuid()).pw_name


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A directory that nobody passes through but by a privilege."""
    directory = tmp_path / "closed"
    directory.mkdir(mode=0o000)
    directory.chmod(0o000)
    yield directory
    directory.chmod(0o700)


def test_an_open_way_takes_no_privilege() -> None:
    assert privileges._closed(Path("/usr/bin/env"), ME) is None


def test_a_closed_way_is_found_at_its_first_closed_directory(closed: Path) -> None:
    assert privileges._closed(closed / "deeper" / "data", ME) == closed


def test_without_a_privilege_a_closed_directory_is_named_with_what_to_do(
    closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(EmbeddedError, match=rf"^{closed} is closed to the system user .*--data-dir"):
        privileges.way_in(ME, Path("/usr/bin/env"), closed / "without setpriv")
    monkeypatch.setattr(shutil, "which", lambda _: "/bin/false")
    with pytest.raises(EmbeddedError, match=rf"^{closed} is closed to the system user"):
        privileges.way_in(ME, Path("/usr/bin/env"), closed / "without the capability")


class _Useradd:
    """In its place."""

    def __init__(self, returncode: int) -> None:
        self.commands: list[Sequence[str]] = []
        self._returncode = returncode

    def __call__(self, command: Sequence[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        self.commands.append(command)
        return subprocess.CompletedProcess(command, self._returncode, "", "no room\n")


def test_a_system_user_that_is_made_is_made_known(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    useradd = _Useradd(0)
    monkeypatch.setattr(privileges, "SYSTEM_USER", "koshel_test_nobody")
    monkeypatch.setattr(subprocess, "run", useradd)
    with caplog.at_level(logging.WARNING):
        assert privileges.system_user() == "koshel_test_nobody"
    (command,) = useradd.commands
    assert command[0].endswith("/useradd")
    assert "--system" in command
    assert "has made the system user koshel_test_nobody" in caplog.text


@pytest.mark.parametrize("name", ["root", ME])
def test_a_user_that_is_there_is_not_made(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    useradd = _Useradd(0)
    monkeypatch.setattr(privileges, "SYSTEM_USER", name)
    monkeypatch.setattr(subprocess, "run", useradd)
    assert privileges.system_user() == name
    assert useradd.commands == []


def test_a_system_user_that_cannot_be_made_is_said_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privileges, "SYSTEM_USER", "koshel_test_nobody")
    monkeypatch.setattr(subprocess, "run", _Useradd(1))
    with pytest.raises(EmbeddedError, match=r"^useradd failed: no room$"):
        privileges.system_user()
    monkeypatch.setattr(subprocess, "run", _Useradd(privileges._USER_EXISTS))
    assert privileges.system_user() == "koshel_test_nobody"
