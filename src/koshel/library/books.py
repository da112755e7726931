"""The books of a ledger, for a program: lists, lines, balances and sums. Lists are read page by page, as they are used.

async for line in ledger.lines("@users:42", since=...):
print(line.version, line.change, line.balance)
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any, get_args

from koshel.asking.checks import checked_id
from koshel.core.commands import Kind, Status
from koshel.core.originals import TransactionStatus
from koshel.db.reading import account_lists, totals, transaction_lists
from koshel.db.reading.filter_fields import ACCOUNT_FIELDS, TRANSACTION_FIELDS
from koshel.db.reading.totals import Totals
from koshel.db.reading.wanted import AccountsWanted, TransactionsWanted
from koshel.inputs import moments, values
from koshel.inputs.labels import Labels, given
from koshel.inputs.moments import Moment
from koshel.inputs.texts import AccountRef
from koshel.inputs.values import Invalid
from koshel.library import results
from koshel.library.account_books import AccountBooks
from koshel.library.results import Account, Promise, Transaction


class Books(AccountBooks):
    """What can be read of a ledger besides a single account or transaction; who inherits it says over what.

    Each raises Misuse for what can never be asked, and StoreError. A list that no index finds is Invalid.
    """

    async def transactions(
        self,
        *,
        account: AccountRef | None = None,
        kind: Kind | str | None = None,
        status: TransactionStatus | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        group_id: int | None = None,
        parent_id: int | None = None,
        key: str | None = None,
        reference: str | None = None,
        effective_on: date | str | None = None,
        metadata: Mapping[str, str] | None = None,
        filter: str | None = None,  # noqa: A002  as it is called over HTTP
        newest_first: bool = True,
    ) -> AsyncIterator[Transaction | Promise]:
        """The transactions that are as they are wanted: posted ones, and what is queued, declined or cancelled.

        In the order of time: from `since` on, and before `until`. `metadata`: entries that they have. `filter`:
        comparisons, as docs/filters.md has them.
        """
        self._life.check()
        begin, end = moments.between(since, until)
        labels = values.fields(given({"reference": reference, "effective_on": effective_on}), Labels)
        wanted = TransactionsWanted(
            kind=None if kind is None else _one_of(Kind, kind, "kind"),
            status=_status(status),
            since=begin,
            until=end,
            group_id=None if group_id is None else checked_id(group_id, "group_id"),
            parent_id=None if parent_id is None else checked_id(parent_id, "parent_id"),
            idempotency_key=values.fields({"key": key}).key,
            account_id=None if account is None else await self._id_of(account),
            reference=labels.reference,
            effective_on=labels.effective_on,
            metadata=_entries(metadata),
        )
        if wanted.account_id == 0:
            await self._parsed(filter, TRANSACTION_FIELDS)
            return
        look = transaction_lists.transactions
        pages = self._walk(look, wanted, newest_first=newest_first, fields=TRANSACTION_FIELDS, filter_=filter)
        async for found in pages:
            yield results.read(found)

    async def accounts(
        self,
        *,
        email: str | None = None,
        currency: str | None = None,
        status: Status | str | None = None,
        name: str | None = None,
        metadata: Mapping[str, str] | None = None,
        filter: str | None = None,  # noqa: A002  as it is called over HTTP
        newest_first: bool = True,
    ) -> AsyncIterator[Account]:
        """The accounts that are as they are wanted. `name` may end in `*`: then in the order of their names."""
        self._life.check()
        wanted = AccountsWanted(
            email=None if email is None else values.kept_email(email),
            currency=currency,
            status=None if status is None else _one_of(Status, status, "status").value,
            name=name,
            metadata=_entries(metadata),
        )
        if currency is not None:
            values.fields({"currency": currency})
        if name is not None and name != "*":
            values.fields({"name": str(name).removesuffix("*")})
        look = account_lists.accounts
        pages = self._walk(look, wanted, newest_first=newest_first, fields=ACCOUNT_FIELDS, filter_=filter)
        async for details in pages:
            yield results.account(details)

    async def totals(self) -> Sequence[Totals]:
        """What the ledger has, by currency, from one snapshot: all of its accounts are read for it."""
        self._life.check()
        ledger_id = self.requests.ledger_id
        look = partial(totals.of_ledger, ledger_id=ledger_id, at_length=self._reads.owns_connections)
        return await self._reads.look_up(ledger_id, look)


def _entries(metadata: Mapping[str, str] | None) -> Mapping[str, str]:
    given = dict(metadata) if isinstance(metadata, Mapping) else metadata
    found: Mapping[str, str] = values.fields({"metadata": {} if given is None else given}).metadata
    return found


def _one_of(kind: Any, value: Any, field: str) -> Any:
    try:
        return kind(value)
    except ValueError:
        raise Invalid(field, f"must be one of {', '.join(kind)}") from None


def _status(value: TransactionStatus | None) -> TransactionStatus | None:
    if value is not None and value not in get_args(TransactionStatus):
        raise Invalid("status", f"must be one of {', '.join(get_args(TransactionStatus))}")
    return value
