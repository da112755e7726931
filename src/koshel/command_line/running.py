"""One command: its arguments are read, it is run, and what came of it becomes a status and at most one line."""

import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from koshel.command_line import arguments, commands
from koshel.command_line.commands import CommandError
from koshel.config import settings_text
from koshel.config.settings import Settings, SettingsError
from koshel.config.surroundings import of_libpq
from koshel.files.written import ReaderGone

ENDED_BY_SIGPIPE = 128 + 13  # the status of a program that ends because nobody reads what it writes, as shells say it


def run(given: Sequence[str]) -> int:
    """Run what the arguments ask for; returns the exit status."""
    try:
        return _ended(arguments.read(given))
    finally:
        _drop_what_cannot_be_written()


def _ended(options: dict[str, Any]) -> int:
    """The status with which a command has ended; what it complains of is said."""
    failure: int = options["failure"]
    try:
        status = _run(options)
        sys.stdout.flush()
    except (BrokenPipeError, ReaderGone):
        status = ENDED_BY_SIGPIPE
    except Exception as error:
        said = str(error) if isinstance(error, SettingsError) else commands.complaint(error)
        if said is None:
            if failure == 1:
                raise
            traceback.print_exc()  # else the status would be Python's own, which has another meaning here
        else:
            sys.stderr.write(f"koshel: {' '.join(said.split())}\n")
        status = failure
    return status


def _run(options: dict[str, Any]) -> int:
    if sys.stdout is None:  # a key that was made would be seen by nobody
        raise CommandError("standard output is closed, so nothing is done; >/dev/null drops what is printed")
    environment = dict(os.environ)
    names = {knob.name for knob in settings_text.knobs()}
    flags: Mapping[str, str | None] = {name: value for name, value in options.items() if name in names}
    chosen = settings_text.read(environment, flags)
    if chosen.database_url is None:
        # They say where some other database is, and libpq would heed them for the embedded one too.
        for name in of_libpq(environment):
            del os.environ[name]
    elif flags.get("data_dir") is not None:
        url = settings_text.came_as("database_url", flags)
        raise CommandError(
            f"--data-dir is where the embedded database is, and {url} names another one: give one of them"
        )
    command: Callable[[Settings, Mapping[str, Any]], int] = options["run"]
    return command(chosen, options | {"environment": environment})


def _drop_what_cannot_be_written() -> None:
    """What is left to be printed, and cannot be: the end of the process would try it again, and complain."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        with Path(os.devnull).open("wb") as nothing:
            os.dup2(nothing.fileno(), sys.stdout.fileno())
