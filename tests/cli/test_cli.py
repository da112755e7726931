"""The commands: help that reads, one line for what is wrong, and the right exit status."""

import re
import socket
from collections.abc import Sequence
from pathlib import Path

import psycopg
import pytest

from koshel import __version__
from koshel.config import settings_text
from koshel.db.server.embedded import Cluster
from tests.support import command, generate
from tests.support.database import Database
from tests.support.ended import Koshel

COMMANDS: Sequence[list[str]] = (
    *([], ["serve"], ["migrate"], ["currency"]),
    ["currency", "add"],
    ["currency", "list"],
    ["ledger"],
    ["ledger", "create"],
    ["ledger", "list"],
    ["ledger", "rename"],
    ["key"],
    ["key", "create"],
    ["key", "list"],
    ["key", "revoke"],
    ["key", "rotate"],
    ["verify"],
    ["psql"],
    ["url"],
    ["openapi"],
)
LOOKING = (["verify"], ["migrate", "--check"])  # 1 says what was found
UNREACHABLE = "postgresql://nobody@127.0.0.1:1/nothing"


def test_the_version_is_the_packages(koshel: Koshel) -> None:
    ended = koshel("--version")
    assert (ended.status, ended.printed) == (0, f"koshel {__version__}\n")


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_help_reads(koshel: Koshel, arguments: list[str]) -> None:
    ended = koshel(*arguments, "--help")
    assert (ended.status, ended.complained) == (0, "")
    assert ended.printed.startswith(" ".join(["usage: koshel", *arguments]))
    assert "==" not in ended.printed
    assert "%(" not in ended.printed
    assert "None" not in ended.printed
    assert "NODEFAULT" not in ended.printed


def test_the_first_help_names_every_command(koshel: Koshel) -> None:
    printed = koshel("--help").printed
    for name in ("serve", "migrate", "currency", "ledger", "key", "verify", "psql", "url", "top", "openapi"):
        assert re.search(rf"^ +{name} +\w.*$", printed, re.MULTILINE)


def test_the_help_of_serve_names_every_setting_with_its_default(koshel: Koshel) -> None:
    printed = " ".join(koshel("serve", "--help").printed.split())
    for knob in settings_text.knobs():
        default = "" if knob.default is None else f" (default {knob.default})"
        assert f"--{knob.name.replace('_', '-')} {knob.metavar} {knob.description}{default}" in printed


def test_the_help_of_a_command_names_only_the_settings_that_it_has_a_use_for(koshel: Koshel) -> None:
    assert "--lock-timeout-ms" not in koshel("migrate", "--help").printed
    assert "--migration-lock-timeout-ms" in koshel("migrate", "--help").printed
    assert "--port" not in koshel("verify", "--help").printed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["dance"], "invalid choice: 'dance'"),
        ([], "required: COMMAND"),
        (["currency"], "required: ACTION"),
        (["currency", "add", "POINTS"], "required: --scale"),
        (["currency", "add", "POINTS", "--scale", "two"], "invalid int value: 'two'"),
        (["serve", "--colour", "red"], "unrecognized arguments: --colour red"),
        (["serve", "--prot", "80"], "koshel serve: unrecognized arguments: --prot 80 (the nearest is --port)"),
        (["serve", "--prot=80"], "unrecognized arguments: --prot=80 (the nearest is --port)"),
        (["serve", "--work", "2"], "unrecognized arguments: --work 2 (the nearest is --workers)"),
        (["serve", "--xyzzy", "2"], "koshel serve: unrecognized arguments: --xyzzy 2; see koshel serve --help"),
        (["verify", "now"], "koshel verify: unrecognized arguments: now"),
        (["currency", "list", "--all"], "koshel currency list: unrecognized arguments: --all"),
    ],
)
def test_a_command_that_cannot_be_read_is_said_in_one_line(koshel: Koshel, arguments: list[str], said: str) -> None:
    ended = koshel(*arguments)
    assert (ended.status, ended.printed) == (2, "")
    assert said in ended.complained
    assert ended.complained.count("\n") == 1
    assert "--help" in ended.complained


