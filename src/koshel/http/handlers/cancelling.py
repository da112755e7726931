"""Cancelling a transaction while it is queued: the handler and its route."""

from collections.abc import Sequence
from functools import partial

from koshel.db import cancelling
from koshel.http.bodies import wire
from koshel.http.call import Call, Reply, json
from koshel.http.handlers.following import transaction_id
from koshel.http.problems import Failure, transaction_not_found
from koshel.http.route import Route


async def cancel(call: Call) -> Reply:
    """DELETE /transaction/{id}."""
    wanted = transaction_id(call)
    ledger_id = call.caller.ledger_id
    work = partial(cancelling.cancel, ledger_id=ledger_id, transaction_id=wanted, request_id=call.name)
    found = await call.reads.transact([ledger_id], work)
    if found is None:
        raise transaction_not_found(wanted)
    if found.status != "cancelled":
        detail = f"Transaction {wanted} is {found.status}, and cannot be cancelled any more."
        raise Failure("not-cancellable", detail, transaction_id=wanted, transaction_status=found.status)
    return json(200, wire.cancelled_transaction(found))


ROUTES: Sequence[Route] = (
    Route(
        "DELETE",
        "/transaction/{id}",
        "Cancel a transaction while it is queued",
        "cancel_transaction",
        cancel,
        None,
        {200: wire.Transaction},
        ("transaction-not-found", "not-cancellable", "overloaded", "database-unavailable", "outcome-unknown"),
        said={200: "It is cancelled, for ever; also if it was before."},
    ),
)
