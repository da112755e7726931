"""What the commands have in common: each that opens a database is told in the same words where it is."""

import argparse
from collections.abc import Iterator

import pytest

from koshel.command_line.arguments import command_line
from koshel.command_line.file_arguments import WHERE
from tests.support.bookkeeping import execute
from tests.support.database import Database
from tests.support.ended import Koshel

ALONE = {"koshel top", "koshel openapi"}  # without a database
FOR_ITSELF = {"koshel url"}  # of the embedded one only


def commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """All that run something."""
    inner = [action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for choices in inner:
        for one in choices.values():
            yield from commands(one)
    if not inner:
        yield parser


EVERY = {one.prog: one for one in commands(command_line())}


@pytest.mark.parametrize("name", sorted(set(EVERY) - ALONE - FOR_ITSELF))
def test_every_command_that_opens_a_database_is_told_where_it_is(name: str) -> None:
    flags = set(EVERY[name]._option_string_actions)
    assert {f"--{one.replace('_', '-')}" for one in WHERE} <= flags


@pytest.mark.parametrize("name", sorted(ALONE))
def test_no_other_command_asks_where_a_database_is(name: str) -> None:
    flags = set(EVERY[name]._option_string_actions)
    assert not {f"--{one.replace('_', '-')}" for one in WHERE} & flags


@pytest.mark.parametrize(
    "arguments",
    [
        ["ledger", "list"],
        ["key", "create", "--scope", "read"],
        ["currency", "list"],
        ["verify"],
        ["volume"],
        ["migrate", "--check"],
        ["export", "accounts", "--output", "-"],
    ],
    ids=" ".join,
)
def test_the_schema_that_is_named_is_the_one_that_is_used(
    koshel: Koshel, database: Database, arguments: list[str]
) -> None:
    execute(database.owner_url, "ALTER SCHEMA koshel RENAME TO wallet")
    assert koshel(*arguments, "--schema", "wallet", database_url=database.owner_url).status == 0
    missing = koshel(*arguments, "--schema", "koshel", database_url=database.owner_url)
    assert missing.status != 0
