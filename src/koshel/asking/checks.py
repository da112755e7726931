"""Whether a command of a program can be kept and read again; what comes over HTTP has been checked as it came."""

from typing import Any, TypeVar

from msgspec import UNSET, UnsetType, defstruct
from msgspec.structs import fields, replace

from koshel.asking.group_requests import OF_ANOTHER, MemberRequest
from koshel.config.settings import Settings
from koshel.core.commands import Command, Deferrable, Enqueue, Group, Hold, Kind, Member, Move
from koshel.core.exchanging import Exchange
from koshel.inputs import values
from koshel.inputs.labels import Labels
from koshel.inputs.values import ID_MAX, Invalid

CommandT = TypeVar("CommandT", bound=Command)

_Fields = defstruct("Fields", [(f.name, f.type | UnsetType, UNSET) for f in fields(Labels)], bases=(values.Fields,))
_BY_NAME = {"account_id": "account", "source_account_id": "source", "target_account_id": "target"}
_MAPPINGS = ("metadata", "metadata_patch")  # any Mapping is taken, and kept as a dict


def checked(command: CommandT, ledger_id: int | None = None) -> CommandT:
    """The command, if it can be kept and read again, and is of that ledger, if one is given. Raises Invalid."""
    if ledger_id is not None and command.ledger_id != ledger_id:
        raise Invalid("request", OF_ANOTHER)
    match command:
        case Group():
            members = tuple(_checked_member(one, index) for index, one in enumerate(command.members))
            command = replace(command, members=members)
        case Enqueue():
            _check_request(command.command, "command", Deferrable)
            return replace(command, command=checked(command.command))
        case Move() | Hold() | Exchange():
            _check_sides(command)
    own = [name for name in _Fields.__struct_fields__ if name in command.__struct_fields__]
    by_name = {id_ for id_, name in _BY_NAME.items() if getattr(command, name, None) is not None}  # it has no id yet
    given = {name: value for name in own if (value := getattr(command, name)) is not UNSET and name not in by_name}
    taken = values.fields(given, _Fields)
    if (amount := getattr(command, "amount", None)) is not None:
        values.amount(amount)
    mappings = {name: getattr(taken, name) for name in _MAPPINGS if type(given.get(name, {})) is not dict}
    return replace(command, **mappings) if mappings else command


def checked_id(value: int, field: str) -> int:
    """The id, if an account or a transaction can have it. Raises Invalid."""
    if type(value) is not int or not 0 < value <= ID_MAX:
        raise Invalid(field, f"must be a whole number from 1 to {ID_MAX}")
    return value


def checked_settings(settings: Settings | None, schema: str | None) -> Settings:
    """The settings, with that schema if one is given. Raises Invalid."""
    chosen = Settings() if settings is None else settings
    if not isinstance(chosen, Settings):
        raise Invalid("settings", "must be koshel.Settings")
    return chosen if schema is None else replace(chosen, schema=schema)


def _check_request(command: Any, field: str, kinds: Any) -> None:
    if not isinstance(command, kinds):
        raise Invalid(field, "must be a request that moves money")


def _checked_member(command: Member, index: int) -> Member:
    _check_request(command, f"transactions/{index}", MemberRequest)
    try:
        return checked(command)
    except Invalid as error:
        raise Invalid(f"transactions/{index}/{error.field}", error.reason) from error


def _check_sides(command: Move | Hold | Exchange) -> None:
    source, target = command.source_account_id, command.target_account_id
    if isinstance(command, Exchange):
        if source is None or target is None:
            raise Invalid("source_account_id" if source is None else "target_account_id", "is required for an exchange")
        return
    if isinstance(command, Hold):
        if source is None:
            raise Invalid("source_account_id", "must not be null for a hold")
        return
    if source is None and target is None:
        raise Invalid("target_account_id", "must not be null when the source is")
    if command.kind is Kind.TRANSFER and (source is None or target is None):
        name = "source_account_id" if source is None else "target_account_id"
        raise Invalid(name, "is required for a transfer")
