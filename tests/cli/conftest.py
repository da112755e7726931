"""The commands, run in this process."""

import os

import pytest

from koshel.command_line.cli import main
from koshel.config import settings_text
from tests.support.ended import Ended, Koshel


@pytest.fixture
def koshel(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Koshel:
    """Runs a command in this process, with no settings but those it is given."""

    def run(*arguments: str, **chosen: str) -> Ended:
        for name in [name for name in os.environ if name.startswith(settings_text.PREFIX)]:
            monkeypatch.delenv(name)
        for name, text in chosen.items():
            monkeypatch.setenv(settings_text.PREFIX + name.upper(), text)
        try:
            status: int | str | None = main(arguments)
        except SystemExit as error:
            status = error.code
        assert isinstance(status, int)
        return Ended(status, *capsys.readouterr())

    return run
