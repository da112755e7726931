"""What keys have answered, and what was queued: all of it is read, and held against the rows that it speaks of.

    receipt.request  ──── its transaction
    receipt.answer   ─┬── a queued transaction: the one that it was posted as
                      ├── an account, opened or changed: the account, and what it was left with then
                      ├── notes, changed: the change
                      ├── a group, a split, its end or an exchange: its transactions
                      └── a refusal: nothing but itself
    queued, declined ──── its own request, and its refusal's
    cancelled        ──── its own request

A thousand rows at a time, however many there are.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

import msgspec
import psycopg
from msgspec import UNSET, Struct
from psycopg.rows import dict_row

from koshel.core.commands import Command, Deferrable, Request
from koshel.core.model import Changed, Declined, Opened, Queued
from koshel.core.receipts import first_difference
from koshel.db.mapping.group_receipts import GroupReceipt, MemberReceipt, id_of, named, restored, together
from koshel.db.mapping.split_receipts import SplitReceipt
from koshel.db.mapping.stored import NoteReceipt, Receipt
from koshel.db.queries import Queries
from koshel.db.verifying import account_agreement, agreement, group_agreement, note_agreement, queued_agreement

CHUNK = 1_000
BIGINT = 2**63  # and what was written into a receipt may be more

Row: TypeAlias = Mapping[str, Any]

_answer = msgspec.json.Decoder(Receipt)
_request = msgspec.json.Decoder(Request)


class Found(Struct):
    """The rows that the answers of a chunk speak of, by ledger and id; states by version too."""

    accounts: dict[Any, Row]
    transactions: dict[Any, Row]
    parents: dict[Any, Row]  # what these transactions follow
    states: dict[Any, Row]
    changes: dict[Any, Row]  # of accounts, by revision
    notes: dict[Any, Row]  # changes of the notes on transactions, by revision too


def receipts(connection: "psycopg.Connection[Row]", q: Queries) -> Iterator[str]:
    """What is wrong with receipts that say more than the id of a transaction, a sentence each."""
    for chunk in _chunks(connection, q, q.read_receipts):
        answers = {place: _decoded_answer(row["answer"]) for place, row in enumerate(chunk) if row["answer"]}
        found = _look_up(connection, q, list(answers.values()))
        for place, row in enumerate(chunk):
            wrong = (
                agreement.said(_wrong_answer, row, answers[place], found)
                if place in answers
                else agreement.said(_wrong_request, row)
            )
            if wrong is not None:
                yield f"ledger {row['ledger_id']}: the receipt of key {row['key']!r} {wrong}"


def queued(connection: "psycopg.Connection[Row]", q: Queries, last_id: int) -> Iterator[str]:
    """What is wrong with transactions that are queued, or were until something ended that; `last_id` was given last."""
    for chunk in _chunks(connection, q, q.read_queued, last_id):
        for row in chunk:
            wrong = agreement.said(_wrong_queued, row)
            if wrong is not None:
                yield f"ledger {row['ledger_id']}: the promise of transaction {row['id']} {wrong}"


def _chunks(connection: "psycopg.Connection[Row]", q: Queries, query: str, *arguments: int) -> Iterator[Sequence[Row]]:
    with psycopg.RawServerCursor(connection, "kept", row_factory=dict_row) as cursor:
        cursor.execute(query, arguments)
        connection.execute(q.plan_for_look_ups)
        while chunk := cursor.fetchmany(CHUNK):
            yield chunk


def _look_up(connection: "psycopg.Connection[Row]", q: Queries, answers: Sequence[Receipt | None]) -> Found:
    told = [one.account for one in answers if isinstance(one, Opened | Changed)]
    ids = {(group.ledger_id, id_) for group in answers if isinstance(group, GroupReceipt) for id_ in _members(group)}
    ids |= {place for one in _several(answers) for place in named(one)}
    noted = {one.place for one in answers if isinstance(one, NoteReceipt)}
    ids.update(place[:2] for place in noted)
    states = {(one.ledger_id, one.id, one.version) for one in told}
    revisions = {(one.ledger_id, one.id, one.revision) for one in told}

    def find(query: str, wanted: set[Any], *names: str) -> dict[Any, Row]:
        wanted = {place for place in wanted if all(-BIGINT <= number < BIGINT for number in place)}
        if not wanted:
            return {}
        arrays = ["{" + ",".join(map(str, column)) + "}" for column in zip(*wanted, strict=True)]
        return {tuple(row[name] for name in names): row for row in connection.execute(query, arrays)}

    transactions = find(q.find_members, ids, "ledger_id", "id")
    parents = {(row["ledger_id"], row["parent_id"]) for row in transactions.values() if row["parent_id"] is not None}
    return Found(
        find(q.find_details, {place[:2] for place in states}, "ledger_id", "id"),
        transactions,
        find(q.find_originals, parents, "ledger_id", "id"),
        find(q.find_states, states, "ledger_id", "account_id", "version"),
        find(q.find_changes_of_accounts, revisions, "ledger_id", "account_id", "revision"),
        find(q.find_changes_of_notes, noted, "ledger_id", "transaction_id", "revision"),
    )


def _several(answers: Sequence[Receipt | None]) -> Iterator[SplitReceipt | GroupReceipt]:
    """The splits among the answers, and the splits and exchanges among the members of groups."""
    for one in answers:
        if isinstance(one, SplitReceipt):
            yield one
        elif isinstance(one, GroupReceipt):
            yield from together(one).values()


def _members(group: GroupReceipt) -> Iterator[int]:
    """Ids of the transactions that its members became."""
    for one in group.members:
        id_ = (agreement.outcome(one) or {}).get("id") if isinstance(one, MemberReceipt) else id_of(one)
        if isinstance(id_, int):
            yield id_


def _decoded_answer(text: str) -> Any:
    """None if it, or the answer of one of a group's members, cannot be decoded."""
    answer = _decoded(_answer, text)
    if isinstance(answer, GroupReceipt):
        try:
            several = together(answer)
            for place, one in enumerate(answer.members):
                if isinstance(one, MemberReceipt) and place not in several:
                    restored(one.outcome)
                    told = agreement.outcome(one)
                    if told is not None and type(told.get("id")) is not int:
                        return None
        except (KeyError, TypeError, ValueError):
            return None
    return answer


