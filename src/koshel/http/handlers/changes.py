"""What was changed, and when: of an account itself, and of the notes on a transaction."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from koshel.core.labelled import Metadata
from koshel.core.money import plain
from koshel.db.queries import Queries
from koshel.db.reading import changes
from koshel.db.reading.pages import Ask
from koshel.db.reads import weight_of
from koshel.http.bodies import wire
from koshel.http.bodies.wire import Time
from koshel.http.call import Call, Reply
from koshel.http.handlers.accounts import account_in_path
from koshel.http.handlers.following import transaction_id
from koshel.http.handlers.lines import account_of
from koshel.http.pages import Lists, Next, NoFilters, PageQuery
from koshel.http.problems import account_not_found, transaction_not_found
from koshel.http.route import Route

if TYPE_CHECKING:
    from koshel.db.pools import AnyConnection

_PAIR = Meta(min_length=2, max_length=2, description="The values before the change and after it.")
Texts = Annotated[Sequence[str | None], _PAIR]


class ChangedAccount(Struct, frozen=True, omit_defaults=True):
    """What a change has changed of an account. Before its opening everything was null."""

    currency: Texts | UnsetType = UNSET
    name: Texts | UnsetType = UNSET
    email: Texts | UnsetType = UNSET
    min_balance: Texts | UnsetType = UNSET
    max_balance: Texts | UnsetType = UNSET
    status: Texts | UnsetType = UNSET
    metadata: Annotated[Sequence[Metadata | None], _PAIR] | UnsetType = UNSET
    limits: Annotated[Sequence[list[wire.Limit] | None], _PAIR] | UnsetType = UNSET


class AccountRevision(Struct, frozen=True):
    """One change of an account."""

    revision: Annotated[int, Meta(description="0: the opening. The account's ETag has this number.")]
    changes: ChangedAccount
    idempotency_key: str | None
    ctime: Time


class AccountChangePage(Struct, frozen=True):
    """Some changes of an account; the first of all is its opening."""

    items: list[AccountRevision]
    next: Next


class ChangedNotes(Struct, frozen=True, omit_defaults=True):
    """What a change has changed of the notes."""

    metadata: Annotated[Sequence[Metadata], _PAIR] | UnsetType = UNSET
    description: Texts | UnsetType = UNSET


class TransactionRevision(Struct, frozen=True):
    """One change of the notes on a transaction."""

    revision: Annotated[int, Meta(description="Counted from 1, for each transaction.")]
    changes: ChangedNotes
    idempotency_key: str | None
    ctime: Time


class TransactionChangePage(Struct, frozen=True):
    """Some changes of the notes on a transaction."""

    items: list[TransactionRevision]
    next: Next


_CHANGES = Lists(NoFilters, changes.Revision)


async def list_account_changes(call: Call) -> Reply:
    """GET /account/{id}/change."""
    account_id, name = account_in_path(call)
    if name is not None:  # a cursor is the account's, whether the page before was asked for by its name or by its id
        account_id = (await account_of(call)).id
    path = f"/account/{account_id}/change"
    asked, page = await _page(call, path, changes.of_account, account_id)
    if page is None:
        raise account_not_found(account_id)
    items = [
        AccountRevision(
            one.revision,
            ChangedAccount(**{field: [*map(_shown, pair)] for field, pair in one.changes.items()}),
            one.idempotency_key,
            wire.time(one.ctime),
        )
        for one in page.items
    ]
    return _CHANGES.reply(call, path, asked, page, items)


async def _page(
    call: Call, path: str, read: changes.Read, of: int | str
) -> tuple[tuple[NoFilters, Ask], changes.Page | None]:
    asked, ledger_id = _CHANGES.asked(call, path, NoFilters()), call.caller.ledger_id

    async def look(connection: "AnyConnection", q: Queries) -> changes.Page | None:
        return await read(connection, q, ledger_id, of, asked[1])

    return asked, await call.reads.look_up(ledger_id, look, weight=weight_of(asked[1].limit))


def _shown(value: Any) -> Any:
    if isinstance(value, Decimal):
        return plain(value)
    return [wire.limit(one) for one in value] if isinstance(value, tuple) else value


async def list_transaction_changes(call: Call) -> Reply:
    """GET /transaction/{id}/change."""
    wanted = transaction_id(call)
    path = f"/transaction/{wanted}/change"
    asked, page = await _page(call, path, changes.of_transaction, wanted)
    if page is None:
        raise transaction_not_found(wanted)
    items = [
        TransactionRevision(one.revision, ChangedNotes(**one.changes), one.idempotency_key, wire.time(one.ctime))
        for one in page.items
    ]
    return _CHANGES.reply(call, path, asked, page, items)


ROUTES: Sequence[Route] = (
    Route(
        "GET",
        "/account/{id}/change",
        "Read what was changed of an account, and when",
        "list_account_changes",
        list_account_changes,
        None,
        {200: AccountChangePage},
        ("account-not-found", "database-unavailable"),
        query=PageQuery,
    ),
    Route(
        "GET",
        "/transaction/{id}/change",
        "Read what was changed of the notes on a transaction, and when",
        "list_transaction_changes",
        list_transaction_changes,
        None,
        {200: TransactionChangePage},
        ("transaction-not-found", "database-unavailable"),
        query=PageQuery,
    ),
)
