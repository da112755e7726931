"""All holds of a split end together, or none does; and what is kept of that for their key, or for later."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from koshel.core.book import after
from koshel.core.commands import Capture, Command, Execute, Kind, Status, Void
from koshel.core.decide import decide
from koshel.core.ending import EndSplit
from koshel.core.enqueue import capture_at
from koshel.core.labelled import labels
from koshel.core.model import Book, Declined, Executed, Grouped, Outcome, Queued, Refusal, Replayed
from koshel.core.reach import weight_of
from tests.support.limited import limit, limiting
from tests.support.looks import at
from tests.support.split_legs import end, of, split, to
from tests.support.wallets import (
    DAY,
    NOW,
    account,
    book,
    capture,
    enqueue,
    execute,
    group,
    hold,
    kept,
    payment,
    postings,
    transfer,
    void,
)

R = Refusal
FIRST, SECOND, MOVED, OUT, OTHER = range(101, 106)
ABROAD, MISSING = 106, 404
BOOK = kept(
    book(
        account(1, "100.00", name="users:1"),
        account(2, "0.00"),
        account(3, "0.00"),
        account(4, "50.00"),
        account(5, "9.00", ledger_id=2),
    ),
    split("10", source=1, targets=[to(2, "1/3"), to(3)], is_hold=True),
    transfer(1, 2, "1"),
    split("6", sources=[of(1, "2"), of(4)], is_hold=True),
    hold(5, None, "1", ledger_id=2),
)
HOLDS = FIRST, SECOND
ALONE: Mapping[str, Callable[..., Capture | Void]] = {"capture": capture, "void": void}
SAID: Mapping[str, Any] = {
    "metadata": {"parcel": "1"},
    "reference": "order 7",
    "description": "sent",
    "effective_on": datetime(2026, 2, 28, tzinfo=UTC).date(),
}


def balances(found: Book, *ids: int) -> list[tuple[str, str]]:
    return [(str(one.balance), str(one.held)) for one in (found.state.accounts[id_] for id_ in ids)]


def decided(command: Command, found: Book = BOOK) -> Outcome:
    (outcome,) = decide(found, [command])
    return outcome


@pytest.mark.parametrize(
    ("command", "money"),
    [
        (end("capture", *HOLDS), [("89.00", "2.00"), ("4.33", "0.00"), ("6.67", "0.00"), ("50.00", "4.00")]),
        (end("void", *HOLDS), [("99.00", "2.00"), ("1.00", "0.00"), ("0.00", "0.00"), ("50.00", "4.00")]),
        (end("capture", OUT, OTHER), [("97.00", "10.00"), ("1.00", "0.00"), ("0.00", "0.00"), ("46.00", "0.00")]),
    ],
)
def test_each_hold_ends_in_a_transaction_of_its_own(command: EndSplit, money: list[tuple[str, str]]) -> None:
    outcome = decided(replace(command, **SAID))
    assert isinstance(outcome, Grouped)
    assert (outcome.has_id, [one.parent_id for one in postings([outcome])]) == (True, [*command.holds])
    assert {(one.kind, one.key, one.request) for one in postings([outcome])} == {(Kind(command.kind), None, None)}
    assert [labels(one) for one in postings([outcome])] == [SAID] * 2
    assert balances(after(BOOK, [outcome]), 1, 2, 3, 4) == money


@pytest.mark.parametrize("kind", ["capture", "void"])
def test_it_is_what_a_batch_of_each_would_be(kind: Any) -> None:
    batch = group(*(ALONE[kind](id_) for id_ in HOLDS))
    together, one_by_one = decided(end(kind, *HOLDS)), decided(batch)
    assert [replace(one, request=None) for one in postings([one_by_one])] == postings([together])
    assert after(BOOK, [together]) == after(BOOK, [one_by_one])


def changed(account_id: int, **fields: Any) -> Book:
    one = replace(BOOK.state.accounts[account_id], **fields)
    state = replace(BOOK.state, accounts=BOOK.state.accounts | {account_id: one})
    return replace(BOOK, state=state)


# The book, what is asked, the place of the hold that cannot end so, and why.
REFUSED: list[tuple[Book, EndSplit, int, Refusal]] = [
    (BOOK, end("capture", MOVED), 0, R.NOT_A_HOLD),
    (BOOK, end("void", FIRST, MISSING), 1, R.TRANSACTION_NOT_FOUND),
    (BOOK, end("void", FIRST, ABROAD), 1, R.TRANSACTION_NOT_FOUND),
    (BOOK, end("capture", *HOLDS, ledger_id=2), 0, R.TRANSACTION_NOT_FOUND),
    (after(BOOK, decide(BOOK, [void(SECOND)])), end("capture", *HOLDS), 1, R.HOLD_NOT_OPEN),
    (after(BOOK, decide(BOOK, [capture(FIRST, "1")])), end("void", *HOLDS), 0, R.HOLD_NOT_OPEN),
    (at(NOW + timedelta(seconds=DAY), BOOK), end("capture", *HOLDS), 0, R.HOLD_EXPIRED),
    (changed(3, status=Status.FROZEN), end("capture", *HOLDS), 1, R.ACCOUNT_FROZEN),
    (changed(1, status=Status.CLOSED), end("capture", *HOLDS), 0, R.ACCOUNT_CLOSED),
    (changed(3, max_balance=Decimal(6)), end("capture", *HOLDS), 1, R.BALANCE_LIMIT_EXCEEDED),
    (kept(BOOK, limiting(1, limit("1d", "3.33")), first_id=201), end("capture", *HOLDS), 1, R.LIMIT_EXCEEDED),
]


@pytest.mark.parametrize(("found", "command", "index", "refusal"), REFUSED)
def test_if_one_cannot_end_none_does(found: Book, command: EndSplit, index: int, refusal: Refusal) -> None:
    outcome = decided(command, found)
    assert isinstance(outcome, Declined)
    assert (outcome.refusal, outcome.facts) == (R.BATCH_REFUSED, {"index": index})
    alone = ALONE[command.kind](command.holds[index], ledger_id=command.ledger_id)
    assert outcome.cause is not None
    assert (outcome.cause.refusal, outcome.cause.command) == (refusal, alone)
    assert after(found, [outcome]) == found
    as_a_batch = decided(
        group(*(replace(alone, parent_id=id_) for id_ in command.holds), ledger_id=alone.ledger_id), found
    )
    assert isinstance(as_a_batch, Declined)
    assert (as_a_batch.facts, as_a_batch.cause) == (outcome.facts, outcome.cause)


def test_a_part_of_a_hold_that_is_left_ends_with_the_others() -> None:
    ahead = after(BOOK, decide(BOOK, [capture(FIRST, "1", final=False)]))
    assert [str(one.amount) for one in postings([decided(end("capture", *HOLDS), ahead)])] == ["2.33", "6.67"]


def test_later_holds_see_what_earlier_ones_have_left() -> None:
    full = kept(changed(2, max_balance=Decimal(2)), split("2", source=1, targets=[to(2, "1"), to(2)], is_hold=True))
    (first, second) = sorted(full.state.holds)[:2]
    outcome = decided(end("capture", first, second), full)
    assert isinstance(outcome, Declined)
    assert outcome.facts == {"index": 1}


LATER = datetime(2026, 11, 24, tzinfo=UTC)
ENDED = end("capture", *HOLDS, key="k")
# What is asked under the key of ENDED; the field that differs, None if it is the same request.
AGAIN: list[tuple[Command, str | None]] = [
    (ENDED, None),
    (enqueue(ENDED), None),
    (replace(ENDED, holds=(FIRST,)), None),  # which they are is not asked, but found
    (replace(ENDED, split_id=8), "split_id"),
    (end("void", *HOLDS, key="k"), "kind"),
    (enqueue(ENDED, LATER), "execute_at"),
    *((replace(ENDED, **{name: said}), name) for name, said in SAID.items()),
    (capture(FIRST, key="k"), "kind"),
    (void(FIRST, key="k"), "kind"),
    (payment(1, "1", key="k"), "kind"),
    (transfer(1, 2, "1", key="k"), "kind"),
    (split("1", source=1, targets=[to(2)], key="k"), "kind"),
    (group(capture(FIRST), capture(SECOND), key="k"), "kind"),
]


@pytest.mark.parametrize(("again", "field"), AGAIN)
@pytest.mark.parametrize("is_queued", [False, True])
def test_a_key_answers_as_it_did_and_no_other_request(again: Command, field: str | None, *, is_queued: bool) -> None:
    first = enqueue(ENDED) if is_queued else ENDED
    answer, repeated = decide(BOOK, [first, again])
    if field is None:
        assert repeated == Replayed(answer)  # type: ignore[arg-type]  # a first one
    else:
        assert repeated == Declined(again, R.IDEMPOTENCY_KEY_REUSED, {"field": field})


@pytest.mark.parametrize("other", [capture(FIRST, key="k"), transfer(1, 2, "1", key="k"), hold(1, 2, "1", key="k")])
def test_its_key_is_that_of_no_member_and_no_members_is_its_own(other: Any) -> None:
    reused = Declined(other, R.IDEMPOTENCY_KEY_REUSED, {"field": "kind"})
    _, outcome = decide(BOOK, [ENDED, group(other, atomic=False)])
    assert isinstance(outcome, Grouped)
    assert outcome.outcomes == [reused]
    _, outcome = decide(BOOK, [group(other, atomic=False), ENDED])
    assert outcome == Declined(ENDED, R.IDEMPOTENCY_KEY_REUSED, {"field": "kind"})


def test_what_was_queued_gives_the_first_transaction_its_id_and_its_key() -> None:
    outcome = decided(execute(900, ENDED))
    assert isinstance(outcome, Executed)
    assert isinstance(outcome.outcome, Grouped)
    assert outcome.outcome.command == replace(ENDED, key=None)
    assert [(one.id, one.key) for one in postings([outcome])] == [(900, "k"), (0, None)]
    refunded = decide(BOOK, [execute(900, ENDED), end("void", *HOLDS)])
    assert isinstance(refunded[1], Declined), "its holds have ended"


def test_what_was_queued_and_cannot_end_any_more_has_the_refusal_that_it_would_have_had_at_once() -> None:
    ahead = after(BOOK, decide(BOOK, [void(SECOND)]))
    outcome = decided(execute(900, ENDED), ahead)
    assert isinstance(outcome, Executed)
    assert outcome.outcome == decided(ENDED, ahead)


# Of each: what it shows of source, target and currency.
SHOWN: list[tuple[EndSplit, tuple[int | None, int | None], str | None, str | None]] = [
    (end("capture", *HOLDS), (1, None), "USD", "users:1"),
    (end("void", OUT, OTHER), (None, None), "USD", None),
    (end("void", FIRST), (1, 2), "USD", "users:1"),
    (end("capture", MISSING), (None, None), None, None),
    (end("capture", ABROAD), (None, None), None, None),
]


@pytest.mark.parametrize(("command", "sides", "currency", "name"), SHOWN)
def test_a_queued_one_shows_what_its_holds_have_in_common(
    command: EndSplit, sides: tuple[int | None, int | None], currency: str | None, name: str | None
) -> None:
    queued = decided(enqueue(command))
    assert isinstance(queued, Queued)
    assert (queued.source_account_id, queued.target_account_id) == sides
    assert (queued.currency, queued.source, queued.target) == (currency, name, None)
    assert (queued.kind, queued.parent_id, queued.amount) == (Kind(command.kind), command.holds[0], None)
    assert (capture_at(queued), type(queued.kind)) == (None, Kind)


def test_it_weighs_as_much_as_it_has_holds() -> None:
    assert weight_of(end("capture", *HOLDS)) == 2
    assert weight_of(enqueue(end("capture", *HOLDS))) == weight_of(Execute(1, 900, ENDED)) == 1


@pytest.mark.parametrize(
    ("request_", "moment"),
    [
        (hold(1, 2, "1", capture_at=NOW + timedelta(hours=1)), NOW + timedelta(hours=1)),
        (hold(1, 2, "1"), None),
        (split("1", source=1, targets=[to(2)], is_hold=True), None),
        (transfer(1, 2, "1"), None),
    ],
)
def test_a_queued_hold_says_when_it_is_captured_by_itself(request_: Any, moment: datetime | None) -> None:
    queued = decided(enqueue(request_))
    assert isinstance(queued, Queued)
    assert capture_at(queued) == moment
