"""What a caller wants, as commands: exact amounts only, and no request that could never be right."""

from collections.abc import Callable
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from msgspec import UNSET, Struct
from msgspec.structs import asdict, fields

from koshel.asking import checks
from koshel.asking.checks import checked
from koshel.asking.requests import Requests
from koshel.asking.terms import Terms
from koshel.core.commands import (
    Capture,
    ChangeAccount,
    Enqueue,
    EnsureAccount,
    Group,
    Hold,
    Kind,
    Move,
    OpenAccount,
    Refund,
    Status,
    Void,
)
from koshel.core.labelled import LABELS, labels
from koshel.inputs.labels import Labels
from koshel.inputs.values import MEMBERS_MAX, Invalid

LEDGER = 7
TERMS = Terms(
    currency="EUR",
    max_balance=Decimal(500),
    hold_lifetime_s=60,
    hold_lifetime_max_s=3_600,
    schedule_max_s=86_400,
    exchange_min_balance=Decimal(-500),
)
requests = Requests(LEDGER, TERMS)


def test_every_request_is_its_command() -> None:
    notes = {"order": "7"}
    assert requests.payment(1, amount="5", metadata=notes, key="k") == Move(
        LEDGER, Kind.PAYMENT, None, 1, Decimal(5), "k", metadata=notes
    )
    assert requests.withdrawal(1, amount=5) == Move(LEDGER, Kind.WITHDRAWAL, 1, None, Decimal(5))
    assert requests.transfer(source=1, target=2, amount=Decimal(5)) == Move(LEDGER, Kind.TRANSFER, 1, 2, Decimal(5))
    assert requests.hold(source=1, target=None, amount=5, expires_in=9) == Hold(
        LEDGER, 1, None, Decimal(5), 9, None, 60
    )
    assert requests.capture(3, amount="1", final=False, key="k") == Capture(LEDGER, 3, Decimal(1), final=False, key="k")
    assert requests.void(3, metadata=notes) == Void(LEDGER, 3, metadata=notes)
    assert requests.refund(3, amount="2.50") == Refund(LEDGER, 3, Decimal("2.50"))


def test_what_is_left_out_means_all_of_it() -> None:
    assert requests.capture(3) == Capture(LEDGER, 3, None, final=True)
    assert requests.refund(3) == Refund(LEDGER, 3, None)


def test_an_account_is_opened_on_the_terms_that_hold_unless_others_are_given() -> None:
    plain = requests.open_account("ann@example.com")
    assert plain == OpenAccount(
        LEDGER, "ann@example.com", UNSET, Decimal(0), UNSET, {}, None, "EUR", default_max_balance=Decimal(500)
    )
    chosen = requests.open_account("ann@example.com", currency="JPY", min_balance="-5", max_balance=None, key="k")
    assert chosen == OpenAccount(LEDGER, "ann@example.com", "JPY", Decimal(-5), None, {}, "k", "EUR", Decimal(500))


def test_a_change_names_only_what_is_to_change() -> None:
    nothing = asdict(requests.change_account(4))
    assert nothing.pop("ledger_id") == LEDGER
    assert nothing.pop("account_id") == 4
    assert {name for name, value in nothing.items() if value is not UNSET} == {
        "account",
        "expected",
        "key",
        "unexpected",
    }
    assert (nothing["account"], nothing["expected"], nothing["unexpected"]) == (None, None, ())  # wherever it is
    change = requests.change_account(4, min_balance=-1, max_balance=None, status="frozen", expected=[(3, 0)])
    assert change == ChangeAccount(
        LEDGER, 4, min_balance=Decimal(-1), max_balance=None, status=Status.FROZEN, expected=((3, 0),)
    )


@pytest.mark.parametrize("seconds", [0, -1, 3_601, 10**12])
def test_a_hold_lasts_as_long_as_it_may(seconds: int) -> None:
    with pytest.raises(
        Invalid, match=r"^expires_in must (be a whole number, 1 or more|not be more than 3600 seconds)$"
    ):
        requests.hold(source=1, target=2, amount="5", expires_in=seconds)


def test_a_hold_may_last_the_least_and_the_most() -> None:
    assert [requests.hold(source=1, target=2, amount="5", expires_in=seconds).expires_in for seconds in (1, 3_600)] == [
        1,
        3_600,
    ]
    assert requests.hold(source=1, target=2, amount="5").expires_in is UNSET


@pytest.mark.parametrize(
    "build",
    [
        lambda amount: requests.payment(1, amount=amount),
        lambda amount: requests.withdrawal(1, amount=amount),
        lambda amount: requests.transfer(source=1, target=2, amount=amount),
        lambda amount: requests.hold(source=1, target=2, amount=amount),
        lambda amount: requests.capture(3, amount=amount),
        lambda amount: requests.refund(3, amount=amount),
    ],
)
def test_nothing_moves_less_than_something(build: Callable[[Any], object]) -> None:
    for amount in ("0", "-1"):
        with pytest.raises(Invalid, match=r"^amount must be more than zero$"):
            build(amount)
    with pytest.raises(Invalid, match=r"^amount must be exact"):
        build(0.5)


