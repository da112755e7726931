"""The store's reads, for one caller: they wait in the turn of the caller's share."""

from collections.abc import Awaitable, Callable, Collection, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from koshel.db.facts import Facts
from koshel.db.row_security import confined
from koshel.db.store import Store
from koshel.shares import Share

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection
    from koshel.db.reads import Work

T = TypeVar("T")


class SharedReads(Facts):
    """Made for a request; it has nothing of its own but the share."""

    def __init__(self, store: Store, share: Share) -> None:
        self._store = store
        self._share = share
        self.rehearsals = store.rehearsals
        self.namespace = store.namespace

    async def transact(self, ledger_ids: Collection[int], work: "Work[T]") -> T:
        """What the work returns, once it is committed: of what moves no money. Raises StoreError."""
        return await self._store.transact(ledger_ids, work, share=self._share)

    async def rehearse(self, call: Callable[[], Coroutine[Any, Any, T]], *, weight: int) -> T:
        """What the call, which settles in `rehearsals`, returns, once it is admitted. Raises Crowded."""
        return await self._store.rehearse(call, weight=weight, share=self._share)

    async def _read(
        self, ledger_id: int | None, look: "Callable[[AnyConnection], Awaitable[T]]", *, weight: int = 1
    ) -> T:
        return await self._store.lend(
            lambda one: confined(one, self.namespace, ledger_id, look), weight=weight, share=self._share
        )
