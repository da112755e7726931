"""Notes on a posted transaction, changed later: the bodies of requests, their handlers and their routes.

The transaction itself never changes. Whoever reads it finds the notes of now; each change of them can be read too.
"""

from collections.abc import Sequence
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from koshel.core.labelled import Metadata, MetadataPatch
from koshel.http.answers import answer_now
from koshel.http.bodies import wire
from koshel.http.call import Call, Reply
from koshel.http.handlers.following import transaction_id
from koshel.http.parameters import KeyHeader
from koshel.http.route import POST, Route
from koshel.inputs.labels import Description
from koshel.inputs.values import Notes, NotesPatch
from koshel.library.annotations import annotation

_REMOVED = Meta(description="In words; null: none.")


class Annotation(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be different of the notes on a transaction; what is left out stays."""

    metadata: Notes | UnsetType = UNSET
    description: Annotated[Description | None, _REMOVED] | UnsetType = UNSET


class AnnotationPatch(Annotation, frozen=True, forbid_unknown_fields=True):
    """The same as a merge patch (RFC 7396), which goes into `metadata` too."""

    metadata: NotesPatch | UnsetType | None = UNSET  # type: ignore[assignment]


def replaced_and_merged(
    metadata: Metadata | MetadataPatch | UnsetType | None, *, is_patch: bool
) -> tuple[Metadata | UnsetType, MetadataPatch | UnsetType]:
    """What `metadata` is to be, and what is to be merged into it. A merge patch may also take all of it away."""
    if metadata is None:
        return {}, UNSET
    return (UNSET, metadata) if is_patch else (metadata, UNSET)  # type: ignore[return-value]  # its texts are no null


async def annotate(call: Call) -> Reply:
    """PATCH /transaction/{id}."""
    body: Annotation | AnnotationPatch = call.body
    metadata, patch = replaced_and_merged(body.metadata, is_patch=isinstance(body, AnnotationPatch))
    command = annotation(
        call.caller.ledger_id,
        transaction_id(call),
        metadata=metadata,
        metadata_patch=patch,
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
