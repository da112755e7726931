"""Erasing the personal data of an account: the handler and its route."""

from collections.abc import Sequence

import structlog

from koshel.callers import Scope
from koshel.core.commands import Status
from koshel.db import erasure
from koshel.http.call import Call, Reply
from koshel.http.handlers.accounts import account_in_path
from koshel.http.problems import Failure, account_not_found
from koshel.http.route import Route

_log = structlog.get_logger()


async def erase_account(call: Call) -> Reply:
    """DELETE /account/{id}/personal-data."""
    id_, name = account_in_path(call)
    wanted, caller = id_ if name is None else name, call.caller
    found = await call.reads.transact(
        [caller.ledger_id], lambda connection, q: erasure.erase(connection, q, caller.ledger_id, wanted)
    )
    if found is None:
        raise account_not_found(wanted)
    account_id, status = found
    if status is not Status.CLOSED:
        detail = f"Account {account_id} is {status}; close it first."
        raise Failure("account-not-closed", detail, account_id=account_id)
    _log.info(
        "the personal data of an account is erased", account_id=account_id, ledger=caller.ledger, key=caller.key_id
    )
    return Reply(204, b"")


ROUTES: Sequence[Route] = (
    Route(
        "DELETE",
        "/account/{id}/personal-data",
        "Erase the email and the metadata of a closed account, wherever they are kept",
        "erase_account",
        erase_account,
        None,
        {204: ""},
        ("database-unavailable", "overloaded", "outcome-unknown", "account-not-found", "account-not-closed"),
        said={204: "They are gone, also from what keys answer."},
        scope=Scope.ADMIN,
    ),
)
