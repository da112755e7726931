"""What was changed, and when: of an account itself, and of the notes on a transaction."""

from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from koshel.core.labelled import Metadata
from koshel.core.money import plain
from koshel.db import changes
from koshel.http import wire
from koshel.http.accounts import account_in_path
from koshel.http.call import Call, Reply, json
from koshel.http.following import transaction_id
from koshel.http.problems import account_not_found, transaction_not_found
from koshel.http.route import Route
from koshel.http.wire import Time

_PAIR = Meta(min_length=2, max_length=2, description="Before the change, and after it.")
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

    revision: Annotated[int, Meta(description="0: its opening. Its ETag has it.")]
    changes: ChangedAccount
    idempotency_key: str | None
    ctime: Time


class AccountChanges(Struct, frozen=True):
    """The changes of an account, its opening first."""

    items: list[AccountRevision]


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


class TransactionChanges(Struct, frozen=True):
    """The changes of the notes on a transaction, the oldest first."""

    items: list[TransactionRevision]


async def list_account_changes(call: Call) -> Reply:
    """GET /account/{id}/change."""
    (account_id, name), ledger_id = account_in_path(call), call.caller.ledger_id
    wanted = account_id if name is None else name
    work = partial(changes.of_account, ledger_id=ledger_id, account=wanted)
    found = await call.service.engine.store.find(ledger_id, work)
    if found is None:
        raise account_not_found(wanted)
    items = [
        AccountRevision(
            one.revision,
            ChangedAccount(**{field: [*map(_shown, pair)] for field, pair in one.changes.items()}),
            one.idempotency_key,
            wire.time(one.ctime),
        )
        for one in found
    ]
    return json(200, AccountChanges(items))


def _shown(value: Any) -> Any:
    if isinstance(value, Decimal):
        return plain(value)
    return [wire.limit(one) for one in value] if isinstance(value, tuple) else value


async def list_transaction_changes(call: Call) -> Reply:
    """GET /transaction/{id}/change."""
    wanted, ledger_id = transaction_id(call), call.caller.ledger_id
    work = partial(changes.of_transaction, ledger_id=ledger_id, transaction_id=wanted)
    found = await call.service.engine.store.find(ledger_id, work)
    if found is None:
        raise transaction_not_found(wanted)
    items = [
        TransactionRevision(one.revision, ChangedNotes(**one.changes), one.idempotency_key, wire.time(one.ctime))
        for one in found
    ]
    return json(200, TransactionChanges(items))


ROUTES: Sequence[Route] = (
    Route(
        "GET",
        "/account/{id}/change",
        "Read what was changed of an account, and when",
        "list_account_changes",
        list_account_changes,
        None,
        {200: AccountChanges},
        ("account-not-found", "database-unavailable"),
    ),
    Route(
        "GET",
        "/transaction/{id}/change",
        "Read what was changed of the notes on a transaction, and when",
        "list_transaction_changes",
        list_transaction_changes,
        None,
        {200: TransactionChanges},
        ("transaction-not-found", "database-unavailable"),
    ),
)
