"""Merge patches (RFC 7396): the bodies that may come as one."""

from collections.abc import Mapping

from msgspec import Struct

from koshel.http.handlers.accounts import AccountChange, AccountPatch
from koshel.http.handlers.annotations import Annotation, AnnotationPatch

# The type that a body is decoded as if it comes as application/merge-patch+json.
MERGED: Mapping[type[Struct] | None, type[Struct]] = {AccountChange: AccountPatch, Annotation: AnnotationPatch}
