"""What a setting takes: in words for whoever gave it something else, and in one word for the help."""

from typing import Any

from msgspec import inspect


def words(annotation: Any) -> str:
    """What the type takes, to stand after "takes"."""
    match bare(annotation):
        case inspect.IntType(ge=least, le=most):
            return _whole_number(least, most)
        case inspect.LiteralType(values=values):
            return " or ".join(", ".join(map(str, values)).rsplit(", ", 1))
        case inspect.BoolType():
            return "true or false"
        case inspect.DecimalType():
            return "a number"
        case inspect.StrType(min_length=least) if not _title(annotation):
            return "some text" if least else "text"
    return _title(annotation)


def metavar(name: str, annotation: Any) -> str:
    """What stands for the value in the help: its unit, or its kind."""
    match bare(annotation):
        case inspect.LiteralType(values=values):
            return "|".join(map(str, values))
        case inspect.BoolType():
            return "true|false"
        case inspect.DecimalType():
            return "AMOUNT"
        case inspect.IntType() if name != "port":
            return _unit(name)
    return name.rpartition("_")[2].upper()


def _whole_number(least: int | None, most: int | None) -> str:
    if most is None:
        return "a whole number" if least is None else f"a whole number, {least} or more"
    return f"a whole number from {least} to {most}"


def _unit(name: str) -> str:
    if "bytes" in name:
        return "BYTES"
    return {"ms": "MILLISECONDS", "s": "SECONDS"}.get(name.rpartition("_")[2], "NUMBER")


def bare(annotation: Any) -> inspect.Type:
    """The type without its notes, and without None: a setting that may be absent is then not given."""
    return _layers(annotation)[-1]


def _title(annotation: Any) -> str:
    """What the type itself says that it takes, where its pattern could not."""
    notes = [layer.extra_json_schema or {} for layer in _layers(annotation) if isinstance(layer, inspect.Metadata)]
    return next((str(note["title"]) for note in notes if "title" in note), "")


def _layers(annotation: Any) -> list[inspect.Type]:
    """The type with all its notes, then with fewer and fewer, and at last without any."""
    layers = [inspect.type_info(annotation)]
    while isinstance(outer := layers[-1], inspect.Metadata | inspect.UnionType):
        inner = (outer.type,) if isinstance(outer, inspect.Metadata) else outer.types
        layers.append(next(one for one in inner if not isinstance(one, inspect.NoneType)))
    return layers
