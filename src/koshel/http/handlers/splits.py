"""Splits that were made: reading one, and capturing or voiding its holds together."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from koshel.core.ending import EndSplit
from koshel.core.labelled import labels
from koshel.http.answers import answer
from koshel.http.bodies import wire
from koshel.http.bodies.together import BatchReply, MemberResult, SplitEndPreview
from koshel.http.bodies.wire import Schedulable
from koshel.http.call import Call, Reply, json
from koshel.http.parameters import DryRun, MoneyHeaders
from koshel.http.problems import split_not_found
from koshel.http.route import POST, Route
from koshel.inputs.texts import identifier
from koshel.inputs.values import Invalid


class SplitCaptureRequest(Schedulable, frozen=True, forbid_unknown_fields=True):
    """Of all holds of a split: all that they still reserve."""


class SplitVoidRequest(Schedulable, frozen=True, forbid_unknown_fields=True):
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
    return await _ended(call, call.requests.capture_split(_split_id(call), key=call.key, **labels(call.body)))


async def void_split(call: Call) -> Reply:
    """POST /split/{id}/void."""
    return await _ended(call, call.requests.void_split(_split_id(call), key=call.key, **labels(call.body)))


async def _ended(call: Call, command: EndSplit) -> Reply:
    """The transactions of a split never change, so they are found before the locks."""
    holds = await call.reads.get_split_ids(command.ledger_id, command.split_id)
    if holds is None:
        raise split_not_found(command.split_id)
    return await answer(call, replace(command, holds=holds))


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
        {200: SplitEndPreview, 201: BatchReply, 202: wire.Transaction},
        (*POST, "split-not-found", "batch-refused"),
        said={200: "A dry run: what would happen."},
        query=DryRun,
        headers=MoneyHeaders,
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
        ("split-not-found", "database-unavailable", "history-archived"),
    ),
    _ending("/split/{id}/capture", "Move what all holds of a split reserve", "capture_split", SplitCaptureRequest),
    _ending("/split/{id}/void", "Release what all holds of a split reserve", "void_split", SplitVoidRequest),
)
