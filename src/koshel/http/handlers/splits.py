"""Splits that were made: reading one, and capturing or voiding its holds together."""

from collections.abc import Sequence

from msgspec import Struct

from koshel.core.commands import Capture, Void
from koshel.core.labelled import labels
from koshel.core.model import Posted
from koshel.http.answers import answer_together
from koshel.http.bodies import wire
from koshel.http.bodies.together import BatchReply, MemberResult
from koshel.http.call import Call, Reply, json
from koshel.http.parameters import DryRun, KeyHeader
from koshel.http.problems import split_not_found
from koshel.http.route import POST, Route
from koshel.inputs.labels import Labels
from koshel.inputs.texts import identifier
from koshel.inputs.values import Invalid


class SplitCaptureRequest(Labels, frozen=True, forbid_unknown_fields=True):
    """Of all holds of a split: all that they still reserve."""


class SplitVoidRequest(Labels, frozen=True, forbid_unknown_fields=True):
    """Of all holds of a split: all that they still reserve."""


async def get_split(call: Call) -> Reply:
    """GET /split/{id}."""
    split_id = _split_id(call)
    found = await call.reads.get_split(call.caller.ledger_id, split_id)
    if found is None:
        raise split_not_found(split_id)
    return json(200, BatchReply([MemberResult(transaction=wire.standing(one)) for one in found], split_id))


async def capture_split(call: Call) -> Reply:
    """POST /split/{id}/capture."""
    said, requests = labels(call.body), call.requests
    members: list[Capture | Void] = [requests.capture(id_, **said) for id_ in await _transaction_ids(call)]
    return await answer_together(call, requests.batch(members, key=call.key))


async def void_split(call: Call) -> Reply:
    """POST /split/{id}/void."""
    said, requests = labels(call.body), call.requests
    members: list[Capture | Void] = [requests.void(id_, **said) for id_ in await _transaction_ids(call)]
    return await answer_together(call, requests.batch(members, key=call.key))


async def _transaction_ids(call: Call) -> list[int]:
    """The transactions of the split that the path names. They never change, so they are found before the locks."""
    split_id = _split_id(call)
    found = await call.reads.get_split(call.caller.ledger_id, split_id)
    if found is None:
        raise split_not_found(split_id)
    return [one.transaction.id for one in found if isinstance(one.transaction, Posted)]


def _split_id(call: Call) -> int:
    try:
        return identifier(call.path["id"])
    except Invalid:
        raise split_not_found(call.path["id"]) from None


def _ending(path: str, summary: str, name: str, body: type[Struct]) -> Route:
    handler = {"capture_split": capture_split, "void_split": void_split}[name]
    return Route(
        "POST",
        path,
        summary,
        name,
        handler,
        body,
        {200: BatchReply, 201: BatchReply},
        (*POST, "split-not-found", "batch-refused"),
        said={200: "A dry run: what would happen."},
        query=DryRun,
        headers=KeyHeader,
        weight=2,
    )


ROUTES: Sequence[Route] = (
    Route(
        "GET",
        "/split/{id}",
        "Read the transactions of a split",
        "get_split",
        get_split,
        None,
        {200: BatchReply},
        ("split-not-found", "database-unavailable"),
    ),
    _ending("/split/{id}/capture", "Move what all holds of a split reserve", "capture_split", SplitCaptureRequest),
    _ending("/split/{id}/void", "Release what all holds of a split reserve", "void_split", SplitVoidRequest),
)
