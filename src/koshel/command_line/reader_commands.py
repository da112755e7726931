"""The commands that let a role of PostgreSQL read a single ledger, or no more.

As in `commands`, each imports what it needs when it is run.
"""

import sys
from typing import TYPE_CHECKING

from koshel.command_line.commands import CommandError, Options, opened
from koshel.config.settings import Settings

if TYPE_CHECKING:
    from koshel.db.starting.databases import Database


def grant_ledger(chosen: Settings, options: Options) -> int:
    """Let a role read the rows of a ledger."""
    from koshel.db.starting import policies

    name, role = options["name"], options["role"]
    with opened(chosen) as at:
        policies.grant(at.owner_url, chosen.schema, role, _ledger_id(chosen, at, name))
    sys.stdout.write(f"{role}: reads the ledger {name}\n")
    return 0


def revoke_ledger(chosen: Settings, options: Options) -> int:
    """Let it read them no more."""
    from koshel.db.starting import policies

    name, role = options["name"], options["role"]
    with opened(chosen) as at:
        if not policies.revoke(at.owner_url, chosen.schema, role, _ledger_id(chosen, at, name)):
            raise CommandError(f"the database role {role!r} is not a reader of the ledger {name}")
    sys.stdout.write(f"{role}: reads the ledger {name} no more\n")
    return 0


def _ledger_id(chosen: Settings, at: "Database", name: str) -> int:
    import asyncio

    from koshel.db.access import ledgers
    from koshel.db.starting import once

    found = asyncio.run(
        once.transact(at.owner_url, lambda connection, q: ledgers.find(connection, q, name), schema=chosen.schema)
    )
    if found is None:
        raise CommandError(f"there is no ledger {name!r}; `koshel ledger list` shows all")
    return found.id
