"""What commands reach: what must be locked, and what must be read, before they can be decided."""

from typing import Any, cast

import pytest
from msgspec import UNSET
from msgspec.structs import asdict, replace

from koshel.core.commands import ChangeAccount, Command, OpenAccount
from koshel.core.notes import Annotate
from koshel.core.reach import Reach, by_ledger, qualified, reach, references
from tests.support.exchanges import ACCOUNTS, exchange
from tests.support.split_legs import end
from tests.support.wallets import (
    account,
    book,
    capture,
    enqueue,
    execute,
    expire,
    group,
    hold,
    kept,
    payment,
    refund,
    transfer,
    void,
    withdrawal,
)

EXCHANGES = [id_ for _, id_ in ACCOUNTS]  # exchange accounts
HELD, OUTGOING, PAID, FOREIGN, MISSING = 101, 102, 103, 104, 404
ORIGINALS = kept(
    book(account(1, "100.00"), account(2, "5.00"), account(5, "50.00", ledger_id=2)),
    hold(1, 2, "40"),
    hold(1, None, "1"),
    payment(2, "1"),
    hold(5, None, "1", ledger_id=2),
).state.originals

# A command, and the transaction that it refers to.
REFERENCES: list[tuple[Command, set[tuple[int, int]]]] = [
    (payment(1, "1"), set()),
    (hold(1, 2, "1"), set()),
    (OpenAccount(1, "a@example.com"), set()),
    (ChangeAccount(1, 1), set()),
    (capture(HELD), {(1, HELD)}),
    (void(HELD, ledger_id=2), {(2, HELD)}),
    (expire(HELD), {(1, HELD)}),
    (refund(MISSING), {(1, MISSING)}),
    (enqueue(refund(PAID)), {(1, PAID)}),
    (enqueue(payment(1, "1")), set()),
    (execute(201, capture(HELD)), {(1, HELD)}),
    (execute(201, hold(1, 2, "1")), set()),
    (exchange(1, 2, "1", "1"), set()),
    (end("capture", HELD, OUTGOING), {(1, HELD), (1, OUTGOING)}),
    (enqueue(end("void", HELD, OUTGOING)), {(1, HELD), (1, OUTGOING)}),
    (execute(201, end("void", HELD, OUTGOING)), {(1, HELD), (1, OUTGOING)}),
    (group(), set()),
    (group(payment(1, "1"), capture(HELD), void(HELD), refund(PAID)), {(1, HELD), (1, PAID)}),
    (group(execute(201, refund(PAID)), expire(HELD), atomic=False), {(1, HELD), (1, PAID)}),
]


@pytest.mark.parametrize(("command", "expected"), REFERENCES)
def test_what_follows_a_transaction_refers_to_it(command: Command, expected: set[tuple[int, int]]) -> None:
    assert references([command]) == expected


def test_the_references_of_many_commands_are_those_of_each() -> None:
    commands = [command for command, _ in REFERENCES]
    assert references(commands) == set().union(*[expected for _, expected in REFERENCES])
    assert references([]) == set()


