"""Erasing the personal data of an account, over HTTP."""

import pytest

from koshel.core.commands import ERASED
from tests.http.conftest import OpenAccount
from tests.http.test_refusals import assert_problem
from tests.support.service import Running

PATH = "/account/{}/personal-data"


def test_a_closed_accounts_email_and_metadata_go_and_its_key_answers_without_them(service: Running) -> None:
    body = {"email": "erin@example.com", "metadata": {"name": "Erin"}}
    opened = service.call("POST", "/account", body, Idempotency_Key="of-erin")
    account_id = opened.body["id"]
    closed = service.call("PATCH", f"/account/{account_id}", {"status": "closed"})
    for _ in range(2):  # it may be asked for again
        erased = service.call("DELETE", PATH.format(account_id))
        assert (erased.status, erased.body) == (204, None)
        shown = service.call("GET", f"/account/{account_id}")
        assert shown.body == closed.body | {"email": ERASED, "metadata": {}}
        assert shown.headers["ETag"] != closed.headers["ETag"]
    again = service.call("POST", "/account", body, Idempotency_Key="of-erin")
    assert (again.status, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert again.body == opened.body | {"email": ERASED, "metadata": {}}


@pytest.mark.parametrize("status", ["open", "frozen"])
def test_an_account_that_is_not_closed_is_refused(service: Running, open_account: OpenAccount, status: str) -> None:
    account_id = open_account()
    service.call("PATCH", f"/account/{account_id}", {"status": status})
    problem = assert_problem(service.call("DELETE", PATH.format(account_id)), "account-not-closed")
    assert problem["account_id"] == account_id
    assert service.call("GET", f"/account/{account_id}").body["email"] == "ann@example.com"


@pytest.mark.parametrize("account_id", ["999999999", "0", "x", "9" * 40])
def test_an_account_that_does_not_exist_is_not_found(service: Running, account_id: str) -> None:
    assert_problem(service.call("DELETE", PATH.format(account_id)), "account-not-found")


def test_nobody_can_send_the_email_of_an_erased_account(service: Running) -> None:
    assert_problem(service.call("POST", "/account", {"email": ERASED}), "validation-failed")
