"""Labels: what a caller says of a transaction that moves no money."""

from typing import get_args

import pytest
from msgspec.structs import replace

from koshel.core.commands import Request
from koshel.core.decide import decide
from koshel.core.labelled import LABELS, Labelled, labels
from koshel.core.model import Posted
from tests.support.samples import pair
from tests.support.wallets import account, book, expire, transfer

BOOK = book(account(1, "100"), account(2, "0"))


def test_every_request_for_a_transaction_has_all_labels_and_so_has_the_transaction() -> None:
    assert all(issubclass(kind, Labelled) for kind in (*get_args(Request), Posted))


def test_where_nothing_is_said_there_are_no_labels() -> None:
    for one in (transfer(1, 2, "1"), transfer(1, 2, "1", metadata={}), expire(1)):
        assert labels(one) == {}


@pytest.mark.parametrize("name", LABELS)
def test_each_label_by_itself_is_the_transactions(name: str) -> None:
    value, _ = pair(Labelled, name)
    labelled = replace(transfer(1, 2, "1"), **{name: value})
    expected = {label: getattr(Labelled(), label) for label in LABELS} | {name: value}
    assert labels(labelled) == expected
    (posted,) = decide(BOOK, [labelled])
    assert isinstance(posted, Posted)
    assert labels(posted) == expected
