"""The schema's rules for money that waits, returns or is queued, and for accounts that change."""

from collections.abc import Mapping

import pytest
from psycopg import errors

from tests.support.table_rows import (
    ACCOUNT,
    NO_SOURCE,
    NO_TARGET,
    RECEIPT,
    TRANSFER,
    Connection,
    Row,
    insert,
)

UNTOUCHED = {"target_balance": "NULL", "target_version": "NULL"}  # the target is only named
HOLD = TRANSFER | UNTOUCHED | {"kind": "'hold'", "source_held": "10.00", "expires_at": "now()"}
CAPTURE = TRANSFER | {"kind": "'capture'", "parent_id": "1"}
VOID = TRANSFER | UNTOUCHED | {"kind": "'void'", "parent_id": "1"}
EXPIRY = VOID | {"kind": "'expiry'"}
REFUND = TRANSFER | {"kind": "'refund'", "parent_id": "1"}
OPEN_HOLD = {"ledger_id": "1", "id": "1", "amount": "10.00", "expires_at": "now()"}
QUEUED = {"ledger_id": "1", "id": "1", "promise": "'{}'", "due": "now()", "ctime": "now()"}
CANCELLED = {"ledger_id": "1", "id": "1", "promise": "'{}'", "ctime": "now()"}
DECLINED = {"ledger_id": "1", "id": "1", "promise": "'{}'", "answer": "'{}'", "ctime": "now()"}
NOTED = {"ledger_id": "1", "transaction_id": "1", "revision": "1", "metadata": "'{}'", "ctime": "now()"}
EMPTY = {"balance": "0.00", "held": "0.00", "status": "'closed'"}

