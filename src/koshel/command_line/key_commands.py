"""The commands of keys. A key leaves alone on standard output, once; what is said of it on standard error.

As in `commands`, each imports what it needs when it is run.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from koshel.callers import Scope
from koshel.command_line.access_commands import Questions, Work, questions, shown
from koshel.command_line.commands import CommandError, Options
from koshel.config.settings import Settings
from koshel.inputs.values import ID_MAX

if TYPE_CHECKING:
    from koshel.db.access.api_keys import KeyRow, NewKey

PAGE = 500
STANDARD_OUTPUT = "standard output"

New = TypeVar("New", bound="NewKey")

Write = Callable[[bytes], object]


def create_key(chosen: Settings, options: Options) -> int:
    """Make a key, and print it."""
    from koshel.db.access import api_keys

    scope, path = Scope(options["scope"]), options["output"]
    with _output(path) as write:
        if write is None:
            sys.stderr.write(f"koshel: {path} is there already, so no key is made\n")
            return 0
        with questions(chosen) as database:
            ledger = database.ledger(options["ledger"])
            terms = {"scope": scope, "name": options["name"], "lasts_s": options["expires"]}
            ask = partial(database.ask_of, ledger.id, **terms)
            new = _made(ask, api_keys.add, write, path or STANDARD_OUTPUT)
        _say(new, f"of the ledger {ledger.name}")
    return 0


def list_keys(chosen: Settings, options: Options) -> int:
    """List keys, of a ledger or of all."""
    from koshel.db.access import ledgers

    with questions(chosen) as database:
        name = options["ledger"]
        for ledger in database.ask(ledgers.all_of_them) if name is None else [database.ledger(name)]:
            for key in _keys(database, ledger.id):
                cells = (str(key.id), ledger.name, key.name or "-", key.scope, key.status)
                moments = map(shown, (key.ctime, key.expires_at, key.last_used_at))
                sys.stdout.write("\t".join([*cells, *moments]) + "\n")
    return 0


def revoke_key(chosen: Settings, options: Options) -> int:
    """Revoke a key."""
    from koshel.db.access import api_keys

    key_id = options["id"]
    with questions(chosen) as database:
        ledger_id = _ledger_of(database, key_id)
        revoke = partial(database.ask_of, ledger_id, api_keys.revoke, key_id)
        try:
            revoke()
        except api_keys.LastAdminKey:
            revoke(even_the_last=True)
            said = "no other admin key of its ledger is valid as long; make another one with `koshel key create`"
            sys.stderr.write(f"koshel: key {key_id} is revoked; {said}\n")
    sys.stdout.write(f"{key_id}: revoked\n")
    return 0


def rotate_key(chosen: Settings, options: Options) -> int:
    """Make a key in place of another one, and print it."""
    from koshel.db.access import api_keys

    key_id, overlap_s = options["id"], options["overlap"]
    with questions(chosen) as database:
        ledger_id = _ledger_of(database, key_id)
        try:
            ask = partial(database.ask_of, ledger_id, key_id=key_id, overlap_s=overlap_s)
            new = _made(ask, api_keys.rotate, _print, STANDARD_OUTPUT)
        except api_keys.NotUsable as error:
            raise CommandError(f"key {key_id} was revoked or has expired; make a new one") from error
    _say(new, f"in place of key {key_id}, which expires at {shown(new.old_expires_at)}")
    return 0


@contextmanager
def _output(path: str | None) -> Iterator[Write | None]:
    """Standard output, or a new file; None if the file is there. One that stays empty is as good as none."""
    if path is None:
        yield _print
        return
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    is_there = os.fstat(descriptor).st_size > 0
    try:
        yield None if is_there else partial(os.write, descriptor)
    except BaseException:
        if not is_there:
            with suppress(OSError):  # of what is no file
                os.ftruncate(descriptor, 0)
        raise
    finally:
        os.close(descriptor)


def _print(line: bytes) -> None:
    sys.stdout.write(line.decode())
    sys.stdout.flush()


def _made(ask: "Callable[[Work[New | None]], New | None]", make: "Work[New | None]", write: Write, where: str) -> "New":
    """A new key, which is written in the database transaction that makes it: what nobody could see is not kept."""
    is_shown = False

    async def work(*arguments: Any, **named: Any) -> "New | None":
        nonlocal is_shown
        new = await make(*arguments, **named)
        if new is not None:
            try:
                write(f"{new.text}\n".encode())
            except OSError as error:
                said = f"no key is made, since it could not be written to {where}: {error.strerror}"
                raise CommandError(said) from error
            is_shown = True
        return new

    try:
        new = ask(work)
    except BaseException:
        if is_shown:
            sys.stderr.write("koshel: do not use the key that was written: it may not be valid\n")
        raise
    assert new is not None, "a key stays for ever"
    return new


def _ledger_of(database: Questions, key_id: int) -> int:
    from koshel.db.access import api_keys

    found = database.ask(api_keys.ledger_of, key_id) if 0 < key_id <= ID_MAX else None
    if found is None:
        raise CommandError(f"there is no key {key_id}; `koshel key list` shows all")
    return found


def _keys(database: Questions, ledger_id: int) -> "Iterator[KeyRow]":
    from koshel.db.access import api_keys

    before = ID_MAX
    while page := database.ask_of(ledger_id, api_keys.page, before=before, count=PAGE):
        yield from page
        before = page[-1].id


def _say(new: "NewKey", what: str) -> None:
    until = "" if new.row.expires_at is None else f", until {shown(new.row.expires_at)}"
    sys.stderr.write(f"koshel: key {new.row.id} {what}, scope {new.row.scope}{until}; it is not shown again\n")
