"""Settings as text: read from the environment and the flags, once; listed; and said what is wrong with one."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, get_type_hints

import msgspec
from msgspec import NODEFAULT, Meta, Struct

from koshel.config import surroundings, takes, web_addresses
from koshel.config.settings import Settings, SettingsError

PREFIX = surroundings.PREFIX


def read(environment: Mapping[str, str], flags: Mapping[str, str | None]) -> Settings:
    """The settings from the environment, overridden by flags that are not None. Raises SettingsError."""
    known = {PREFIX + field.name.upper(): field.name for field in msgspec.structs.fields(Settings)}
    if unknown := surroundings.unknown(environment, known):
        what = "; ".join(
            f"{name} is not a setting" + (f", the nearest is {near}" if near else "") for name, near in unknown.items()
        )
        raise SettingsError(f"{what}; `koshel serve --help` lists them all")
    passed_over = surroundings.of_kubernetes(environment)
    values: dict[str, Any] = {
        name: text
        for variable, name in known.items()
        if (text := environment.get(variable)) and variable not in passed_over
    }
    given = {name: text for name, text in flags.items() if text is not None}
    for name, text in (values | given).items():
        _check_text(came_as(name, given), text)
    try:
        return msgspec.convert(values | given, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(_what_is_wrong(str(error), values | given, given)) from error


def came_as(name: str, flags: Mapping[str, str | None]) -> str:
    """The name by which the setting came: its flag's, or else its variable's."""
    return PREFIX + name.upper() if flags.get(name) is None else f"--{name.replace('_', '-')}"


def _check_text(name: str, text: str) -> None:
    """Refuse what neither a database nor a log could take. It is not shown: a URL may have a password in it."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise SettingsError(f"{name} takes text in UTF-8, and was given bytes that are none")


def _what_is_wrong(message: str, values: Mapping[str, str], flags: Mapping[str, str]) -> str:
    """The message in our words, with each setting by the name by which it came."""
    defaults = {knob.name: knob.default for knob in knobs()}
    if at := re.search(r" - at `\$\.(\w+)", message):
        name = at[1]
        # A URL may have a password in it, and messages go into logs.
        shown = "" if name == "database_url" else f", not {web_addresses.shown(values[name])!r}"
        return f"{came_as(name, flags)} takes {takes.words(_hints()[name])}{shown}"

    def said(variable: re.Match[str]) -> str:
        name = variable[1]
        if name not in defaults:  # it stands in what was given
            return variable[0]
        value = web_addresses.shown(values[name]) if name in values else f"{defaults[name]} by default"
        return f"{came_as(name, flags)} ({value})"

    return re.sub(r"`([a-z_]+)`", said, web_addresses.without_secrets(message))


class Knob(Struct, frozen=True):
    """One setting, to be listed."""

    name: str
    description: str
    default: Any
    metavar: str


@cache
def knobs() -> tuple[Knob, ...]:
    """All settings, in order."""
    hints = _hints()
    return tuple(
        Knob(
            field.name,
            _description(hints[field.name]),
            field.default if field.default_factory is NODEFAULT else field.default_factory(),
            takes.metavar(field.name, hints[field.name]),
        )
        for field in msgspec.structs.fields(Settings)
    )


def _hints() -> dict[str, Any]:
    return get_type_hints(Settings, include_extras=True)


def _description(annotation: Any) -> str:
    return next(meta.description for meta in annotation.__metadata__ if isinstance(meta, Meta) and meta.description)
