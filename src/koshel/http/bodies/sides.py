"""The source and the target in the bodies of requests: each by its id or by its name."""

from typing import Annotated, TypeAlias

from msgspec import UNSET, Meta, UnsetType

from koshel.inputs.texts import Asked, asked_by_name
from koshel.inputs.values import ACCOUNT_NAME_PATTERN, Invalid

Side: TypeAlias = Asked | UnsetType | None  # as it is asked for; UNSET: not at all; None: the world outside


def _name_of(what: str) -> Meta:
    """An account's name. Its form is looked at by `side`, which remembers names: a pattern would be tried each time."""
    description = f"The {what} by its name, in the place of {what}_account_id."
    return Meta(description=description, extra_json_schema={"pattern": ACCOUNT_NAME_PATTERN})


Source = Annotated[str, _name_of("source")]
Target = Annotated[str, _name_of("target")]


def side(id_: int | UnsetType | None, name: str | UnsetType, field: str) -> Side:
    """A side as a body asks for it: by its id or by its name. Raises Invalid."""
    if name is UNSET:
        return id_ if id_ is UNSET or id_ is None else (id_, None)
    if id_ is not UNSET:
        raise Invalid(field, f"does not go with {field}_account_id")
    try:
        return asked_by_name(name)
    except ValueError as error:
        raise Invalid(field, str(error)) from None
