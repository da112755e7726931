"""The accounts that a process knows, with names and currencies. None is deleted or changes them: they stay true."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from koshel.core.commands import UNRESOLVED, Move
from koshel.core.names import QualifiedName, with_sides
from koshel.core.reach import QualifiedId

KNOWN_MAX = 100_000  # accounts; some megabytes
NAMES_MAX = 100_000  # some tens of megabytes


class AccountNames:
    """Ids by ledger id and name, of accounts whose rows are committed: a name never changes, so they stay true.

    It is bounded: of two halves it forgets the older when the younger is full.
    """

    def __init__(self, most: int = NAMES_MAX) -> None:
        self._half = most // 2
        self._young: dict[QualifiedName, int] = {}
        self._old: dict[QualifiedName, int] = {}

    def find(self, wanted: Iterable[QualifiedName]) -> dict[QualifiedName, int]:
        """The ids of those of these names that are known."""
        found = {}
        for name in wanted:
            id_ = self._young.get(name)
            if id_ is None and (id_ := self._old.get(name)) is not None:
                self.add({name: id_})
            if id_ is not None:
                found[name] = id_
        return found

    def with_ids(self, move: Move) -> Move | None:
        """The move with the ids of the accounts that it names; None if one was not met, or not of late."""
        ledger_id, source, target = move.ledger_id, move.source, move.target
        source_id = move.source_account_id if source is None else self._young.get((ledger_id, source), UNRESOLVED)
        target_id = move.target_account_id if target is None else self._young.get((ledger_id, target), UNRESOLVED)
        return None if UNRESOLVED in (source_id, target_id) else with_sides(move, source_id, target_id)

    def add(self, found: Mapping[QualifiedName, int]) -> None:
        """These are known from now on."""
        if len(self._young) + len(found) > self._half:
            self._old, self._young = self._young, {}
        self._young |= found


class Known:
    """Ledger ids by account id. It is bounded: it forgets all when it is full, and learns again."""

    def __init__(self) -> None:
        self._ledgers: dict[int, int] = {}
        self.names = AccountNames()
        self.currencies: dict[QualifiedId, str] = {}  # of accounts that money was exchanged of, by ledger id and id

    def add_currencies(self, found: Mapping[QualifiedId, str]) -> None:
        """These accounts are in these currencies."""
        if len(self.currencies) > KNOWN_MAX:
            self.currencies.clear()
        self.currencies |= found

    def add(self, accounts: Mapping[int, int]) -> None:
        """These accounts exist, each in its ledger."""
        if len(self._ledgers) > KNOWN_MAX:
            self._ledgers.clear()
        self._ledgers |= accounts

    def those_unknown(self, ids: Iterable[int]) -> AbstractSet[int]:
        """Those of the ids that are not known."""
        return set(ids).difference(self._ledgers)  # of a dictionary itself: several times faster than of its keys

    def has_all(self, accounts: Mapping[int, AbstractSet[int]]) -> bool:
        """Whether it is known of each of the ids that it is an account of the ledger under which it stands."""
        ledgers = self._ledgers
        for ledger_id, ids in accounts.items():
            for id_ in ids:
                if ledgers.get(id_) != ledger_id:
                    return False
        return True

    def ledger(self, account_id: int) -> int | None:
        """The account's ledger; None if the account is not known."""
        return self._ledgers.get(account_id)
