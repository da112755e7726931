"""Rows in, structs out: an answer reads as it was given, whatever it was."""

from itertools import count
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from koshel.core.commands import Capture, ChangeAccount, Command, Group, Hold, Kind, Status
from koshel.core.decide import decide
from koshel.core.model import Declined, First, Grouped, Posted, Queued, Replayed
from koshel.core.sides import Side
from koshel.db.mapping import rows
from koshel.db.mapping.group_receipts import GroupReceipt, MemberReceipt, restore, to_receipt
from koshel.db.mapping.group_receipts import transactions as qualified_ids
from koshel.db.mapping.sides import flat
from koshel.db.mapping.tables import TRANSACTION
from koshel.db.settling.ids import renewed
from tests.support.wallets import (
    NOW,
    account,
    book,
    capture,
    enqueue,
    group,
    hold,
    kept,
    payment,
    refund,
    scaled,
    transfer,
    void,
    withdrawal,
)

BOOK = kept(book(account(1, "100"), account(2, "5")), hold(1, 2, "10"), payment(1, "3"))

ANSWERS: dict[str, Command] = {
    "an account that was changed": ChangeAccount(1, 1, status=Status.FROZEN, metadata={"a": "b"}, key="k"),
    "a refusal": transfer(1, 2, "900", key="k"),
    "a refused capture": capture(101, "11", final=False, key="k"),
    "a refused refund": refund(101, key="k"),
    "a group that was refused": group(transfer(1, 2, "1"), void(77), key="k"),
    "a queued transaction": enqueue(hold(1, 2, "7", seconds=60, key="k", metadata={"a": "b"})),
    "a queued capture": enqueue(capture(101, key="k")),
    "a queued payment to nobody": enqueue(payment(404, "7.123456", key="k")),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_reads_as_it_was_given(name: str) -> None:
    (first,) = decide(BOOK, [ANSWERS[name]])
    text = msgspec.json.encode(first).decode()
    place, read = rows.receipt(answered(text))  # type: ignore[arg-type]  # a dictionary is as good
    assert place == (1, "k")
    assert read == first
    assert msgspec.json.encode(read).decode() == text
    assert type(read) is type(first)


GROUPS: dict[str, Command] = {
    "all": group(transfer(1, 2, "1.00"), capture(101, "4"), refund(102, "1", key="m"), atomic=True, key="k"),
    "some": group(transfer(1, 2, "900"), void(101), hold(1, None, "1"), withdrawal(1, "2.00"), atomic=False, key="k"),
    "none": group(transfer(1, 2, "900"), void(1), atomic=False, key="k"),
}


@pytest.mark.parametrize("name", GROUPS)
def test_a_groups_answer_is_restored_from_the_ids_of_its_moves(name: str) -> None:
    (first,) = decide(BOOK, [GROUPS[name]])
    assert isinstance(first, Grouped)
    ids = count(1_000)
    (first,) = renewed([first], {id(one): replace(one, id=next(ids)) for one in first.outcomes if type(one) is Posted})
    transactions = [one for one in first.outcomes if isinstance(one, Posted)]
    text = msgspec.json.encode(to_receipt(first)).decode()
    _, read = rows.receipt(answered(text))  # type: ignore[arg-type]  # a dictionary is as good
    assert isinstance(read, GroupReceipt)
    moves = {one.id for one in transactions if one.request is None}
    assert qualified_ids(read) == {(1, id_) for id_ in moves}
    assert restore(read, {one.id: one for one in transactions if one.id in moves}) == first


def test_a_groups_answer_that_0_2_has_kept_is_restored_and_would_be_kept_so_again() -> None:
    text = Path(__file__).with_name("kept").joinpath("group.0.2.json").read_text()
    _, read = rows.receipt(answered(text))  # type: ignore[arg-type]
    assert isinstance(read, GroupReceipt)
    move = replace(posted(transfer(1, 2, "1")), id=202)
    restored = restore(read, {202: move})
    captured, held, replayed, moved, enqueued, refused = restored.outcomes
    assert isinstance(restored.command, Group)
    assert isinstance(captured, Posted)
    assert captured.source == Side(1, scaled("99", 2), scaled("6", 2), 3)
    assert captured.target == Side(2, scaled("9", 2), scaled("0", 2), 1)
    assert isinstance(held, Posted)
    assert (held.source, held.target) == (Side(2, scaled("9", 2), scaled("1", 2), 2), None)
    assert isinstance(restored.command, Group)
    assert (captured.request, held.request) == restored.command.members[:2]
    assert isinstance(replayed, Replayed)
    assert isinstance(replayed.first, Posted)
    assert isinstance(enqueued, Replayed)
    assert isinstance(enqueued.first, Queued)
    assert (moved, type(refused)) == (move, Declined)
    again = msgspec.json.decode(msgspec.json.encode(to_receipt(restored)), type=GroupReceipt)
    assert restore(again, {202: move}) == restored
    for old, new in zip(read.members, again.members, strict=True):
        if isinstance(old, MemberReceipt) and isinstance(new, MemberReceipt):
            assert old.outcome.keys() <= new.outcome.keys(), "0.2 would read it too"


def test_a_transaction_is_its_own_receipt_with_what_was_asked() -> None:
    first = posted(hold(1, 2, "7", seconds=60, key="k"))
    request = msgspec.json.encode(first.request).decode()
    _, read = rows.receipt(row_of(first) | {"request": request})  # type: ignore[arg-type]
    assert isinstance(read, Posted)
    assert isinstance(read.request, Hold)
    assert read == replace(first, rest=None)


def test_a_plain_transfer_is_its_own_request() -> None:
    first = posted(transfer(1, 2, "7", key="k"))
    assert first.request is None
    assert rows.receipt(row_of(first))[1] == first  # type: ignore[arg-type]


def test_a_queued_transaction_reads_as_queued_or_as_declined_or_as_cancelled() -> None:
    (queued,) = decide(BOOK, [enqueue(transfer(1, 2, "900"))])
    text = msgspec.json.encode(queued).decode()
    row = {"promise": text, "answer": None, "cancelled_at": None, "cancelled_by": None}
    found = rows.queued(row)  # type: ignore[arg-type]
    assert (found.transaction, found.status, found.refusal) == (queued, "queued", None)
    (declined,) = decide(BOOK, [transfer(1, 2, "900")])
    found = rows.queued(row | {"answer": msgspec.json.encode(declined).decode()})  # type: ignore[arg-type]
    assert (found.transaction, found.status, found.refusal) == (queued, "declined", declined)
    found = rows.queued(row | {"cancelled_at": NOW, "cancelled_by": "till-3"})  # type: ignore[arg-type]
    assert (found.transaction, found.status, found.refusal) == (queued, "cancelled", None)
    assert (found.cancelled_at, found.cancelled_by) == (NOW, "till-3")


def test_a_claim_is_executed_with_the_command_that_was_enqueued() -> None:
    (queued,) = decide(BOOK, [enqueue(capture(101, "3", key="k"))])
    assert isinstance(queued, Queued)
    row = {"id": 9, "promise": msgspec.json.encode(queued).decode()}
    execution = rows.execution(1, row)  # type: ignore[arg-type]
    assert (execution.ledger_id, execution.id, execution.key) == (1, 9, None)
    assert execution.command == Capture(1, 101, scaled("3", 0), key="k")


def test_a_hold_reserves_something_or_was_ended_by_something() -> None:
    assert rows.reserved(scaled("3", 2), None) == scaled("3", 2)
    assert rows.reserved(None, "void") is Kind.VOID


def posted(command: Command) -> Posted:
    (first,) = decide(BOOK, [command])
    assert isinstance(first, Posted)
    return first


def answered(text: str) -> dict[str, object]:
    """As `find_receipts` would read it."""
    return {"receipt_ledger_id": 1, "receipt_key": "k", "answer": text, "request": None}


def row_of(one: Posted) -> dict[str, object]:
    """As `find_receipts` would read it."""
    own = {column.name: getattr(one, column.at) for column in TRANSACTION if not column.side}
    texts = {"kind": str(one.kind), "metadata": msgspec.json.encode(one.metadata).decode()}
    row = {"receipt_ledger_id": 1, "receipt_key": "k", "answer": None, "request": None, "currency": one.currency}
    named = {"source_name": one.source and one.source.name, "target_name": one.target and one.target.name}
    return row | own | texts | flat(one) | named


def test_answers_are_of_every_kind_that_is_kept() -> None:
    kinds: set[type[First]] = {type(decide(BOOK, [command])[0]) for command in ANSWERS.values()}  # type: ignore[misc]
    assert kinds >= {Declined, Queued}
