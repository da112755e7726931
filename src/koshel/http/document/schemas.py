"""The schemas of the OpenAPI document: of bodies, replies and problems, in forms that generators of clients take.

structs ──msgspec──▶ JSON Schema ──plain──▶ no defaults, no look-around, one way to say null, integers with a width
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from koshel.http.document import facts, members
from koshel.http.handlers.routes import ROUTES
from koshel.http.merging import MERGED
from koshel.http.problems import ProblemDocument
from koshel.inputs.values import END

_REF = "#/components/schemas/{name}"
# Names that say more to readers who have only the document.
_CALLED = {"Kind": "TransactionKind", "Status": "AccountStatus"}


# Of an account its id or its name, and not both, in words of JSON Schema that generators of clients pass over: they
# would take a choice for several types. `amount` is always there.
_NOT_BOTH: Mapping[str, Any] = {side: {"not": {"required": [f"{side}_account_id"]}} for side in ("source", "target")}
_ONE: Mapping[str, Mapping[str, Any]] = {
    side: {"if": {"not": {"required": [side]}}, "then": {"required": [f"{side}_account_id"]}}
    for side in ("source", "target")
}
# Of an exchange, whose `source_amount` is always there: the target, and a rate or an amount.
_BOTH_SIDES: Mapping[str, Any] = {
    **_ONE["target"],
    "dependentSchemas": {
        "source_amount": {"if": {"not": {"required": ["rate"]}}, "then": {"required": ["target_amount"]}}
    },
}
_RATE: Mapping[str, Any] = {"rate": {"not": {"required": ["target_amount"]}}, "source_amount": _BOTH_SIDES}
_EXCHANGE: Mapping[str, Any] = {"dependentSchemas": {**_NOT_BOTH, **_RATE}, **_ONE["source"]}
_NOT_BOTH_SOURCES, _NOT_BOTH_TARGETS = ({side: _NOT_BOTH[side]} for side in ("source", "target"))
_FROM_ONE: Mapping[str, Any] = {"dependentSchemas": _NOT_BOTH_SOURCES, **_ONE["source"]}
_TO_ONE: Mapping[str, Any] = {"dependentSchemas": _NOT_BOTH_TARGETS, **_ONE["target"]}
_ACROSS: Mapping[str, Any] = {"dependentSchemas": {**_NOT_BOTH, "amount": _ONE["target"]}, **_ONE["source"]}
_FOR_ANY: Mapping[str, Any] = {"dependentSchemas": _NOT_BOTH, **_ONE["source"]}
_SIDES: Mapping[str, Mapping[str, Any]] = {
    **dict.fromkeys(("TransferRequest", "MoveMember"), _ACROSS),
    **dict.fromkeys(("HoldRequest", "HoldMember"), _FOR_ANY),
    **dict.fromkeys(("ExchangeRequest", "ExchangeTerms"), _EXCHANGE),
    **dict.fromkeys(("SplitToRequest", "SplitToMember", "HoldToMember", "SourceLeg"), _FROM_ONE),
    **dict.fromkeys(("SplitFromRequest", "SplitFromMember", "TargetLeg"), _TO_ONE),
    **{name: {"dependentSchemas": _NOT_BOTH_TARGETS} for name in ("HoldFromRequest", "HoldFromMember")},
}


def ref(name: str) -> dict[str, Any]:
    """A schema by its name."""
    return {"$ref": _REF.format(name=name)}


def problems(codes: Sequence[str]) -> dict[str, Any]:
    """The schema of what is one of these problems; `code` says which."""
    names = {code: facts.type_name(code) for code in codes}
    if len(names) == 1:
        return ref(*names.values())
    mapping = {code: _REF.format(name=name) for code, name in names.items()}
    return {
        "oneOf": [ref(name) for name in names.values()],
        "discriminator": {"propertyName": "code", "mapping": mapping},
    }


def components() -> dict[str, Any]:
    """Every schema, by its name."""
    _, found = msgspec.json.schema_components(tuple(_types()), ref_template=_REF)
    for name, forms in members.FORMS.items():
        described = {"title": name, "description": found[name]["description"]}
        found[name] = described | {"oneOf": [ref(form.__name__) for form in forms]}
    for name, sides in _SIDES.items():
        found[name] |= sides
    refusal = {"title": "Refusal", "description": "Why a transaction was refused."}
    found["Refusal"] = refusal | problems(facts.REFUSALS)
    declination = {"title": "Declination", "description": "Why a queued transaction was declined."}
    found["Declination"] = declination | problems((*facts.REFUSALS, "batch-refused"))
    return {_CALLED.get(name, name): _named(name, plain(schema)) for name, schema in found.items()}


def _types() -> Iterator[type[msgspec.Struct]]:
    for route in ROUTES:
        bodies = (route.body, MERGED.get(route.body), *route.replies.values())
        yield from (t for t in bodies if t is not None and not isinstance(t, str))
    yield ProblemDocument
    codes = {code for route in ROUTES for code in route.all_problems} | {*facts.REFUSALS}
    yield from (facts.TYPED[code] for code in sorted(codes))
    for forms in members.FORMS.values():
        yield from forms


def _named(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return schema | {"title": _CALLED[name]} if name in _CALLED else schema


def plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema, without what generators of clients stumble over."""
    if "$ref" in schema:  # it stands alone: what stands beside it is ignored by many, and refused by some
        name = schema["$ref"].rsplit("/", 1)[-1]
        return ref(_CALLED.get(name, name))
    shown = {name: _part(name, part) for name, part in schema.items() if name != "default" and part != []}
    if shown.get("type") == "integer":
        shown.setdefault("format", "int64")
    if "enum" in shown:
        shown = {"type": "string"} | shown
    if len(shown.get("enum", ())) == 1:
        (shown["const"],) = shown.pop("enum")
    return _described(shown)


def _part(name: str, part: Any) -> Any:
    match name:
        case "properties":
            return {field: plain(schema) for field, schema in part.items()}
        case "items" | "additionalProperties" | "propertyNames" if isinstance(part, Mapping):
            return plain(part)
        case "anyOf" | "oneOf":
            return [plain(schema) for schema in part]
        case "pattern":
            return part.replace(END, "$")  # which is their `$`
        case _:
            return part


def _described(schema: dict[str, Any]) -> dict[str, Any]:
    """Where one of two is null, msgspec describes the other; the description belongs to both."""
    options = [dict(option) for option in schema.get("anyOf", ())]
    texts = [option.pop("description") for option in options if "description" in option]
    return schema | {"anyOf": options, "description": " ".join(texts)} if texts else schema