def test_a_status_that_nobody_knows_is_refused() -> None:
    with pytest.raises(Invalid, match=r'^status must be one of "closed", "frozen", "open"$'):
        requests.change_account(1, status="asleep")


@pytest.mark.parametrize("count", [0, MEMBERS_MAX + 1])
def test_a_batch_has_one_to_a_thousand_members(count: int) -> None:
    with pytest.raises(Invalid, match=r"^transactions must have 1 to 1000 members$"):
        requests.batch([requests.void(1)] * count)


def test_a_batch_keeps_its_members_in_order() -> None:
    members = [requests.void(number) for number in range(1, MEMBERS_MAX + 1)]
    assert requests.batch(members, atomic=False, key="k") == Group(LEDGER, tuple(members), atomic=False, key="k")


def test_what_is_settled_later_keeps_its_key() -> None:
    request = requests.payment(1, amount="5", key="k")
    assert requests.enqueue(request) == Enqueue(LEDGER, request, "k")


@pytest.mark.parametrize(
    "command", [requests.change_account(1), requests.transfer(source=1, target=2, amount="5"), requests.void(1)]
)
def test_what_says_nothing_of_metadata_is_taken_as_it_is(command: Any) -> None:
    assert checked(command) == command


@pytest.mark.parametrize("patch", [{}, {"a": "b"}, {"a": None, "k" * 40: "x" * 500}])
def test_a_program_may_patch_metadata(patch: dict[str, str | None]) -> None:
    change = requests.change_account(4, metadata_patch=patch, unexpected=[(3, 0)])
    assert checked(change) == ChangeAccount(LEDGER, 4, metadata_patch=patch, unexpected=((3, 0),))


@pytest.mark.parametrize("patch", [{"a": 1}, {"": "b"}, {"k" * 41: None}, {"a": "x" * 501}, {"a": "\0"}])
def test_a_program_may_not_patch_with_what_cannot_be_kept(patch: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match=r"^metadata_patch(/\S*)? must "):
        checked(requests.change_account(4, metadata_patch=patch))


def test_metadata_is_replaced_or_patched_and_not_both() -> None:
    with pytest.raises(Invalid, match=r"^metadata_patch does not go with metadata$"):
        requests.change_account(4, metadata={}, metadata_patch={})


@pytest.mark.parametrize("expected", [5, [5], [(1,)], [(1, "2")], ["ab"], [("\ud800", 1)]])
def test_where_an_account_is_expected_is_a_version_and_a_revision(expected: Any) -> None:
    for name in ("expected", "unexpected"):
        with pytest.raises(Invalid, match=rf"^{name} must be pairs of a version and a revision$"):
            requests.change_account(4, **{name: expected})


def test_any_mapping_is_taken_as_metadata_and_kept_as_a_dict() -> None:
    notes = MappingProxyType({"order": "7"})
    payment = checked(requests.payment(1, amount=5, metadata=notes))
    assert (payment.metadata, type(payment.metadata)) == ({"order": "7"}, dict)
    batch = checked(requests.batch([requests.void(3, metadata=notes)]))
    assert [type(getattr(one, "metadata", None)) for one in batch.members] == [dict]
    later = checked(requests.enqueue(requests.payment(1, amount=5, metadata=notes)))
    assert type(later.command.metadata) is dict


def test_a_member_that_is_wrong_is_named_by_its_place() -> None:
    batch = requests.batch([requests.void(3), requests.void(0)])
    with pytest.raises(Invalid) as refused:
        checked(batch)
    assert refused.value.field == "transactions/1/parent_id"


def test_a_caller_may_give_every_label_and_no_other() -> None:
    assert Labels.__struct_fields__ == LABELS
    assert labels(Labels()) == {}


OURS = {
    "ledger_id",
    "id",
    "default_currency",
    "default_max_balance",
    "default_expires_in",
    "schedule_max_s",
}  # nobody outside gives these
PARSED = {
    "amount",
    "min_balance",
    "max_balance",
    "status",
    "expected",
    "unexpected",
    "capture_at",
    "execute_at",
    "limits",
}  # each by its own
WHOLE = {"kind", "members", "command"}


@pytest.mark.parametrize(
    "command", [OpenAccount, EnsureAccount, ChangeAccount, Move, Hold, Capture, Void, Refund, Group, Enqueue]
)
def test_every_field_of_a_command_passes_the_front_door(command: type[Struct]) -> None:
    names = {one.name for one in fields(command)}
    assert names <= OURS | PARSED | WHOLE | {one.name for one in fields(checks._Fields)}
