"""Pages of accounts: in the order of their ids, or of their names where these are asked for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from koshel.core.model import AccountDetails
from koshel.db import rows
from koshel.db.pages import Ask, Keyed, entries, page
from koshel.db.queries import Queries
from koshel.db.wanted import ID_MAX, AccountPosition, AccountsWanted, Listed, NotIndexed

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

_BEGIN = {"desc": AccountPosition(ID_MAX, "\x7f"), "asc": AccountPosition(0, "")}
_PREFIX = "*"
_LAST, _FIRST = "\x7f", "\x01"  # characters that sort after, and before, every one that a name can have


async def accounts(
    connection: "AnyConnection", q: Queries, ledger_id: int, wanted: AccountsWanted, ask: Ask
) -> Listed[AccountDetails, AccountPosition]:
    """A page of accounts. Raises NotIndexed."""
    begin, end = _names(wanted.name)
    query, value = _query(q, wanted)
    statement = ask.turned(query)

    async def keys(position: AccountPosition, count: int) -> Sequence[Keyed]:
        if wanted.name is not None:
            return await connection.fetch(statement, ledger_id, position.name, count, begin, end)
        return await connection.fetch(statement, ledger_id, position.id, count, *value)

    async def details(found: Sequence[Keyed]) -> dict[int, AccountDetails]:
        ids = [key["id"] for key in found]
        narrow = (wanted.email, wanted.currency, wanted.status, begin, end, entries(wanted.metadata))
        given = await connection.fetch(q.find_listed_accounts, ledger_id, ids, *narrow)
        return {row["id"]: rows.account_details(row) for row in given}

    begun = replace(ask, start=_BEGIN[ask.order]) if ask.start is None else ask
    return await page(keys, details, _after, begun)


def _after(_: AccountPosition, key: Keyed) -> AccountPosition:
    return AccountPosition(key["id"], key["name"] or "")


def _query(q: Queries, wanted: AccountsWanted) -> tuple[str, Sequence[str]]:
    """The statement that gives the keys, and what it has to know besides. Raises NotIndexed."""
    if wanted.name is not None:
        return q.list_accounts_of_name, ()
    if wanted.email is not None:
        return q.list_accounts_of_email, (wanted.email,)
    if wanted.currency is not None:
        return q.list_accounts_of_currency, (wanted.currency,)
    if wanted.status is not None:
        return q.list_accounts_of_status, (wanted.status,)
    if wanted.metadata:
        raise NotIndexed(["metadata"], ["name", "email", "currency", "status"])
    return q.list_accounts, ()


def _names(name: str | None) -> tuple[str | None, str | None]:
    """From which name on, and before which."""
    if name is None:
        return None, None
    if name.endswith(_PREFIX):
        return name[:-1], name[:-1] + _LAST
    return name, name + _FIRST