@pytest.mark.parametrize(
    ("chosen", "named"),
    [
        ({"port": "abc"}, "KOSHEL_PORT"),
        ({"port": "65536"}, "KOSHEL_PORT"),
        ({"workers": "0"}, "KOSHEL_WORKERS"),
        ({"lock_timeout_ms": "5000"}, "KOSHEL_LOCK_TIMEOUT_MS"),
        ({"log_format": "loud"}, "KOSHEL_LOG_FORMAT"),
        ({"max_balance": "NaN"}, "KOSHEL_MAX_BALANCE"),
        ({"exchange_min_balance": "0.01"}, "KOSHEL_EXCHANGE_MIN_BALANCE"),
        ({"exchange_min_balance": "-1000000000000000000"}, "KOSHEL_EXCHANGE_MIN_BALANCE"),
    ],
)
@pytest.mark.parametrize("arguments", [["serve"], ["verify"], ["openapi"]], ids=" ".join)
def test_a_setting_that_cannot_be_used_is_named_in_one_line(
    koshel: Koshel, arguments: list[str], chosen: dict[str, str], named: str
) -> None:
    ended = koshel(*arguments, **chosen)
    assert (ended.status, ended.printed) == (2 if arguments == ["verify"] else 1, "")
    assert ended.complained.startswith(f"koshel: {named}")
    assert ended.complained.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [["migrate"], ["migrate", "--check"], ["verify"], ["currency", "list"], ["key", "list"], ["ledger", "list"]],
    ids=" ".join,
)
@pytest.mark.parametrize("url", [UNREACHABLE, "nonsense", "postgresql://127.0.0.1:port/x"])
def test_a_database_that_cannot_be_reached_is_said_in_one_line(koshel: Koshel, arguments: list[str], url: str) -> None:
    ended = koshel(*arguments, database_url=url)
    assert (ended.status, ended.printed) == (2 if arguments in LOOKING else 1, "")
    assert ended.complained.startswith("koshel: ")
    assert ended.complained.count("\n") == 1
    assert "Traceback" not in ended.complained


@pytest.mark.parametrize("role", ["koshel", "nobody"])
@pytest.mark.parametrize("url", ["nonsense", "postgresql://127.0.0.1:port/x", "postgresql://{}@/nothing?host={}"])
def test_serving_from_a_database_that_waiting_does_not_mend_is_refused_in_one_line(
    koshel: Koshel, cluster: Cluster, role: str, url: str
) -> None:
    ended = koshel("serve", "--port", "0", database_url=url.format(role, cluster.sockets))
    assert (ended.status, ended.printed) == (1, "")
    assert ended.complained.startswith("koshel: ")
    assert ended.complained.count("\n") == 1
    assert "Traceback" not in ended.complained


@pytest.mark.parametrize("host", ["a..b", "x" * 64, "http://127.0.0.1"])
def test_a_host_that_is_none_is_said_in_one_line(koshel: Koshel, host: str) -> None:
    ended = koshel("serve", "--host", host)
    assert (ended.status, ended.printed) == (1, "")
    assert ended.complained.startswith(("koshel: --host takes", "koshel: cannot listen on"))
    assert ended.complained.count("\n") == 1


def test_a_flag_overrides_the_environment(koshel: Koshel, database: Database) -> None:
    assert koshel("verify", "--database-url", database.owner_url, database_url=UNREACHABLE).status == 0
    assert koshel("verify", "--database-url", UNREACHABLE, database_url=database.owner_url).status == 2


