"""The exchange accounts that exchanges need: those of their accounts' currencies, which never change."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from koshel.core.accounts import currency_of
from koshel.core.commands import Group, Opening
from koshel.core.exchange import account_name
from koshel.core.exchanging import Exchange
from koshel.core.names import AccountIds, QualifiedName, names
from koshel.core.reach import QualifiedId
from koshel.db.mapping import columns
from koshel.db.queries import Queries
from koshel.db.settling.known import Known

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection


async def currencies(
    connection: "AnyConnection", q: Queries, known: Known, exchanges: Iterable[Exchange]
) -> dict[QualifiedId, str]:
    """The currencies of the accounts that they exchange between, of those that there are."""
    wanted = {place for one in exchanges for place in _sides(one)}
    found = {place: known.currencies[place] for place in wanted if place in known.currencies}
    if missing := wanted - found.keys():
        rows = await connection.fetch(q.find_shown, *columns.pairs(missing))
        read = {(row["ledger_id"], row["id"]): row["currency"] for row in rows}
        known.add_currencies(read)
        found |= read
    return found


def needed(
    exchange: Exchange, currencies: Mapping[QualifiedId, str], commands: Iterable[Any], new: AccountIds
) -> dict[str, QualifiedName]:
    """The names of the exchange accounts that it may need, by currency.

    `new` are ids of accounts that `commands` may open: such an account has the currency that one of the openings says.
    """
    own = {currencies[place] for place in _sides(exchange) if place in currencies}
    if any(id_ in new.values() for _, id_ in _sides(exchange)):
        own.update(currency_of(one) for one in _openings(commands) if one.ledger_id == exchange.ledger_id)
    return {currency: (exchange.ledger_id, account_name(currency)) for currency in sorted(own)}


def add_named(exchanges: Sequence[Exchange], needed: Sequence[dict[str, QualifiedName]]) -> None:
    """In place: an exchange of an exchange account, which another one may open, needs that one of its currency."""
    currencies = {name: currency for each in needed for currency, name in each.items()}
    for one, each in zip(exchanges, needed, strict=True):
        each |= {currencies[name]: name for name in names(one) if name in currencies}


def resolved(exchange: Exchange, needed: Mapping[str, QualifiedName], ids: AccountIds) -> Exchange:
    """The exchange with the ids of these exchange accounts."""
    return replace(exchange, exchange_accounts=tuple((currency, ids[name]) for currency, name in needed.items()))


def _sides(exchange: Exchange) -> set[QualifiedId]:
    return {(exchange.ledger_id, id_) for id_ in (exchange.source_account_id, exchange.target_account_id)}


def _openings(commands: Iterable[Any]) -> Iterator[Opening]:
    for command in commands:
        if isinstance(command, Group):
            yield from _openings(command.members)
        elif isinstance(command, Opening):
            yield command
