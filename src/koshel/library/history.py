"""What is said of an answer that needs transactions which are archived."""

from collections.abc import Mapping
from typing import Final

from koshel.db.errors import HistoryArchived
from koshel.errors import Refused
from koshel.inputs import moments

ARCHIVED: Final = "history-archived"


def facts(error: HistoryArchived) -> dict[str, str | int]:
    """What the problem says of itself."""
    account = {} if error.account_id is None else {"account_id": error.account_id}
    since = {} if error.readable_since is None else {"readable_since": moments.text(error.readable_since)}
    return {**account, **since}


def sentence(said: Mapping[str, str | int]) -> str:
    """The same for people."""
    account, since = said.get("account_id"), said.get("readable_since")
    of_account = "" if account is None else f" of account {account}"
    from_then = "" if since is None else f" From {since} on nothing is missing."
    return f"Transactions{of_account} that the answer needs are in an archived partition.{from_then}"


def refused(error: HistoryArchived) -> Refused:
    """The exception for a program."""
    return Refused(ARCHIVED, facts(error))
