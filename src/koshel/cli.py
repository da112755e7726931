"""The commands. No logic: each opens what it needs and calls one function."""

import argparse
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, NoReturn

import msgspec
import psycopg

from koshel import __version__, settings
from koshel.core.money import SCALE_MAX, iso_scales
from koshel.db import currencies, migrate, place
from koshel.db import verify as books
from koshel.db.embedded import EmbeddedError
from koshel.settings import Settings

EPILOG = "Every setting is a flag and a variable: --batch-max is KOSHEL_BATCH_MAX. `koshel serve --help` lists them."


class Parser(argparse.ArgumentParser):
    """argparse, with one line for what cannot be parsed instead of the usage too."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and exit."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


class CommandError(Exception):
    """What was asked for cannot be done; the message is one line."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = vars(_parser().parse_args(arguments))
    run: Callable[[Settings, Any], int] = options.pop("run")
    names = {field.name for field in msgspec.structs.fields(Settings)}
    try:
        return run(settings.read(os.environ, {k: v for k, v in options.items() if k in names}), options)
    except KeyboardInterrupt:
        return 130
    except psycopg.errors.UndefinedTable:
        sys.stderr.write("koshel: the database has no schema yet; run `koshel migrate`\n")
        return 1
    except (
        CommandError,
        settings.SettingsError,
        EmbeddedError,
        migrate.MigrationError,
        psycopg.Error,
        OSError,
    ) as error:
        sys.stderr.write(f"koshel: {' '.join(str(error).split())}\n")
        return 1


def serve(chosen: Settings, _: Any) -> int:
    """Serve until told to stop."""
    from koshel import logs  # noqa: PLC0415  the server is half of what there is to import
    from koshel.supervise import Supervisor, wait_for_port  # noqa: PLC0415

    logs.configure(chosen.log_format, chosen.log_level)
    # Until gunicorn has its own handler: told to stop while it starts, it still stops the database that it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    wait_for_port(chosen.host, chosen.port)
    with _database(chosen) as at:
        # As the owner if it is ours; a service role finds nothing due, or is told that it may not.
        if migrate.due(at.owner_url) or at.service_url != at.owner_url:
            migrate.migrate(at.owner_url, service_role=at.service_role)
        if chosen.currency not in iso_scales().keys() | dict(currencies.registered(at.service_url)).keys():
            raise CommandError(f"KOSHEL_CURRENCY: {chosen.currency} is neither in ISO 4217 nor registered")
        Supervisor(chosen, at.service_url).run()
    return 0


def migrate_database(chosen: Settings, options: Any) -> int:
    """Apply what is due, or only say what is."""
    with _database(chosen) as at:
        names = migrate.due(at.owner_url)
        if not options["check"]:
            names = migrate.migrate(at.owner_url, service_role=at.service_role)
    verb = "due" if options["check"] else "applied"
    sys.stdout.write("".join(f"{verb}: {name}\n" for name in names) or "The schema is current.\n")
    return 1 if options["check"] and names else 0


def add_currency(chosen: Settings, options: Any) -> int:
    """Register a currency."""
    code, scale = options["code"], options["scale"]
    if not re.fullmatch(r"[A-Z0-9_]{3,12}", code):
        raise CommandError(f"{code!r} is not 3 to 12 characters of A-Z, 0-9 and _")
    if code in iso_scales():
        raise CommandError(f"{code} is in ISO 4217, with {iso_scales()[code]} decimals; it needs no registration")
    if not 0 <= scale <= SCALE_MAX:
        raise CommandError(f"--scale must be from 0 to {SCALE_MAX}")
    with _database(chosen) as at:
        try:
            currencies.add(at.owner_url, code, scale)
        except currencies.CurrencyTaken as error:
            raise CommandError(f"{code} is registered already") from error
    sys.stdout.write(f"{code}: {scale} decimals\n")
    return 0


def list_currencies(chosen: Settings, _: Any) -> int:
    """List the registered currencies."""
    with _database(chosen) as at:
        for code, scale in currencies.registered(at.owner_url):
            sys.stdout.write(f"{code}\t{scale}\n")
    return 0


def verify(chosen: Settings, _: Any) -> int:
    """Prove the books."""
    with _database(chosen) as at:
        wrong = books.verify(at.owner_url)
    sys.stdout.write("".join(f"{sentence}\n" for sentence in wrong) or "The books are right.\n")
    return 1 if wrong else 0


def print_openapi(_: Settings, __: Any) -> int:
    """Print the OpenAPI document."""
    from koshel.http.openapi import document  # noqa: PLC0415  the routes bring the whole server along

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(document()), indent=2).decode() + "\n")
    return 0


def _database(chosen: Settings) -> AbstractContextManager[place.Place]:
    return place.database(chosen.database_url, chosen.data_dir, chosen.service_role)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="koshel", description="Wallets on PostgreSQL.", epilog=EPILOG)
    parser.add_argument("--version", action="version", version=f"koshel {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _command(commands, "serve", serve, "serve the HTTP API; migrates first", all_settings=True)
    command = _command(commands, "migrate", migrate_database, "bring the database's schema up to date")
    command.add_argument("--check", action="store_true", help="change nothing; exit 1 if a migration is due")
    currency = commands.add_parser("currency", help="currencies that ISO 4217 does not know")
    actions = currency.add_subparsers(title="actions", metavar="ACTION", required=True)
    command = _command(actions, "add", add_currency, "register a currency")
    command.add_argument("code", help="3 to 12 characters of A-Z, 0-9 and _")
    command.add_argument("--scale", type=int, required=True, help=f"its decimals, 0 to {SCALE_MAX}")
    _command(actions, "list", list_currencies, "list the registered currencies")
    _command(commands, "verify", verify, "prove the books; exit 1 and say what is wrong if they are not right")
    _command(commands, "openapi", print_openapi, "print the OpenAPI document")
    return parser


def _command(
    commands: Any,
    name: str,
    run: Callable[[Settings, Any], int],
    summary: str,
    *,
    all_settings: bool = False,
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=summary, description=summary.capitalize() + ".", epilog=EPILOG
    )
    parser.set_defaults(run=run)
    group = parser.add_argument_group("settings")
    for knob in settings.knobs():
        if all_settings or knob.name in ("database_url", "data_dir", "service_role"):
            default = "" if knob.default is None else f" (default {knob.default})"
            group.add_argument(f"--{knob.name.replace('_', '-')}", metavar="X", help=knob.description + default)
    return parser
