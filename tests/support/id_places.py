"""Where an id may stand in a request: in its path, its query and its body, by the types of the table of routes."""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct, inspect

from koshel.http.document import examples
from koshel.http.route import Route
from koshel.inputs.values import ID_MAX

PLACE = 987_654_321_987  # stands for an id in what is to be sent


def is_id(type_: inspect.Type) -> bool:
    """Whether a field holds an id: its type has the bounds of one."""
    match type_:
        case inspect.UnionType():
            return any(is_id(one) for one in type_.types)
        case inspect.Metadata():
            return is_id(type_.type)
        case inspect.IntType():
            return (type_.ge, type_.le) == (1, ID_MAX)
        case _:
            return False


def id_fields(body: type[Struct]) -> list[str]:
    described = inspect.type_info(body)
    assert isinstance(described, inspect.StructType)
    return [field.encode_name for field in described.fields if is_id(field.type)]


def member_types(body: type[Struct]) -> dict[str, type[Struct]]:
    """The fields of a body that are lists of structs, and their types: a batch's members, a split's legs."""
    found = {}
    for field in msgspec.structs.fields(body):
        described = inspect.type_info(field.type)
        for one in described.types if isinstance(described, inspect.UnionType) else [described]:
            inner = one.type if isinstance(one, inspect.Metadata) else one
            if isinstance(inner, inspect.ListType) and isinstance(inner.item_type, inspect.StructType):
                found[field.encode_name] = inner.item_type.cls
    return found


def with_own(fields: Sequence[str], body: Mapping[str, Any], own: Mapping[str, int]) -> dict[str, Any]:
    """A body whose ids are the caller's own, those of legs too."""
    accounts = itertools.cycle([own["account"], own["other"]])
    filled: dict[str, Any] = {
        name: next(accounts) if name in fields and value is not None else value for name, value in body.items()
    }
    for name in filled.keys() & {"sources", "targets"}:
        filled[name] = [{**leg, f"{name[:-1]}_account_id": own["other"]} for leg in filled[name]]
    return filled


def bodies(route: Route, own: Mapping[str, int]) -> Iterator[Any]:
    """What to send: PLACE where an id is to stand, wherever one may."""
    if route.body is None:
        yield None
        return
    fields, members = id_fields(route.body), member_types(route.body)
    for example in examples.of(route.name):
        body = with_own(fields, example.body or {}, own)
        yield body  # for the id in the path
        for name in fields:
            yield {**body, name: PLACE}
        for name, member in members.items():
            if name in {"sources", "targets"}:
                yield from in_legs(body, name)
            elif id_fields(member):
                yield from in_members(body, name, member, own)


def in_legs(body: Mapping[str, Any], field: str) -> Iterator[Any]:
    """The body of a split, with PLACE in each leg."""
    for place, leg in enumerate(body.get(field, ())):
        legs = [*body[field]]
        legs[place] = {**leg, f"{field[:-1]}_account_id": PLACE}
        yield {**body, field: legs}


def in_members(body: Mapping[str, Any], field: str, member: type[Struct], own: Mapping[str, int]) -> Iterator[Any]:
    fields = id_fields(member)
    shown = with_own(fields, body[field][0], own)
    for name, atomic in itertools.product(fields, (True, False)):
        yield {field: [{**shown, name: PLACE}], "atomic": atomic}
        yield {field: [{name: PLACE}], "atomic": atomic}
    for name, atomic in itertools.product(member_types(member), (True, False)):
        side, other = ("source", "target") if name == "sources" else ("target", "source")
        leg = {f"{side}_account_id": PLACE, "share": "100%"}
        split = {f"{other}_account_id": own["account"], name: [leg], "amount": shown["amount"]}
        yield {field: [split], "atomic": atomic}


def by_names(path: str, sent: str | None) -> tuple[str, str | None] | None:
    """The request with a name in the place of an account's id, if one stands there: the name is PLACE in digits."""
    named = path.replace(f"/account/{PLACE}", f"/account/@{PLACE}")
    body = sent
    for side in ("source", "target"):
        body = body and body.replace(f'"{side}_account_id": {PLACE}', f'"{side}": "{PLACE}"')
    return None if (named, body) == (path, sent) else (named, body)


def requests(route: Route, own: Mapping[str, int]) -> Iterator[tuple[str, str | None]]:
    """The path and the body of each request that names an id, which is PLACE."""
    for body in bodies(route, own):
        for query in ("", *(f"?{name}={PLACE}" for name in id_fields(route.query))):
            path = route.path.replace("{id}", str(PLACE)) + query
            sent = None if body is None else json.dumps(body)
            if str(PLACE) in f"{path} {sent}":
                yield path, sent
                if route.method != "PUT" and (named := by_names(path, sent)) is not None:  # which opens one's own
                    yield named


def put(text: str, id_: int) -> str:
    return text.replace(str(PLACE), str(id_))
