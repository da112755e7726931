"""The accounts that the lines of a file name, as they are looked up, and the decimals of their currencies."""

from collections.abc import Set as AbstractSet
from decimal import Decimal
from functools import partial
from typing import TypeAlias

from koshel.core.money import ZEROS
from koshel.db import import_lookups
from koshel.db.import_lookups import Account
from koshel.db.reads import Reads
from koshel.db.settling import currencies
from koshel.inputs.texts import Asked

_REMEMBERED_MAX = 100_000  # ids and names of accounts; beyond that they are looked up again

Side: TypeAlias = int | str | None  # an account's id, or its name if it is asked for by that; None: the world outside


class Accounts:
    """Those of one ledger that have been met."""

    def __init__(self, reads: Reads, ledger_id: int) -> None:
        self._reads = reads
        self._ledger_id = ledger_id
        self._currencies = set[str]()
        self.met: dict[Side, Account] = {}  # by id, and by name, which never changes
        self.asked: dict[str, Asked] = {}  # by name: what a line that names it asks for
        self.shut = set[Side]()  # ids and names of those that are frozen or closed
        self.scales: dict[str, int] = {}  # by currency code

    async def look_up(self, sides: AbstractSet[Side]) -> None:
        """Look accounts up that are not remembered; those that there are have been met then."""
        if len(self.met) > _REMEMBERED_MAX:
            self.met.clear()
            self.asked.clear()
            self.shut.clear()
        unknown = sides - self.met.keys()
        names = {side for side in unknown if isinstance(side, str)}
        ids = {side for side in unknown if isinstance(side, int)}
        if ids or names:
            look = partial(import_lookups.accounts_of, ledger_id=self._ledger_id, ids=ids, names=names)
            for account in await self._reads.look_up(self._ledger_id, look):
                self._meet(account)
        await self.learn_scales(self._currencies)

    def is_too_fine(self, amount: Decimal, currency: str) -> bool:
        """Whether the amount has more decimals than the currency, zeros at their end left out."""
        scale = self.scales[currency]
        if amount.same_quantum(ZEROS[scale]):  # as nearly all are
            return False
        decimals = f"{amount:f}".partition(".")[2]
        return len(decimals) > scale and len(decimals.rstrip("0")) > scale

    def _meet(self, account: Account) -> None:
        self._currencies.add(account.currency)
        sides: list[Side] = [account.id] if account.name is None else [account.id, account.name]
        self.met.update(dict.fromkeys(sides, account))
        if account.name is not None:
            self.asked[account.name] = account.id, account.name
        if not account.is_open:
            self.shut.update(sides)

    async def learn_scales(self, codes: AbstractSet[str]) -> None:
        """Look the decimals of currencies up that are not known."""
        if unknown := codes - self.scales.keys():
            look = partial(currencies.scales, codes=unknown)
            self.scales |= await self._reads.look_up(self._ledger_id, look)
