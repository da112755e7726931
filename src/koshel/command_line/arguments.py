"""The arguments of all commands: what may be asked for, and in which words it is refused."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from math import nan
from typing import Any, NoReturn

from koshel import __version__
from koshel.callers import MAIN_LEDGER, Scope
from koshel.command_line import (
    access_commands,
    book_arguments,
    commands,
    file_arguments,
    key_commands,
    reader_commands,
    service_commands,
    top_command,
)
from koshel.command_line.file_arguments import WHERE
from koshel.command_line.top_command import EVERY_MAX_S, EVERY_MIN_S
from koshel.config import durations, settings_text
from koshel.config.settings import Settings
from koshel.config.surroundings import nearest, without_passwords
from koshel.core.money import SCALE_MAX
from koshel.inputs.texts import is_key_name

EPILOG = "Every setting is a flag and a variable: --batch-max is KOSHEL_BATCH_MAX. `koshel serve --help` lists them."
PSQL_EPILOG = r"Whatever is not a setting goes to psql: koshel psql -c '\d account'"

Run = Callable[[Settings, Mapping[str, Any]], int]


class Parser(argparse.ArgumentParser):
    """argparse, with one line for what cannot be parsed instead of the usage too."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and exit."""
        self.exit(2, f"{self.prog}: {without_passwords(message)}; see {self.prog} --help\n")

    def refuse(self, unknown: Sequence[str]) -> NoReturn:
        """Say which arguments nobody knows, and exit."""
        flag = unknown[0].partition("=")[0]
        near = nearest(flag, self._option_string_actions) if flag.startswith("--") else None
        hint = "" if near is None else f" (the nearest is {near})"
        self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")


def read(given: Sequence[str]) -> dict[str, Any]:
    """What is asked for: the options of one command, with how to run it; exits if that cannot be understood.

    `rest`: the arguments that it passes on to another program.
    """
    every = command_line()
    for place, text in enumerate(given, 1):
        if any("\ud800" <= character <= "\udfff" for character in text):
            every.error(f"argument {place} is not UTF-8")
    parsed, rest = every.parse_known_args(given)
    options = vars(parsed)
    its_own: Parser = options.pop("parser")
    if rest and not options["passes_on"]:
        its_own.refuse(rest)
    if options.get("check"):
        options["failure"] = 2  # 1 says what was found
    return options | {"rest": rest}


def command_line() -> Parser:
    """The command line, with every command."""
    parser = Parser(prog="koshel", description="Wallets on PostgreSQL.", epilog=EPILOG, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"koshel {__version__}")
    add = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _command(add, "serve", service_commands.serve, "serve the HTTP API; migrates first", takes=None)
    migrate = _command(
        add,
        "migrate",
        service_commands.migrate,
        "bring the database's schema up to date",
        takes=(*WHERE, "service_role", "row_security", "migration_lock_timeout_ms"),
    )
    migrate.add_argument(
        "--check", action="store_true", help="change nothing; exit 1 if anything is due, 2 if nobody could look"
    )
    _currency_commands(add)
    _ledger_commands(add)
    _key_commands(add)
    _account_commands(add)
    file_arguments.add_to(add, _command)
    book_arguments.add_to(add, _command)
    verify = _command(
        add,
        "verify",
        commands.verify,
        "prove the books; exit 1 if they are not right, 2 if nobody could look",
        failure=2,
    )
    verify.add_argument("--json", action="store_true", help="print JSON")
    psql = _command(add, "psql", commands.psql, "open a shell on the database", epilog=PSQL_EPILOG, passes_on=True)
    psql.usage = "koshel psql [settings] [arguments of psql]"
    summary = "print the URL of the embedded database, for programs that use the library"
    _command(add, "url", commands.url, summary, takes=("data_dir",))
    top = _command(add, "top", top_command.top, "watch what a running service does", takes=("host", "port"))
    top.add_argument("url", nargs="?", help="URL of the service (default: the host and the port of the settings)")
    top.add_argument("--key-file", metavar="FILE", help="file with an API key of scope admin of the ledger main")
    meant = f"seconds between two readings, {EVERY_MIN_S:g} to {EVERY_MAX_S:g} (default 1)"
    top.add_argument("--every", type=_every, default=1.0, metavar="SECONDS", help=meant)
    top.add_argument("--once", action="store_true", help="read the metrics twice, print the result, and exit")
    _command(add, "openapi", commands.openapi, "print the OpenAPI document", takes=())
    return parser


def _currency_commands(commands_: Any) -> None:
    currency = commands_.add_parser("currency", help="currencies that ISO 4217 does not know", allow_abbrev=False)
    add = currency.add_subparsers(title="actions", metavar="ACTION", required=True)
    command = _command(add, "add", commands.add_currency, "register a currency")
    command.add_argument("code", help="3 to 12 characters of A-Z, 0-9 and _")
    command.add_argument("--scale", type=int, required=True, help=f"its decimals, 0 to {SCALE_MAX}")
    _command(add, "list", commands.list_currencies, "list the registered currencies")


