"""The schema says the core's rules once more: a row that breaks one cannot be written, whoever writes it."""

from collections.abc import Mapping

import pytest
from psycopg import errors

from tests.support.table_rows import (
    ACCOUNT,
    BATCH,
    NO_SOURCE,
    NO_TARGET,
    RECEIPT,
    TRANSFER,
    Connection,
    Row,
    insert,
)

CURRENCY = {"code": "'POINTS'", "scale": "0"}
LEDGER = {"name": "'second'"}

RIGHT: Mapping[str, tuple[str, Row]] = {
    "an account": ("account", ACCOUNT),
    "an account at its floor": ("account", ACCOUNT | {"balance": "-1.00"}),
    "an account at its ceiling": ("account", ACCOUNT | {"balance": "100.00"}),
    "an account without a ceiling": ("account", ACCOUNT | {"max_balance": "NULL", "balance": "999999999999999999.99"}),
    "an account without decimals": ("account", ACCOUNT | {"scale": "0", "balance": "10", "held": "4"}),
    "a transfer": ("transaction", TRANSFER),
    "a payment": ("transaction", TRANSFER | {"kind": "'payment'"} | NO_SOURCE),
    "a withdrawal": ("transaction", TRANSFER | {"kind": "'withdrawal'"} | NO_TARGET),
    "a receipt of a transaction": ("receipt", RECEIPT),
    "a receipt with its own answer": ("receipt", RECEIPT | {"transaction_id": "NULL", "answer": "'{}'"}),
    "a batch": ("batch", BATCH),
    "a fence": ("batch", BATCH | {"transaction_ids": "NULL"}),
    "a currency": ("currency", CURRENCY),
    "a ledger": ("ledger", LEDGER),
}

ACCOUNTS_WRONG: Mapping[str, Row] = {
    "a balance under the floor": {"balance": "-1.01"},
    "held money taken under the floor": {"balance": "-5.00", "held": "0.01"},
    "a balance over the ceiling": {"balance": "100.01"},
    "a balance of nineteen digits": {"balance": "1000000000000000000.00", "max_balance": "NULL"},
    "a balance of minus nineteen digits": {"balance": "-1e18", "min_balance": "-1e18"},
    "a balance with more decimals than its currency": {"balance": "10.001"},
    "a balance with fewer decimals than its currency": {"balance": "10.0"},
    "held money with other decimals": {"held": "4"},
    "a balance that is no number": {"balance": "'NaN'", "max_balance": "NULL"},
    "less than nothing held": {"held": "-0.01"},
    "held money that is no number": {"held": "'NaN'"},
    "endless money held": {"held": "'Infinity'"},
    "a floor over zero": {"min_balance": "0.01"},
    "no end to the overdraft": {"min_balance": "'-Infinity'"},
    "a floor that is no number": {"min_balance": "'NaN'"},
    "a ceiling that is no number": {"max_balance": "'NaN'"},
    "an endless ceiling": {"max_balance": "'Infinity'"},
    "a version before the first": {"version": "-1"},
    "an id of zero": {"id": "0"},
    "a status that nobody knows": {"status": "'asleep'"},
    "more decimals than a currency may have": {"scale": "19"},
    "fewer decimals than none": {"scale": "-1"},
}
TRANSFERS_WRONG: Mapping[str, Row] = {
    "nothing moved": {"amount": "0.00"},
    "less than nothing moved": {"amount": "-0.01"},
    "an amount that is no number": {"amount": "'NaN'"},
    "an endless amount": {"amount": "'Infinity'"},
    "source and target the same": {"target_account_id": "1"},
    "a kind that nobody knows": {"kind": "'gift'"},
    "a payment with a source": {"kind": "'payment'"},
    "a withdrawal with a target": {"kind": "'withdrawal'"},
    "a payment without a target": {"kind": "'payment'"} | NO_SOURCE | NO_TARGET,
    "a transfer without a source": NO_SOURCE,
    "a transfer without a target": NO_TARGET,
    "a source without its balance": {"source_balance": "NULL"},
    "a source without its version": {"source_version": "NULL"},
    "a target without its balance": {"target_balance": "NULL"},
    "a target without its version": {"target_version": "NULL"},
    "a balance of nobody": {"kind": "'payment'", "source_account_id": "NULL", "source_version": "NULL"},
}
OTHERS_WRONG: Mapping[str, tuple[str, Row]] = {
    "a receipt of nothing": ("receipt", RECEIPT | {"transaction_id": "NULL"}),
    "a currency code in small letters": ("currency", CURRENCY | {"code": "'points'"}),
    "a currency code that is too short": ("currency", CURRENCY | {"code": "'P'"}),
    "a currency with too many decimals": ("currency", CURRENCY | {"scale": "19"}),
    "a ledger with a blank in its name": ("ledger", {"name": "'my own'"}),
}
WRONG: Mapping[str, tuple[str, Row]] = {
    **{name: ("account", {**ACCOUNT, **change}) for name, change in ACCOUNTS_WRONG.items()},
    **{name: ("transaction", {**TRANSFER, **change}) for name, change in TRANSFERS_WRONG.items()},
    **OTHERS_WRONG,
}

NEXT = {"id": "2", "source_version": "3", "target_version": "2"}  # the transfer after TRANSFER
DOUBLED: Mapping[str, tuple[str, Row, Row]] = {
    "an account's id": ("account", ACCOUNT, ACCOUNT),
    "a transaction's id": ("transaction", TRANSFER, TRANSFER | NEXT | {"id": "1"}),
    "a source's version": ("transaction", TRANSFER, TRANSFER | NEXT | {"source_version": "2"}),
    "a target's version": ("transaction", TRANSFER, TRANSFER | NEXT | {"target_version": "1"}),
    "a receipt's key": ("receipt", RECEIPT, RECEIPT | {"transaction_id": "2"}),
    "a batch's id": ("batch", BATCH, BATCH),
    "a currency's code": ("currency", CURRENCY, CURRENCY | {"scale": "1"}),
    "a ledger's name": ("ledger", LEDGER, LEDGER),
}


@pytest.mark.parametrize("case", RIGHT)
def test_a_row_that_breaks_no_rule_is_taken(connection: Connection, case: str) -> None:
    insert(connection, *RIGHT[case])


@pytest.mark.parametrize("case", WRONG)
def test_a_row_that_breaks_a_rule_is_not_taken(connection: Connection, case: str) -> None:
    with pytest.raises(errors.CheckViolation):
        insert(connection, *WRONG[case])


@pytest.mark.parametrize("case", DOUBLED)
def test_what_is_unique_is_not_taken_twice(connection: Connection, case: str) -> None:
    table, first, second = DOUBLED[case]
    insert(connection, table, first)
    with pytest.raises(errors.UniqueViolation):
        insert(connection, table, second)


@pytest.mark.parametrize(("table", "row"), [("account", ACCOUNT), ("transaction", TRANSFER)])
def test_another_ledger_may_have_the_same_ids(connection: Connection, table: str, row: Row) -> None:
    insert(connection, table, row)
    insert(connection, table, {**row, "ledger_id": "2"})


def test_the_next_transfer_between_the_same_accounts_is_taken(connection: Connection) -> None:
    insert(connection, "transaction", TRANSFER)
    insert(connection, "transaction", TRANSFER | NEXT)


@pytest.mark.parametrize("column", ["ledger_id", "email", "currency", "balance", "version", "metadata", "ctime"])
def test_an_account_says_everything(connection: Connection, column: str) -> None:
    with pytest.raises(errors.NotNullViolation):
        insert(connection, "account", ACCOUNT | {column: "NULL"})
