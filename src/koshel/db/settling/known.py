"""The accounts that a process knows, with names and currencies. None is deleted or changes them: they stay true."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from koshel.core.commands import UNRESOLVED, Move
from koshel.core.names import QualifiedName, with_sides
from koshel.core.reach import QualifiedId

KNOWN_MAX = 100_000  # accounts; some megabytes
NAMES_MAX = 100_000  # some tens of megabytes
_NONE: Mapping[str, int] = {}


class AccountNames:
    """Ids by ledger id and name, of accounts whose rows are committed: a name never changes, so they stay true.

    It is bounded: of two halves it forgets the older when the younger is full.
    """

    def __init__(self, most: int = NAMES_MAX) -> None:
        self._half = most // 2
        self._count = 0  # of the younger
        # By ledger id: a tuple would be one more thing to make, and to compare, for each name of each transfer.
        self._young: dict[int, dict[str, int]] = {}
        self._old: dict[int, dict[str, int]] = {}

    def find(self, wanted: Iterable[QualifiedName]) -> dict[QualifiedName, int]:
        """The ids of those of these names that are known."""
        found = {}
        for one in wanted:
            ledger_id, name = one
            id_ = self._young.get(ledger_id, _NONE).get(name)
            if id_ is None and (id_ := self._old.get(ledger_id, _NONE).get(name)) is not None:
                self.add({one: id_})
            if id_ is not None:
                found[one] = id_
        return found

    def with_ids(self, move: Move) -> Move | None:
        """The move with the ids of the accounts that it names; None if one was not met, or not of late."""
        source_id, target_id = move.source_account_id, move.target_account_id
        young = self._young.get(move.ledger_id, _NONE)
        if move.source is not None:
            source_id = young.get(move.source, UNRESOLVED)
        if move.target is not None:
            target_id = young.get(move.target, UNRESOLVED)
        return None if UNRESOLVED in (source_id, target_id) else with_sides(move, source_id, target_id)

    def add(self, found: Mapping[QualifiedName, int]) -> None:
        """These are known from now on."""
        if self._count + len(found) > self._half:
            self._old, self._young, self._count = self._young, {}, 0
        self._count += len(found)
        for (ledger_id, name), id_ in found.items():
            self._young.setdefault(ledger_id, {})[name] = id_


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
