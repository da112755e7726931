"""The names that drawn commands ask for, and the commands with the ids that these stand for."""

from koshel.core.commands import Command
from koshel.core.model import Book
from koshel.core.names import resolved
from tests.support.histories import IDS

# Those of accounts, of one that may be opened, and one that nobody has.
NAMES = ("users:1", "users:2", "users:3", "users:new", "users:new", "nobody")
NEW = {(1, "users:new"): 301, (2, "users:new"): 302}
NEW |= {(ledger_id, f"users:{id_}"): 300 + 10 * ledger_id + id_ for ledger_id in (1, 2) for id_ in IDS}


def resolved_in(book: Book, command: Command) -> Command:
    """A name stands for the account of the book that has it, in its ledger; or else for one that may be opened."""
    found = {(one.ledger_id, one.name): one.id for one in book.state.accounts.values() if one.name is not None}
    changed: Command = resolved(command, found, NEW)
    return changed
