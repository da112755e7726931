"""The commands that show the books: an account's statement, and how much has moved in a ledger. They only read.

As in `commands`, each imports what it needs when it is run.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING

from koshel.command_line import times
from koshel.command_line.commands import CommandError, Options, opened
from koshel.config import extras
from koshel.config.settings import Settings
from koshel.files.written import STDOUT, written

if TYPE_CHECKING:
    from koshel import Ledger
    from koshel.db.starting.databases import Database


def statement(chosen: Settings, options: Options) -> int:
    """Show an account's statement."""
    import asyncio

    times.between(options)
    _check_picture("statement", options["plot"])
    with opened(chosen) as at:
        asyncio.run(_statement(chosen, at, options))
    return 0


async def _statement(chosen: Settings, at: "Database", options: Options) -> None:
    from koshel.command_line import statement
    from koshel.command_line.progress import bar

    path, name = options["plot"], options["account"]
    async with _ledger(chosen, at, options["ledger"]) as ledger:
        found = await statement.find(ledger, name, options["since"], options["until"])
        if path is None:
            with written(STDOUT) as file:
                async for text in statement.table(found, options["ledger"]):
                    file.write(text.encode())
            return
        from koshel.pictures import drawing

        with bar(f"Reading {name}") as progress:
            drawn = await statement.picture(found, options["ledger"], progress)
        drawing.save(drawn, path)


def volume(chosen: Settings, options: Options) -> int:
    """Show how much has moved in a ledger."""
    import asyncio

    from koshel.inputs.values import Invalid
    from koshel.library.volumes import grouping

    times.between(options)
    try:
        by = grouping(options["group_by"].split(","))
    except Invalid as error:
        raise CommandError(f"--group-by {error.reason}") from None
    if options["plot"] is not None and by.by_day == bool(by.name_parts):
        raise CommandError("--plot draws days or names: --group-by must have day, or name_prefix, and not both")
    _check_picture("volume", options["plot"])
    with opened(chosen) as at:
        asyncio.run(_volume(chosen, at, options))
    return 0


async def _volume(chosen: Settings, at: "Database", options: Options) -> None:
    from koshel.command_line import volume
    from koshel.command_line.progress import bar

    names, path = options["group_by"].split(","), options["plot"]
    async with _ledger(chosen, at, options["ledger"]) as ledger:
        with bar("Adding up") as progress:
            found = await volume.find(ledger, names, options["since"], options["until"], progress)
    if path is not None:
        from koshel.pictures import drawing

        drawing.save(volume.picture(found, options["ledger"]), path)
        return
    form = volume.as_json if options["json"] else volume.as_csv if options["csv"] else volume.as_table
    with written(STDOUT) as file:
        file.write(form(found).encode())


@asynccontextmanager
async def _ledger(chosen: Settings, at: "Database", name: str) -> "AsyncIterator[Ledger]":
    """The ledger of this name. Raises CommandError."""
    from koshel.errors import Misuse
    from koshel.library.ledger import Ledger

    try:
        async with Ledger.open(at.service_url, chosen, ledger=name) as ledger:
            yield ledger
    except Misuse as error:
        raise CommandError(str(error)) from error


def _check_picture(command: str, path: str | None) -> None:
    """Raise CommandError if a picture is asked for that cannot be drawn: before much is read for it."""
    if path is None:
        return
    try:
        from koshel.pictures.drawing import SUFFIXES
    except ImportError as error:
        said = f"koshel {command} --plot draws with matplotlib: {extras.how_to_install('plot')}"
        raise CommandError(said) from error
    if PurePath(path).suffix.lower() not in SUFFIXES:
        raise CommandError(f"{path}: the name must end in {' or '.join(SUFFIXES)}")
