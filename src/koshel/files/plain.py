"""Plain lines, a thousand of them at a time: read and checked together, which takes a third of the time.

A line is plain if it asks for a transfer between accounts that it names, says of it no more than a currency, a
reference and a description, and nothing is wrong with it. So no fault is said here: if a line is not plain, it and
those beside it are read and checked one by one, as any line can be.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import chain, starmap
from typing import Any

from koshel.core.commands import Kind, Move
from koshel.db.import_lookups import Account
from koshel.files.accounts import Accounts
from koshel.files.keys import Keys
from koshel.files.lines import Line, Read
from koshel.files.wishes import TransactionWish
from koshel.inputs.labels import DESCRIPTION_MAX, REFERENCE_MAX
from koshel.inputs.values import AMOUNT_PATTERN

_ASKED = frozenset({"source", "target", "amount"})
_KNOWN = _ASKED | {"currency", "reference", "description"}
_TEXT_MAX = min(REFERENCE_MAX, DESCRIPTION_MAX)

_is_amount = re.compile(AMOUNT_PATTERN).fullmatch


class Plain:
    """Reads plain lines of one file into one ledger; all other lines of it have the same accounts and keys."""

    def __init__(self, ledger_id: int, accounts: Accounts, keys: Keys) -> None:
        self._ledger_id = ledger_id
        self._accounts = accounts
        self._keys = keys

    async def transactions(self, lines: Sequence[Read]) -> Sequence[TransactionWish] | None:
        """What these lines ask for, with the ids of the accounts; None if one of them is not plain."""
        plain = [line for line in lines if type(line) is Line]
        said = [line.values for line in plain]
        if len(plain) < len(lines) or not _are_plain(said):
            return None
        await self._accounts.look_up({*[one["source"] for one in said], *[one["target"] for one in said]})
        met = self._accounts.met
        asked = [(one, met.get(one["source"]), met.get(one["target"]), Decimal(one["amount"])) for one in said]
        if not all(starmap(self._is_possible, asked)):
            return None
        moves = starmap(self._move, asked)
        return [
            TransactionWish(line.number, move, line.values.get("currency"), has_own_key=False, by_content=True)
            for line, move in zip(plain, moves, strict=True)
        ]

    def _is_possible(
        self, said: Mapping[str, str], source: Account | None, target: Account | None, amount: Decimal
    ) -> bool:
        """Whether the ledger refuses it at most because of what its accounts have by then."""
        if source is None or target is None or source.id == target.id or not (source.is_open and target.is_open):
            return False
        currency = source.currency
        if target.currency != currency or said.get("currency", currency) != currency:
            return False
        return amount > 0 and not self._accounts.is_too_fine(amount, currency)

    def _move(self, said: Mapping[str, str], source: Account, target: Account, amount: Decimal) -> Move:
        return Move(
            self._ledger_id,
            Kind.TRANSFER,
            source.id,
            target.id,
            amount,
            self._keys.key_of_texts(said),
            source.name,
            target.name,
            reference=said.get("reference"),
            description=said.get("description"),
        )


def _are_plain(said: Sequence[Mapping[str, Any]]) -> bool:
    """Whether these lines have the columns of plain ones, and texts in them that can stand there."""
    if not (_KNOWN.issuperset(chain(*said)) and all(map(_ASKED.issubset, said))):
        return False
    texts = [*chain(*[one.values() for one in said])]
    if {*map(type, texts)} != {str} or not all(texts) or max(map(len, texts)) > _TEXT_MAX:
        return False
    return "".join(texts).isprintable() and all(_is_amount(one["amount"]) for one in said)
