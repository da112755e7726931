"""Balances over HTTP: by value date, and whose they are."""

from datetime import UTC, datetime, timedelta

import pytest

from koshel.db.reading import value_dates
from tests.http.conftest import OpenAccount
from tests.http.test_refusals import assert_problem
from tests.support.bookkeeping import execute
from tests.support.database import Database
from tests.support.service import Running, serving


def test_a_balance_by_value_date_has_what_counts_for_the_day_or_one_before(
    service: Running, open_account: OpenAccount
) -> None:
    ann = open_account("100")
    today = datetime.now(UTC).date()
    earlier, later = today - timedelta(days=40), today + timedelta(days=40)
    for amount, date in (("7", earlier), ("11", later), ("13", today)):
        service.call("POST", f"/account/{ann}/payment", {"amount": amount, "effective_on": date.isoformat()})
    service.call("POST", f"/account/{ann}/withdrawal", {"amount": "1", "effective_on": earlier.isoformat()})
    for day, balance in (
        ("0001-01-01", "0.00"),
        (str(earlier - timedelta(days=1)), "0.00"),
        (str(earlier), "6.00"),
        (str(today - timedelta(days=1)), "6.00"),
        (str(today), "119.00"),
        (str(later), "130.00"),
        ("9999-12-31", "130.00"),
    ):
        answer = service.call("GET", f"/account/{ann}/balance?as_of={day}")
        assert (answer.status, answer.body["balance"], answer.body["as_of"]) == (200, balance, day)
        assert answer.body["version"] == (5 if day >= str(today) else 0)
    assert "as_of" not in service.call("GET", f"/account/{ann}/balance").body


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("as_of=2026-02-30", "must be a date such as"),
        ("as_of=2026-06-30T00:00:00Z", "must be a date such as"),
        ("as_of=0000-01-01", "must be a date such as"),
        ("as_of=10000-01-01", "must be a date such as"),
        ("as_of=", "must be a date such as"),
        ("as_of=2026-06-30&at=2026-06-30T00:00:00Z", "does not go with at"),
        ("version=0&as_of=2026-06-30", "does not go with version"),
    ],
)
def test_what_is_no_day_is_refused(service: Running, open_account: OpenAccount, query: str, why: str) -> None:
    answer = service.call("GET", f"/account/{open_account()}/balance?{query}")
    assert_problem(answer, "validation-failed")
    assert answer.body["errors"][0]["parameter"] == "as_of"
    assert why in answer.body["errors"][0]["detail"]
    assert_problem(service.call("GET", "/account/999999/balance?as_of=2026-06-30"), "account-not-found")


def test_a_sum_over_too_many_lines_is_refused(database: Database) -> None:
    many = value_dates.LINES_MAX + 1
    with serving(database.service_url, workers="1", auth="off") as service:
        ann = service.call("POST", "/account", {"email": "ann@example.com"}).body["id"]
        execute(
            database.owner_url,
            "INSERT INTO transaction (ledger_id, id, kind, target_account_id, amount, target_balance, target_version,"
            " metadata, ctime, effective_on)"
            f" SELECT 1, 1000 + n, 'payment', {ann}, 1, n, n, '{{}}', now(), '2020-01-01'"
            f" FROM generate_series(1, {many}) AS n",
            f"UPDATE account SET balance = {many}.00, version = {many} WHERE id = {ann}",
        )
        answer = service.call("GET", f"/account/{ann}/balance?as_of=2020-01-01")
        assert_problem(answer, "too-many-value-dates")
        assert (answer.body["account_id"], answer.body["lines_max"]) == (ann, value_dates.LINES_MAX)
        for day in ("2019-12-31", datetime.now(UTC).date().isoformat()):
            assert service.call("GET", f"/account/{ann}/balance?as_of={day}").status == 200


def test_balances_and_statements_have_the_name_of_the_account(service: Running, open_account: OpenAccount) -> None:
    ann = service.call("PUT", "/account/@users:77", {"email": "ann@example.com"}).body["id"]
    service.call("POST", f"/account/{ann}/payment", {"amount": "1"})
    unnamed = open_account()
    for path in ("/balance", "/balance?as_of=2026-01-01", "/balance?version=0", "/statement"):
        named = service.call("GET", f"/account/@users:77{path}").body
        assert (named["account_id"], named["name"]) == (ann, "users:77")
        assert "name" not in service.call("GET", f"/account/{unnamed}{path}").body
