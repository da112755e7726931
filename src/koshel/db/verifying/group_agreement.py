"""Whether the answer of a group, a split, its end or an exchange agrees with its transactions. No connection here."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from koshel.core.commands import Kind
from koshel.core.ending import EndSplit
from koshel.core.ends import ends
from koshel.core.exchanging import Exchange
from koshel.core.receipts import first_difference
from koshel.db.mapping.group_receipts import GroupReceipt, MemberReceipt, NamedMove, id_of, together
from koshel.db.mapping.split_receipts import SplitReceipt
from koshel.db.verifying import agreement, split_agreement

Row: TypeAlias = Mapping[str, Any]
Rows: TypeAlias = Mapping[Any, Row]  # by ledger and id

_MOVES = frozenset({Kind.PAYMENT, Kind.TRANSFER, Kind.WITHDRAWAL})


def of_group(group: GroupReceipt, transactions: Rows, parents: Rows) -> str | None:
    """A group's answer, and the rows of its transactions and of what they follow: what is wrong, None if nothing is."""
    if group.atomic != (group.group_id is not None):
        return "keeps a group that is not as atomic as it says"
    several = together(group)
    wrong = next(filter(None, (_wrong_together(group, *one, transactions) for one in several.items())), None)
    if wrong is not None:
        return wrong
    last_id = 0
    for member in (one for place, one in enumerate(group.members) if place not in several):
        told = agreement.outcome(member) if isinstance(member, MemberReceipt) else {"id": id_of(member)}
        if told is None:
            if isinstance(member, MemberReceipt) and not agreement.is_answered(member):
                return "tells of a refusal of another request"
            continue
        row = transactions.get((group.ledger_id, told["id"]))
        if row is None:
            return f"tells of transaction {told['id']}, which does not exist"
        is_own = not isinstance(member, MemberReceipt) or agreement.is_own(member)
        if is_own and (row["group_id"] != group.group_id or row["id"] <= last_id):
            return f"tells of transaction {told['id']}, which is not there in group {group.group_id}"
        last_id = row["id"] if is_own else last_id
        parent = parents.get((group.ledger_id, row["parent_id"]))
        field = _wrong_field(member, told, row, parent, is_end=group.ending is not None)
        if field is not None:
            return f"tells of another {field} than transaction {told['id']} has"
    if group.ending is not None:
        return _wrong_ending(group, group.ending, transactions, parents)
    return None if group.exchange is None else _wrong_exchange(group, group.exchange, transactions)


def _wrong_exchange(group: GroupReceipt, exchange: Exchange, transactions: Rows) -> str | None:
    if (exchange.ledger_id, exchange.key) != (group.ledger_id, group.key):
        return "keeps the exchange of another key"
    rows = [transactions[group.ledger_id, id_] for one in group.members if (id_ := id_of(one)) is not None]
    if len(rows) != len(("source", "target")):
        return "keeps an exchange that is not two transactions"
    field = agreement.of_exchange(exchange, *rows)
    return None if field is None else f"keeps an exchange with another {field} than its transactions have"


def _wrong_ending(group: GroupReceipt, ending: EndSplit, transactions: Rows, parents: Rows) -> str | None:
    if (ending.ledger_id, ending.key) != (group.ledger_id, group.key):
        return "keeps the end of a split of another key"
    rows = [transactions[group.ledger_id, id_] for one in group.members if (id_ := id_of(one)) is not None]
    if len(rows) != len(ending.holds):
        return "keeps the end of a split that is not a transaction for each hold"
    for end, row in zip(ends(ending), rows, strict=True):
        parent = parents.get((group.ledger_id, row["parent_id"]))
        if field := agreement.of_request(end, dict(row) | {"parent_reference": parent and parent["reference"]}):
            return f"keeps the end of a split with another {field} than transaction {row['id']} has"
    return None


def _wrong_field(
    member: int | NamedMove | MemberReceipt, told: Row, row: Row, parent: Row | None, *, is_end: bool
) -> str | None:
    if isinstance(member, MemberReceipt):
        return agreement.of_member(member, told, row, parent)
    if not is_end and row["kind"] not in _MOVES:
        return "kind"  # of all else more is kept than the id
    return None if isinstance(member, int) else agreement.of_named(member, row)


def _wrong_together(
    group: GroupReceipt, place: int, made: SplitReceipt | GroupReceipt, transactions: Rows
) -> str | None:
    """A member that made several transactions."""
    member = group.members[place]
    assert isinstance(member, MemberReceipt), "it is none of a plain move"
    told, asked = made.command if isinstance(made, SplitReceipt) else made.exchange, member.command
    is_asked = told == asked
    if member.outcome["type"] == "replayed":  # it may have been asked under other settings
        places = (None if told is None else (told.ledger_id, told.key)), (asked.ledger_id, asked.key)
        is_asked = told is not None and places[0] == places[1] and first_difference(told, asked) is None
    if not is_asked:
        return f"tells of {'a split' if isinstance(made, SplitReceipt) else 'an exchange'} that was not asked for"
    return of_split(made, transactions) if isinstance(made, SplitReceipt) else of_group(made, transactions, {})


def of_split(split: SplitReceipt, transactions: Rows) -> str | None:
    """A split's answer, and the rows of its transactions: what is wrong, None if nothing is."""
    rows = [transactions.get((split.command.ledger_id, id_ or 0)) for id_ in split.legs]
    field = split_agreement.of_legs(split, rows)
    return None if field is None else f"tells of another {field} than the transactions of split {split.group_id} have"