def _ledger_commands(commands_: Any) -> None:
    ledger = commands_.add_parser("ledger", help="ledgers, each with accounts and keys of its own", allow_abbrev=False)
    add = ledger.add_subparsers(title="actions", metavar="ACTION", required=True)
    command = _command(add, "create", access_commands.create_ledger, "make a ledger")
    command.add_argument("name", help="1 to 64 characters of a-z, 0-9, _ and -")
    _command(add, "list", access_commands.list_ledgers, "list the ledgers")
    command = _command(add, "rename", access_commands.rename_ledger, "give a ledger another name")
    command.add_argument("name", help="the old name")
    command.add_argument("new_name", metavar="new-name", help="the new name")
    summary = "let a role of PostgreSQL read the rows of a ledger, and of no other"
    for verb, run, said in (
        ("grant", reader_commands.grant_ledger, summary),
        ("revoke", reader_commands.revoke_ledger, "take that back"),
    ):
        command = _command(add, verb, run, said)
        command.add_argument("name", help="name of the ledger")
        command.add_argument("role", help="role of PostgreSQL that logs in, or a group of such roles")


def _key_commands(commands_: Any) -> None:
    key = commands_.add_parser("key", help="API keys", allow_abbrev=False)
    add = key.add_subparsers(title="actions", metavar="ACTION", required=True)
    command = _command(add, "create", key_commands.create_key, "make a key, and print it; it is shown only once")
    command.add_argument("--ledger", default=MAIN_LEDGER, help=f"its ledger (default {MAIN_LEDGER})")
    command.add_argument(
        "--scope",
        choices=[scope.value for scope in Scope],
        required=True,
        help="write includes read, and admin includes write",
    )
    command.add_argument(
        "--expires",
        type=_lifetime,
        metavar="DURATION",
        help="how long it is valid, such as 90d, 24h, 30m or 45s (default: for ever)",
    )
    command.add_argument("--name", type=_key_name, default="", help="what it is for")
    command.add_argument("--output", metavar="FILE", help="write the key to a new file, which nobody else may read")
    command = _command(add, "list", key_commands.list_keys, "list keys, without the keys themselves")
    command.add_argument("--ledger", help="only the keys of this ledger")
    command = _command(add, "revoke", key_commands.revoke_key, "revoke a key: every worker refuses it within a second")
    command.add_argument("id", type=int, help="as `koshel key list` shows it")
    command = _command(add, "rotate", key_commands.rotate_key, "make a new key in place of an old one, and print it")
    command.add_argument("id", type=int, help="as `koshel key list` shows it")
    command.add_argument(
        "--overlap",
        type=_duration,
        default="24h",
        metavar="DURATION",
        help="how long the old key stays valid (default 24h)",
    )


def _account_commands(commands_: Any) -> None:
    account = commands_.add_parser("account", help="personal data of accounts", allow_abbrev=False)
    add = account.add_subparsers(title="actions", metavar="ACTION", required=True)
    summary = "erase the email and the metadata of a closed account, wherever they are kept"
    command = _command(add, "erase", access_commands.erase_account, summary)
    command.add_argument(
        "account", type=access_commands.account_of, metavar="ID|@NAME", help="its id, or @ and its name"
    )
    meant = f"the ledger of the account (default: {MAIN_LEDGER} for a name, any ledger for an id)"
    command.add_argument("--ledger", help=meant)


def _every(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = nan
    if not EVERY_MIN_S <= seconds <= EVERY_MAX_S:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from {EVERY_MIN_S:g} to {EVERY_MAX_S:g}")
    return seconds


def _duration(text: str) -> int:
    try:
        return durations.seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _lifetime(text: str) -> int:
    if (lasts_s := _duration(text)) < 1:
        raise argparse.ArgumentTypeError("the lifetime of a key must be more than zero")
    return lasts_s


def _key_name(text: str) -> str:
    if not is_key_name(text):
        raise argparse.ArgumentTypeError("the name of a key has at most 100 characters, and no control characters")
    return text


def _command(
    commands_: Any,
    name: str,
    run: Run,
    summary: str,
    *,
    takes: Sequence[str] | None = WHERE,
    epilog: str = EPILOG,
    passes_on: bool = False,
    failure: int = 1,
) -> Parser:
    """A command that takes these settings, or all; `failure` is its status when it could not do what it should."""
    parser: Parser = commands_.add_parser(
        name, help=summary, description=summary[0].upper() + summary[1:] + ".", epilog=epilog, allow_abbrev=False
    )
    parser.set_defaults(run=run, parser=parser, passes_on=passes_on, failure=failure)
    group = parser.add_argument_group("settings")
    for knob in settings_text.knobs():
        if takes is None or knob.name in takes:
            default = "" if knob.default is None else f" (default {knob.default})"
            flag = f"--{knob.name.replace('_', '-')}"
            group.add_argument(flag, metavar=knob.metavar, help=knob.description + default)
    return parser