def test_a_currency_is_registered_once_and_listed(koshel: Koshel, database: Database) -> None:
    url = database.owner_url
    assert koshel("currency", "list", database_url=url).printed == ""
    added = koshel("currency", "add", "POINTS", "--scale", "0", database_url=url)
    assert (added.status, added.printed, added.complained) == (0, "POINTS: 0 decimals\n", "")
    assert koshel("currency", "add", "GOLD_OZ", "--scale", "18", database_url=url).status == 0
    assert koshel("currency", "list", database_url=url).printed == "GOLD_OZ\t18\nPOINTS\t0\n"
    again = koshel("currency", "add", "POINTS", "--scale", "2", database_url=url)
    assert (again.status, again.complained) == (1, "koshel: POINTS is registered already\n")
    assert koshel("currency", "list", database_url=url).printed == "GOLD_OZ\t18\nPOINTS\t0\n"


@pytest.mark.parametrize(
    ("code", "scale", "said"),
    [
        ("USD", "2", "USD is in ISO 4217, with 2 decimals; it needs no registration"),
        ("JPY", "2", "JPY is in ISO 4217, with 0 decimals; it needs no registration"),
        ("points", "0", "'points' is not 3 to 12 characters of A-Z, 0-9 and _"),
        ("AB", "0", "'AB' is not 3 to 12 characters of A-Z, 0-9 and _"),
        ("A" * 13, "0", f"'{'A' * 13}' is not 3 to 12 characters of A-Z, 0-9 and _"),
        ("POINTS\n", "0", "'POINTS\\n' is not 3 to 12 characters of A-Z, 0-9 and _"),
        ("POINTS", "19", "--scale must be from 0 to 18"),
        ("POINTS", "-1", "--scale must be from 0 to 18"),
    ],
)
def test_a_currency_that_cannot_be_registered_is_refused(koshel: Koshel, code: str, scale: str, said: str) -> None:
    ended = koshel("currency", "add", code, "--scale", scale, database_url=UNREACHABLE)
    assert (ended.status, ended.complained) == (1, f"koshel: {said}\n")


@pytest.mark.parametrize(("arguments", "status"), [(["verify"], 2), (["currency", "list"], 1)])
def test_a_database_without_a_schema_wants_to_be_migrated(
    koshel: Koshel, cluster: Cluster, arguments: list[str], status: int
) -> None:
    ended = koshel(*arguments, database_url=cluster.url(database="template1"))
    assert ended.status == status
    assert ended.complained == "koshel: the database has no schema yet; run `koshel migrate`\n"


@pytest.mark.parametrize(
    "arguments", [["currency", "list"], ["migrate", "--check"], ["psql"], ["verify"]], ids=" ".join
)
def test_only_serving_and_migrating_make_a_database(
    koshel: Koshel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = koshel(*arguments)
    assert (ended.status, ended.printed) == (2 if arguments in LOOKING else 1, "")
    assert ended.complained.startswith("koshel: there is no database: KOSHEL_DATABASE_URL is not set")
    assert "./.koshel" in ended.complained
    assert ended.complained.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_openapi_prints_what_is_on_file(koshel: Koshel) -> None:
    ended = koshel("openapi")
    assert (ended.status, ended.printed) == (0, generate.OPENAPI.read_text())


def test_serving_with_a_currency_that_nobody_knows_says_so(database: Database) -> None:
    ended = command.run("serve", port="0", currency="POINTS", database_url=database.service_url)
    assert ended.returncode == 1
    assert ended.stderr.startswith("koshel: KOSHEL_CURRENCY: POINTS is neither")


def test_serving_on_a_port_in_use_says_so_in_one_line(database: Database) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = command.run("serve", port=str(port), database_url=database.service_url)
    assert ended.returncode == 1
    assert ended.stderr.startswith("koshel: ")
    assert "Address already in use" in ended.stderr
    assert str(port) in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_serving_without_the_right_to_migrate_says_so_in_one_line(cluster: Cluster) -> None:
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE test_unmigrated")
        try:
            url = cluster.url("koshel_service", "test_unmigrated")
            ended = command.run("serve", port="0", database_url=url)
        finally:
            connection.execute("DROP DATABASE test_unmigrated WITH (FORCE)")
    assert ended.returncode == 1
    assert "permission denied" in ended.stderr
    assert ended.stderr.count("\n") == 1
