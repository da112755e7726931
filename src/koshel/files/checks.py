"""What can be known of the lines of a file before anything is written, a thousand of them at a time."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from functools import partial

from msgspec import UNSET
from msgspec.structs import replace

from koshel.asking.requests import Requests
from koshel.core.commands import Move
from koshel.core.names import with_sides
from koshel.db import import_lookups
from koshel.db.reads import Reads
from koshel.files.accounts import Accounts, Side
from koshel.files.faults import Fault
from koshel.files.keys import Once
from koshel.files.refused import refused
from koshel.files.wishes import AccountWish, TransactionWish, Wish, has_ids
from koshel.inputs.texts import AT
from koshel.submit import rehearsed


class Checks:
    """The checks of one file, from its first line to its last."""

    def __init__(self, reads: Reads, requests: Requests, accounts: Accounts) -> None:
        self._reads = reads
        self._requests = requests
        self._rehearse = rehearsed(reads)
        self._once = Once()
        self._accounts = accounts

    async def faults(self, wishes: Sequence[Wish]) -> list[Fault]:
        """What is wrong with the next lines."""
        accounts = [one for one in wishes if isinstance(one, AccountWish)]
        transactions = [one for one in wishes if isinstance(one, TransactionWish)]
        found = [*await self._of_accounts(accounts), *await self._of_transactions(transactions)]
        return sorted(found, key=lambda fault: fault.line)

    def with_ids(self, wishes: Sequence[Wish]) -> Sequence[Wish]:
        """The same lines, without faults: with the ids of accounts that were only met when they were looked up."""
        return [self._with_ids(one) if isinstance(one, TransactionWish) else one for one in wishes]

    def _with_ids(self, one: TransactionWish) -> TransactionWish:
        if has_ids(one.move):
            return one
        source, target = map(self._accounts.met.get, _sides(one.move))
        ids = [None if account is None else account.id for account in (source, target)]
        return replace(one, move=with_sides(one.move, *ids))

    async def _of_accounts(self, wishes: Sequence[AccountWish]) -> list[Fault]:
        await self._accounts.learn_scales({one.currency for one in wishes})
        await self._accounts.look_up({one.opening.name for one in wishes if one.opening.name is not None})
        there = [one for one in wishes if one.opening.name in self._accounts.met]
        brought = {one.key for one in there if one.balance}
        taken = brought - await self._answered(brought)
        faults = [fault for one in wishes for fault in self._of_account(one, is_taken=one.key in taken)]
        return faults + await self._refused(there, faults)

    def _of_account(self, one: AccountWish, *, is_taken: bool) -> Iterator[Fault]:
        opening = one.opening
        if opening.name is not None and not self._once.is_new(opening.name):
            yield Fault(one.line, "name", f"is that of another line too: {opening.name}")
        if is_taken:
            yield Fault(
                one.line,
                "name",
                f"is that of an account that was opened otherwise: {opening.name}; leave its balance out",
            )
        if one.currency not in self._accounts.scales:
            yield Fault(one.line, "currency", f"is not known: {one.currency}")
            return
        yield from self._too_fine(one.line, "balance", one.balance, one.currency)
        floor = Decimal(0) if opening.min_balance is UNSET else opening.min_balance
        ceiling = self._requests.terms.max_balance if opening.max_balance is UNSET else opening.max_balance
        if one.balance < floor:
            yield Fault(one.line, "balance", f"is less than min_balance, {floor}")
        if ceiling is not None and one.balance > ceiling:
            yield Fault(one.line, "balance", f"is more than max_balance, {ceiling}")

    async def _of_transactions(self, wishes: Sequence[TransactionWish]) -> list[Fault]:
        await self._accounts.look_up({side for one in wishes for side in _sides(one.move)})
        faults = [fault for one in wishes for fault in self._of_transaction(one)]
        known = await self._answered({one.move.key for one in wishes if one.has_own_key and one.move.key is not None})
        shut = self._accounts.shut
        odd = [one for one in wishes if one.move.key in known or not shut.isdisjoint(_sides(one.move))]
        return faults + await self._refused(odd, faults)

    async def _refused(self, wishes: Sequence[Wish], faults: Sequence[Fault]) -> list[Fault]:
        """What would be refused of those lines that have no fault yet."""
        wrong = {fault.line for fault in faults}
        return await refused([one for one in wishes if one.line not in wrong], self._requests, self._rehearse)

    def _of_transaction(self, one: TransactionWish) -> Sequence[Fault]:
        move, found = one.move, list[Fault]()
        if one.has_own_key and move.key is not None and not self._once.is_new(move.key):
            found.append(Fault(one.line, "idempotency_key", f"is that of another line too: {move.key}"))
        source, target = map(self._accounts.met.get, _sides(move))
        if source is None and move.source_account_id is not None:
            return [*found, _not_there(one.line, "source", move.source_account_id, move.source)]
        if target is None and move.target_account_id is not None:
            return [*found, _not_there(one.line, "target", move.target_account_id, move.target)]
        either = source or target
        assert either is not None, "money comes from an account, or goes to one"
        currency = either.currency
        if source is not None and target is not None and source.id == target.id:
            return [*found, Fault(one.line, "target", "is the source too")]
        if target is not None and target.currency != currency:
            found.append(Fault(one.line, "target", f"has {target.currency}, but the source has {currency}"))
        elif one.currency not in (None, currency):
            found.append(Fault(one.line, "currency", f"is {one.currency}, but the account has {currency}"))
        return [*found, *self._too_fine(one.line, "amount", move.amount, currency)]

    def _too_fine(self, line: int, column: str, amount: Decimal, currency: str) -> Sequence[Fault]:
        if not self._accounts.is_too_fine(amount, currency):
            return ()
        scale = self._accounts.scales[currency]
        return (Fault(line, column, f"has more decimals than {currency}, which has {scale}"),)

    async def _answered(self, keys: AbstractSet[str]) -> AbstractSet[str]:
        """Those of these keys that have answered something."""
        if not keys:
            return keys
        ledger_id = self._requests.ledger_id
        look = partial(import_lookups.answered_keys, ledger_id=ledger_id, keys=keys)
        return await self._reads.look_up(ledger_id, look)


def _sides(move: Move) -> tuple[Side, Side]:
    return (
        move.source_account_id if move.source is None else move.source,
        move.target_account_id if move.target is None else move.target,
    )


def _not_there(line: int, side: str, id_: int, name: str | None) -> Fault:
    return Fault(line, side, f"is no account of the ledger: {id_ if name is None else AT + name}")