def _decoded(decoder: "msgspec.json.Decoder[Any]", text: str) -> Any:
    """None for what cannot be read."""
    try:
        return decoder.decode(text)
    except msgspec.DecodeError:
        return None


def _wrong_request(row: Row) -> str | None:
    request = _decoded(_request, row["request"])
    if request is None:
        return "keeps a request that cannot be read"
    if row["id"] is None:
        return None  # verify_receipts says it
    field = agreement.of_request(request, row)
    return None if field is None else f"keeps a request with another {field} than transaction {row['id']} has"


def _wrong_answer(row: Row, answer: Receipt | None, found: Found) -> str | None:
    if answer is None:
        return "keeps an answer that cannot be read"
    command = answer if isinstance(answer, GroupReceipt) else answer.command
    if (command.ledger_id, command.key) != (row["ledger_id"], row["key"]):
        return "keeps the answer of another key"
    if isinstance(answer, Queued):
        return _wrong_enqueue(row, answer)
    if isinstance(answer, GroupReceipt):
        return group_agreement.of_group(answer, found.transactions, found.parents)
    if isinstance(answer, SplitReceipt):
        return group_agreement.of_split(answer, found.transactions)
    if isinstance(answer, NoteReceipt):
        return _wrong_notes(answer, found)
    if isinstance(answer, Declined):
        return None if agreement.is_caused(answer) else "tells of a refusal that another request caused"
    return _wrong_account(answer, found)


def _wrong_enqueue(row: Row, queued: Queued) -> str | None:
    if queued.id != row["transaction_id"]:
        return f"promises transaction {queued.id}, but names {row['transaction_id']}"
    field = queued_agreement.of_queued(queued)
    if field is None and row["id"] is not None:
        field = queued_agreement.of_executed(queued, row)
    return None if field is None else f"promises another {field} than transaction {queued.id} has"


def _wrong_account(answer: Opened | Changed, found: Found) -> str | None:
    then = answer.account
    place = then.ledger_id, then.id
    if place not in found.accounts:
        return f"tells of account {then.id}, which does not exist"
    state, change = found.states.get((*place, then.version)), found.changes.get((*place, then.revision))
    field = account_agreement.of_account(answer, found.accounts[place], state, change)
    return None if field is None else f"tells of another {field} than account {then.id} has, or had then"


def _wrong_notes(answer: NoteReceipt, found: Found) -> str | None:
    change, transaction = found.notes.get(answer.place), found.transactions.get(answer.place[:2])
    if change is None or transaction is None:
        return None  # verify_notes says it
    field = note_agreement.of_annotated(answer, change, transaction)
    return None if field is None else f"tells of another {field} of the notes on transaction {answer.place[1]}"


def _wrong_queued(row: Row) -> str | None:
    queued = _decoded(_answer, row["promise"])
    if not isinstance(queued, Queued):
        return "cannot be read"
    if (queued.command.ledger_id, queued.id) != (row["ledger_id"], row["id"]):
        return "is another one's"
    if row["has_new_id"]:
        return "has an id that was never given"
    if row["answer"] is not None:
        refusal = _decoded(_answer, row["answer"])
        if not isinstance(refusal, Declined) or not _is_of(refusal, queued.command.command):
            return "was refused for another request"
    if row["is_ahead"] or not row["is_due_later"] or not _is_told_then(queued, row):
        return "has a time that cannot be"
    asked = None if queued.command.execute_at is UNSET else queued.command.execute_at
    if not row["is_over"] and asked != row["execute_at"]:
        return "is to be executed at another time"
    if not row["is_explained"]:
        return "has attempts without an error, or an error without attempts"
    field = queued_agreement.of_queued(queued)
    return None if field is None else f"has another {field} than its request"


def _is_of(refusal: Declined, asked: Deferrable) -> bool:
    """What was refused has the ids of accounts that were asked for by names, and of exchange accounts."""
    refused: Command = refusal.command
    if any(getattr(refused, name, None) != getattr(asked, name, None) for name in _NOT_COMPARED):
        return False
    return agreement.is_caused(refusal) and first_difference(asked, refused) is None


# What is not compared under a reused key.
_NOT_COMPARED = ("ledger_id", "key", "default_expires_in", "default_min_balance", "holds")


def _is_told_then(queued: Queued, row: Row) -> bool:
    """Its row has the time at which it was enqueued; or that at which it was declined or cancelled, which is later."""
    moment = row["ctime"]
    return moment == queued.ctime or (row["is_over"] and isinstance(moment, datetime) and moment > queued.ctime)
