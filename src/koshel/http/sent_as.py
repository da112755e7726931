"""The fields of commands by the names that they have in the bodies of requests."""

from collections.abc import Mapping

from koshel.core.commands import Capture, Command, Enqueue, Group, Hold, Refund, Split, Void
from koshel.core.exchanging import Exchange
from koshel.core.labelled import LABELS

_OTHERWISE = {"expected": "If-Match", "unexpected": "If-None-Match", "metadata_patch": "metadata"}
_HOLD_TERMS = frozenset({"expires_in", "capture_at"})
_EXCHANGE_TERMS = frozenset(Exchange.__struct_fields__) - set(LABELS)
# What a batch's member follows is in the field that says how; of a request alone it is in the path.
_FOLLOWED: Mapping[type, str] = {Capture: "capture", Void: "void", Refund: "refund"}


def sent_as(command: Command, field: str, *, is_member: bool = False) -> str:
    """The field as a caller has sent it, such as `hold/expires_in`; of a group's member `transactions/3/refund`."""
    if isinstance(command, Enqueue):
        return sent_as(command.command, field)
    if isinstance(command, Group):
        name, _, rest = field.partition("/")
        place, _, of_member = rest.partition("/")
        return f"{name}/{place}/{sent_as(command.members[int(place)], of_member, is_member=True)}" if rest else field
    if isinstance(command, Hold | Split) and field in _HOLD_TERMS:
        return f"hold/{field}"
    if is_member and field == "parent_id":
        return _FOLLOWED[type(command)]
    if is_member and isinstance(command, Exchange) and field in _EXCHANGE_TERMS:
        return f"exchange/{field}"
    return _OTHERWISE.get(field, field)
