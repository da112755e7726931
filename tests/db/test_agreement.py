"""What a group's receipt keeps agrees with what its members became, also if an older version did not say all of it."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from msgspec import NODEFAULT
from msgspec.structs import fields

from koshel.core.commands import Request
from koshel.core.decide import decide
from koshel.core.model import Grouped, Posted
from koshel.db.mapping.group_receipts import MemberReceipt, restored, to_receipt
from koshel.db.mapping.sides import flat
from koshel.db.mapping.tables import TRANSACTION
from koshel.db.verifying import agreement
from tests.support.wallets import account, book, capture, group, hold, kept, payment, refund, transfer, void

BOOK = kept(book(account(1, "100"), account(2, "5")), hold(1, 2, "10"), payment(1, "3"))
REFUSED = [transfer(1, 2, "900"), hold(1, 2, "900"), capture(101, "11"), void(77), refund(101)]
POSTED = [hold(1, 2, "1"), capture(101), void(101), refund(102)]


def kept_of(request: Request) -> MemberReceipt:
    """Its receipt, as the only member of a group, as it is read again."""
    (grouped,) = decide(BOOK, [group(request, atomic=False, key="k")])
    assert isinstance(grouped, Grouped)
    return msgspec.convert(msgspec.to_builtins(to_receipt(grouped).members[0]), MemberReceipt)


def without_defaults(request: Request, told: Mapping[str, Any]) -> dict[str, Any]:
    """What was kept of a request before the fields were there that have their defaults."""
    optional = [one for one in fields(request) if not one.required]
    defaults = {one.name: one.default_factory() if one.default is NODEFAULT else one.default for one in optional}
    left_out = {name for name, default in defaults.items() if getattr(request, name) == default}
    return {name: value for name, value in told.items() if name not in left_out}


def row_of(one: Posted) -> Mapping[str, Any]:
    """As `find_members` would read it."""
    own = {column.name: getattr(one, column.at) for column in TRANSACTION if not column.side}
    return own | flat(one) | {"metadata": msgspec.json.encode(one.metadata).decode(), "currency": one.currency}


@pytest.mark.parametrize("request_", REFUSED)
def test_a_refusal_is_of_what_was_asked_for(request_: Request) -> None:
    receipt = kept_of(request_)
    told = receipt.outcome["command"]
    older = {**receipt.outcome, "command": without_defaults(request_, told)}
    assert older["command"].keys() < told.keys()
    assert agreement.is_answered(receipt)
    assert agreement.is_answered(MemberReceipt(request_, older))
    assert not agreement.is_answered(MemberReceipt(request_, {**older, "command": told | {"ledger_id": 9}}))


@pytest.mark.parametrize("request_", POSTED)
def test_a_transaction_is_of_what_was_asked_for(request_: Request) -> None:
    receipt = kept_of(request_)
    row = row_of(restored(receipt.outcome))
    told = receipt.outcome["request"]
    older = {**receipt.outcome, "request": without_defaults(request_, told)}
    assert older["request"].keys() < told.keys()
    for outcome in (receipt.outcome, older):
        assert agreement.of_member(receipt, outcome, row, None) is None
    other = {**receipt.outcome, "request": told | {"ledger_id": 9}}
    assert agreement.of_member(receipt, other, row, None) == "request"
