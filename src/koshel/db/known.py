"""The accounts that a process knows to exist. An account is never deleted, so what was true once stays true."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

KNOWN_MAX = 100_000  # accounts; some megabytes


class Known:
    """Ledger ids by account id. It is bounded: it forgets all when it is full, and learns again."""

    def __init__(self) -> None:
        self._ledgers: dict[int, int] = {}

    def add(self, accounts: Mapping[int, int]) -> None:
        """These accounts exist, each in its ledger."""
        if len(self._ledgers) > KNOWN_MAX:
            self._ledgers.clear()
        self._ledgers |= accounts

    def those_unknown(self, ids: AbstractSet[int]) -> AbstractSet[int]:
        """Those of the ids that are not known."""
        return set(ids).difference(self._ledgers)  # of a dictionary itself: several times faster than of its keys

    def ledger(self, account_id: int) -> int | None:
        """The account's ledger; None if the account is not known."""
        return self._ledgers.get(account_id)