RIGHT: Mapping[str, tuple[str, Row]] = {
    "a frozen account with money": ("account", ACCOUNT | {"status": "'frozen'"}),
    "a closed account without money": ("account", ACCOUNT | EMPTY),
    "an account that was changed": ("account", ACCOUNT | {"revision": "1"}),
    "a transfer between accounts with holds": (
        "transaction",
        TRANSFER | {"source_held": "0.01", "target_held": "7.00"},
    ),
    "a transaction of a group": ("transaction", TRANSFER | {"group_id": "1"}),
    "a hold": ("transaction", HOLD),
    "a hold for a withdrawal": ("transaction", HOLD | NO_TARGET),
    "a capture": ("transaction", CAPTURE),
    "a capture of a hold for a withdrawal": ("transaction", CAPTURE | NO_TARGET),
    "a void": ("transaction", VOID),
    "a void of a hold for a withdrawal": ("transaction", VOID | NO_TARGET),
    "an expiry": ("transaction", EXPIRY),
    "a refund of a transfer": ("transaction", REFUND),
    "a refund of a payment": ("transaction", REFUND | NO_TARGET),
    "a refund of a withdrawal": ("transaction", REFUND | NO_SOURCE),
    "an open hold": ("hold", OPEN_HOLD),
    "a receipt of a transaction with its request": ("receipt", RECEIPT | {"request": "'{}'"}),
    "a receipt of a queued transaction": ("receipt", RECEIPT | {"answer": "'{}'"}),
    "a queued transaction": ("queued", QUEUED),
    "a queued transaction that failed before": ("queued", QUEUED | {"attempts": "3", "error": "'deadlock'"}),
    "a declined transaction": ("declined", DECLINED),
    "a cancelled transaction": ("cancelled", CANCELLED),
    "a cancelled transaction that says by which request": ("cancelled", CANCELLED | {"request_id": "'till-3'"}),
    "a change of notes": ("transaction_change", NOTED | {"description": "'rent'", "idempotency_key": "'k'"}),
    "a hold that is captured before it expires": ("transaction", HOLD | {"capture_at": "now() - interval '1 minute'"}),
}
WRONG: Mapping[str, tuple[str, Row]] = {
    "a closed account with money": ("account", ACCOUNT | EMPTY | {"balance": "0.01"}),
    "a closed account that owes money": ("account", ACCOUNT | EMPTY | {"balance": "-0.01"}),
    "a closed account with held money": ("account", ACCOUNT | EMPTY | {"held": "0.01"}),
    "a revision before the first": ("account", ACCOUNT | {"revision": "-1"}),
    "a payment that follows something": ("transaction", TRANSFER | {"kind": "'payment'", "parent_id": "1"} | NO_SOURCE),
    "a transfer that follows something": ("transaction", TRANSFER | {"parent_id": "1"}),
    "a withdrawal that follows something": (
        "transaction",
        TRANSFER | {"kind": "'withdrawal'", "parent_id": "1"} | NO_TARGET,
    ),
    "a transfer that expires": ("transaction", TRANSFER | {"expires_at": "now()"}),
    "nothing held, said": ("transaction", TRANSFER | {"source_held": "0.00"}),
    "less than nothing held": ("transaction", TRANSFER | {"target_held": "-0.01"}),
    "held money that is no number": ("transaction", TRANSFER | {"source_held": "'NaN'"}),
    "endless money held": ("transaction", TRANSFER | {"target_held": "'Infinity'"}),
    "money held outside": ("transaction", TRANSFER | {"kind": "'payment'", "source_held": "1.00"} | NO_SOURCE),
    "a hold without a source": ("transaction", HOLD | NO_SOURCE | {"source_held": "NULL"}),
    "a hold for ever": ("transaction", HOLD | {"expires_at": "NULL"}),
    "a hold that is captured when it expires": ("transaction", HOLD | {"capture_at": "now()"}),
    "a transfer that is captured": ("transaction", TRANSFER | {"capture_at": "now()"}),
    "a hold that follows something": ("transaction", HOLD | {"parent_id": "1"}),
    "a hold that changes its target's balance": ("transaction", HOLD | {"target_balance": "1.00"}),
    "a hold that counts for its target": ("transaction", HOLD | {"target_version": "1"}),
    "a hold that holds its target's money": ("transaction", HOLD | {"target_held": "1.00"}),
    "a hold that does not touch its source": ("transaction", HOLD | {"source_version": "NULL", "source_held": "NULL"}),
    "a capture of nothing": ("transaction", CAPTURE | {"parent_id": "NULL"}),
    "a capture without a source": ("transaction", CAPTURE | NO_SOURCE),
    "a capture that does not touch its target": ("transaction", CAPTURE | UNTOUCHED),
    "a capture that expires": ("transaction", CAPTURE | {"expires_at": "now()"}),
    "a void of nothing": ("transaction", VOID | {"parent_id": "NULL"}),
    "a void without a source": ("transaction", VOID | NO_SOURCE),
    "a void that touches its target": ("transaction", VOID | {"target_balance": "1.00", "target_version": "1"}),
    "an expiry of nothing": ("transaction", EXPIRY | {"parent_id": "NULL"}),
    "an expiry that touches its target": ("transaction", EXPIRY | {"target_balance": "1.00", "target_version": "1"}),
    "a refund of nothing": ("transaction", REFUND | {"parent_id": "NULL"}),
    "a refund from outside to outside": ("transaction", REFUND | NO_SOURCE | NO_TARGET),
    "a refund that does not touch its target": ("transaction", REFUND | UNTOUCHED),
    "an open hold of nothing": ("hold", OPEN_HOLD | {"amount": "0.00"}),
    "an open hold of less than nothing": ("hold", OPEN_HOLD | {"amount": "-0.01"}),
    "an open hold of what is no number": ("hold", OPEN_HOLD | {"amount": "'NaN'"}),
    "an open hold of endless money": ("hold", OPEN_HOLD | {"amount": "'Infinity'"}),
    "a receipt of a queued transaction with a request": ("receipt", RECEIPT | {"answer": "'{}'", "request": "'{}'"}),
    "a receipt of a request alone": ("receipt", RECEIPT | {"transaction_id": "NULL", "request": "'{}'"}),
    "notes of the first revision": ("transaction_change", NOTED | {"revision": "0"}),
    "notes that are no object": ("transaction_change", NOTED | {"metadata": "'[]'"}),
    "fewer attempts than none": ("queued", QUEUED | {"attempts": "-1"}),
}
NOT_SAID: Mapping[str, tuple[str, Row]] = {
    "an open hold for ever": ("hold", OPEN_HOLD | {"expires_at": "NULL"}),
    "a queued transaction that is never due": ("queued", QUEUED | {"due": "NULL"}),
    "a queued transaction of nothing": ("queued", QUEUED | {"promise": "NULL"}),
    "a declined transaction without a reason": ("declined", DECLINED | {"answer": "NULL"}),
    "a cancelled transaction that was cancelled at no time": ("cancelled", CANCELLED | {"ctime": "NULL"}),
}
DOUBLED: Mapping[str, tuple[str, Row]] = {
    "an open hold": ("hold", OPEN_HOLD),
    "a queued transaction": ("queued", QUEUED),
    "a declined transaction": ("declined", DECLINED),
    "a cancelled transaction": ("cancelled", CANCELLED),
}


@pytest.mark.parametrize("case", RIGHT)
def test_a_row_that_breaks_no_rule_is_taken(connection: Connection, case: str) -> None:
    insert(connection, *RIGHT[case])


@pytest.mark.parametrize("case", WRONG)
def test_a_row_that_breaks_a_rule_is_not_taken(connection: Connection, case: str) -> None:
    with pytest.raises(errors.CheckViolation):
        insert(connection, *WRONG[case])


@pytest.mark.parametrize("case", NOT_SAID)
def test_a_row_that_leaves_something_out_is_not_taken(connection: Connection, case: str) -> None:
    with pytest.raises(errors.NotNullViolation):
        insert(connection, *NOT_SAID[case])


@pytest.mark.parametrize("case", DOUBLED)
def test_what_is_unique_is_not_taken_twice_but_by_another_ledger(connection: Connection, case: str) -> None:
    table, row = DOUBLED[case]
    insert(connection, table, row)
    insert(connection, table, {**row, "ledger_id": "2"})
    with pytest.raises(errors.UniqueViolation):
        insert(connection, table, row)


def test_two_versions_of_an_account_are_never_the_same_whatever_named_it(connection: Connection) -> None:
    insert(connection, "transaction", HOLD)
    with pytest.raises(errors.UniqueViolation):
        insert(connection, "transaction", VOID | {"id": "2"})


def test_a_target_may_be_named_by_many_holds(connection: Connection) -> None:
    insert(connection, "transaction", HOLD)
    insert(connection, "transaction", HOLD | {"id": "2", "source_version": "3"})
