"""The handlers of accounts and transactions: a request becomes a command, an outcome a reply."""

from decimal import Decimal
from typing import assert_never

from email_validator import EmailNotValidError, validate_email
from msgspec import UNSET, UnsetType

from koshel.core.model import (
    AccountDetails,
    Command,
    Declined,
    First,
    Kind,
    Move,
    OpenAccount,
    Opened,
    Posted,
    Replayed,
)
from koshel.http import wire
from koshel.http.call import Call, Reply, json
from koshel.http.problems import Failure, account_not_found, refused

REPLAYED = {"Idempotent-Replayed": "true"}


async def open_account(call: Call) -> Reply:
    """POST /account."""
    body: wire.AccountRequest = call.body
    command = OpenAccount(
        call.service.ledger_id,
        _email(body.email),
        body.currency,
        _min_balance(body),
        _max_balance(body),
        body.metadata,
        call.key,
        call.service.currency,
        call.service.max_balance,
    )
    return await _submit(call, command)


async def pay(call: Call) -> Reply:
    """POST /account/{id}/payment."""
    return await _submit(call, _move(call, Kind.PAYMENT, None, _account_id(call)))


async def withdraw(call: Call) -> Reply:
    """POST /account/{id}/withdrawal."""
    return await _submit(call, _move(call, Kind.WITHDRAWAL, _account_id(call), None))


async def transfer(call: Call) -> Reply:
    """POST /transaction."""
    body: wire.TransactionRequest = call.body
    return await _submit(call, _move(call, Kind.TRANSFER, body.source_account_id, body.target_account_id))


async def get_account(call: Call) -> Reply:
    """GET /account/{id}."""
    account_id = _account_id(call)
    details = await call.service.store.get_account(call.service.ledger_id, account_id)
    if details is None:
        raise account_not_found(account_id)
    etag = f'"{details.version}"'
    known = [tag.strip().removeprefix("W/") for tag in call.headers.get("If-None-Match", "").split(",")]
    if etag in known or known == ["*"]:
        return Reply(304, b"", {"ETag": etag})
    return json(200, wire.account(details), {"ETag": etag})


async def get_transaction(call: Call) -> Reply:
    """GET /transaction/{id}."""
    transaction_id = _id(call)
    posted = transaction_id and await call.service.store.get_transaction(call.service.ledger_id, transaction_id)
    if not posted:
        given = transaction_id or call.path["id"]
        raise Failure("transaction-not-found", f"There is no transaction {given}.", transaction_id=given)
    return json(200, wire.transaction(posted))


def _move(call: Call, kind: Kind, source_account_id: int | None, target_account_id: int | None) -> Move:
    amount = wire.amount(call.body.amount)
    return Move(
        call.service.ledger_id, kind, source_account_id, target_account_id, amount, call.body.metadata, call.key
    )


async def _submit(call: Call, command: Command) -> Reply:
    outcome = await call.service.batcher.submit(command, size=call.size)
    if isinstance(outcome, Replayed):
        return _reply(outcome.first, REPLAYED)
    return _reply(outcome, {})


def _reply(outcome: First, headers: dict[str, str]) -> Reply:
    match outcome:
        case Posted():
            return json(201, wire.transaction(outcome), {"Location": f"/transaction/{outcome.id}", **headers})
        case Opened():
            account: AccountDetails = outcome.account
            etag = {"Location": f"/account/{account.id}", "ETag": f'"{account.version}"'}
            return json(201, wire.account(account), {**etag, **headers})
        case Declined():
            failure = refused(outcome)
            failure.headers.update(headers)
            raise failure
        case _:
            assert_never(outcome)


def _id(call: Call) -> int | None:
    """The path's id; None for what cannot be one."""
    text = call.path["id"]
    if not (text.isascii() and text.isdigit()) or text[0] == "0" or int(text) > wire.ID_MAX:
        return None
    return int(text)


def _account_id(call: Call) -> int:
    account_id = _id(call)
    if account_id is None:
        raise account_not_found(call.path["id"])
    return account_id


def _email(email: str) -> str:
    try:
        # The form only: a look-up of the domain would make opening an account wait for somebody's DNS.
        return validate_email(email, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError as error:
        raise wire.Invalid("/email", str(error).rstrip(".")) from error


def _min_balance(body: wire.AccountRequest) -> Decimal:
    if body.min_balance is UNSET:
        return Decimal(0)
    value = wire.decimal(body.min_balance, "/min_balance")
    if value > 0:
        raise wire.Invalid("/min_balance", "must not be more than zero")
    return value


def _max_balance(body: wire.AccountRequest) -> Decimal | UnsetType | None:
    if body.max_balance is UNSET:
        return UNSET
    if bytes(body.max_balance) == b"null":
        return None
    value = wire.decimal(body.max_balance, "/max_balance")
    if value < 0:
        raise wire.Invalid("/max_balance", "must not be less than zero")
    return value