HOLDING: dict[str, Any] = {"accounts": {1: {1, 2}}, "holds": {(1, HELD)}}
ENDING: dict[str, Any] = {"accounts": {1: {1, 2}}, "holds": {(1, HELD), (1, OUTGOING)}}
PAYING: dict[str, Any] = {"accounts": {1: {2}}}  # the world outside is no account
REFUNDING: dict[str, Any] = PAYING | {"refunded": {(1, PAID)}}
# A command, and all that it reaches; what is not named is nothing.
REACHES: list[tuple[Command, dict[str, Any]]] = [
    (payment(2, "1"), PAYING),
    (withdrawal(2, "1"), PAYING),
    (transfer(1, 2, "1", key="k"), {"accounts": {1: {1, 2}}, "keys": {(1, "k")}}),
    (transfer(1, MISSING, "1", ledger_id=2), {"accounts": {2: {1, MISSING}}}),
    (hold(1, 2, "1"), {"accounts": {1: {1, 2}}}),
    (hold(1, None, "1"), {"accounts": {1: {1}}}),
    (capture(HELD), HOLDING),
    (capture(HELD, key="k"), HOLDING | {"keys": {(1, "k")}}),
    (capture(OUTGOING), {"accounts": {1: {1}}, "holds": {(1, OUTGOING)}}),
    (void(HELD), HOLDING),
    (expire(HELD), HOLDING),
    (capture(MISSING), {"holds": {(1, MISSING)}}),
    # What another ledger has, and another command of the batch has found there, says nothing of accounts here.
    (void(FOREIGN), {"holds": {(1, FOREIGN)}}),
    (refund(PAID, ledger_id=2), {"refunded": {(2, PAID)}}),
    (Annotate(2, PAID), {}),
    (enqueue(refund(PAID, ledger_id=2)), {}),
    (refund(PAID), REFUNDING),
    (refund(PAID, key="k"), REFUNDING | {"keys": {(1, "k")}}),
    (refund(MISSING), {"refunded": {(1, MISSING)}}),
    (execute(201, refund(PAID)), REFUNDING),
    (execute(201, payment(2, "1", key="k")), PAYING),  # its key has answered already
    (OpenAccount(1, "a@example.com", "JPY"), {"currencies": {"JPY"}}),
    (OpenAccount(1, "a@example.com", UNSET, default_currency="EUR"), {"currencies": {"EUR"}}),
    (OpenAccount(2, "a@example.com", key="k"), {"currencies": {"USD"}, "keys": {(2, "k")}}),
    (ChangeAccount(1, 2), {"accounts": {1: {2}}, "changed": {(1, 2)}}),
    (ChangeAccount(1, 2, key="k"), {"accounts": {1: {2}}, "changed": {(1, 2)}, "keys": {(1, "k")}}),
    (exchange(1, 2, "1", "1", key="k"), {"accounts": {1: {1, 2, *EXCHANGES}}, "keys": {(1, "k")}}),
    (end("capture", HELD, OUTGOING, key="k"), ENDING | {"keys": {(1, "k")}}),
    (execute(201, end("void", HELD, OUTGOING, key="k")), ENDING),
    (end("void", MISSING, FOREIGN), {"holds": {(1, MISSING), (1, FOREIGN)}}),
    (end("void", HELD, ledger_id=2), {"holds": {(2, HELD)}}),
    # An Enqueue locks nothing.
    (enqueue(transfer(1, 2, "1", key="k")), {"shown": {(1, 1), (1, 2)}, "keys": {(1, "k")}}),
    (enqueue(hold(1, None, "1")), {"shown": {(1, 1), (1, None)}}),
    (enqueue(capture(HELD)), {"shown": {(1, 1), (1, 2)}}),
    (enqueue(end("capture", HELD, OUTGOING)), {"shown": {(1, 1), (1, 2), (1, None)}}),
    (enqueue(end("void", MISSING, FOREIGN)), {}),
    (enqueue(refund(PAID)), {"shown": {(1, None), (1, 2)}}),
    (enqueue(void(MISSING)), {}),
    (group(key="g"), {"keys": {(1, "g")}}),
    (group(payment(2, "1"), withdrawal(2, "1")), PAYING),
    (group(payment(2, "1", key="a"), refund(PAID, key="b"), key="g"), REFUNDING | {"keys": {(1, x) for x in "abg"}}),
    (group(execute(201, refund(PAID)), atomic=False), REFUNDING),
]


def nothing() -> dict[str, Any]:
    return asdict(Reach())


@pytest.mark.parametrize(("command", "expected"), REACHES)
def test_a_command_reaches_what_it_names_and_the_sides_of_what_it_refers_to(
    command: Command, expected: dict[str, Any]
) -> None:
    assert asdict(reach([command], ORIGINALS)) == nothing() | expected


def test_many_commands_reach_what_each_does() -> None:
    expected = nothing()
    for command, _ in REACHES:
        found = asdict(reach([command], ORIGINALS))
        for ledger_id, ids in found.pop("accounts").items():
            expected["accounts"][ledger_id] |= ids
        for name, places in found.items():
            expected[name] |= places
    assert asdict(reach([command for command, _ in REACHES], ORIGINALS)) == expected
    assert asdict(reach([], ORIGINALS)) == nothing()


def test_ids_by_ledger_and_with_their_ledger_are_the_same() -> None:
    both = {1: {1, 2}, 2: {1}}
    assert qualified(both) == {(1, 1), (1, 2), (2, 1)}
    assert by_ledger(qualified(both)) == both


def test_what_was_not_found_is_not_looked_for_again() -> None:
    for command in (capture(HELD), void(HELD), expire(HELD), refund(HELD)):
        assert not reach([command], {}).accounts
    assert not reach([enqueue(capture(HELD))], {}).shown


def test_a_group_in_a_group_is_a_fault_of_ours() -> None:
    inner = cast("Any", replace(group(payment(2, "1")), key=None))
    with pytest.raises(AssertionError):
        reach([group(inner)], ORIGINALS)
