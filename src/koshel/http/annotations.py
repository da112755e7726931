"""Notes on a posted transaction, changed later: the bodies of requests, their handlers and their routes.

The transaction itself never changes. Whoever reads it finds the notes of now; each change of them can be read too.
"""

from collections.abc import Sequence
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from koshel.annotations import annotation
from koshel.http import wire
from koshel.http.answers import answer_now
from koshel.http.call import Call, Reply
from koshel.http.following import transaction_id
from koshel.http.parameters import KeyHeader
from koshel.http.route import POST, Route
from koshel.labels import Description
from koshel.values import Notes, NotesPatch

_REMOVED = Meta(description="In words; null: none.")


class Annotation(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be different of the notes on a transaction; what is left out stays."""

    metadata: Notes | UnsetType = UNSET
    description: Annotated[Description | None, _REMOVED] | UnsetType = UNSET


class AnnotationPatch(Annotation, frozen=True, forbid_unknown_fields=True):
    """The same as a merge patch (RFC 7396), which goes into `metadata` too."""

    metadata: NotesPatch | UnsetType = UNSET  # type: ignore[assignment]


async def annotate(call: Call) -> Reply:
    """PATCH /transaction/{id}."""
    body: Annotation | AnnotationPatch = call.body
    command = annotation(
        call.caller.ledger_id,
        transaction_id(call),
        metadata=UNSET if isinstance(body, AnnotationPatch) else body.metadata,
        metadata_patch=body.metadata if isinstance(body, AnnotationPatch) else UNSET,
        description=body.description,
        key=call.key,
    )
    return await answer_now(call, command)


ROUTES: Sequence[Route] = (
    Route(
        "PATCH",
        "/transaction/{id}",
        "Change the notes on a transaction: its metadata, its description",
        "annotate",
        annotate,
        Annotation,
        {200: wire.Transaction},
        (*POST, "transaction-not-found", "not-posted"),
        headers=KeyHeader,
    ),
)
