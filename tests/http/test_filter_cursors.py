"""Cursors of lists with a filter: what they remember, in how many places they go on, and which are refused."""

import json
import threading
from typing import Any
from urllib.parse import quote

import pytest
from msgspec.structs import replace

from koshel.http import pages
from koshel.http.pages import CURSOR_MAX, Cursor
from koshel.inputs.filters import LENGTH_MAX
from tests.http.conftest import OpenAccount
from tests.http.test_cursors import MUST_BE
from tests.http.test_filters import ids, refused
from tests.http.test_lists import path
from tests.http.test_refusals import assert_problem
from tests.support.keyed import Client, Keyed, bearer
from tests.support.service import Running

__all__ = ["path"]  # a fixture


def test_a_cursor_has_its_filter_and_goes_with_no_other(service: Running, path: str) -> None:
    text = "reference = lists and (metadata.n = 1 or id = 1)"
    first = service.call("GET", f"/transaction?limit=1&filter={quote(text)}")
    cursor = first.body["next"]
    alone = service.call("GET", f"/transaction?after={cursor}&limit=2")
    assert {one["metadata"]["n"] for one in alone.body["items"]} == {"1"}
    again = service.call("GET", f"/transaction?after={cursor}&limit=2&filter={quote(text)}")
    assert again.body["items"] == alone.body["items"]
    for other in ("reference = lists", text + " "):
        assert refused(service, "/transaction", other, after=cursor) == MUST_BE
    for where in ("/account", path):
        assert_problem(service.call("GET", f"{where}?after={cursor}"), "validation-failed")
    plain = service.call("GET", "/transaction?limit=1&reference=lists").body["next"]
    assert refused(service, "/transaction", text, after=plain) == MUST_BE


def test_a_cursor_of_several_indexes_has_a_position_in_each(service: Running, path: str) -> None:
    del path
    text = "(reference = lists or kind = void) and amount > 0"
    several = service.call("GET", f"/transaction?limit=1&filter={quote(text)}").body["next"]
    one = service.call("GET", "/transaction?limit=1&filter=reference=lists").body["next"]
    assert len(service.call("GET", f"/transaction?limit=500&after={several}").body["items"]) >= 11
    for cursor, filters in ((several, "reference = lists"), (one, text)):
        said = _bent(cursor, filters)
        answer = service.call("GET", f"/transaction?after={said}")
        assert_problem(answer, "validation-failed")
        assert answer.body["errors"][0]["parameter"] == "after"
    for nonsense in ("reference = ", "amount > 0 and"):
        assert_problem(service.call("GET", f"/transaction?after={_bent(one, nonsense)}"), "validation-failed")


@pytest.mark.parametrize("position", [[], [[]], [[1], [2]], [["2026-01-01T00:00:00Z", 1, 1]] * 9, {}, None, [[[]]]])
def test_positions_that_no_page_has_are_refused(service: Running, path: str, position: Any) -> None:
    account = path.split("/")[2]
    for where in ("/transaction", "/account", path, "/key", f"/account/{account}/change"):
        said = Cursor(where, 1, "desc", {"account_id": int(account)} if where == path else {}, position)
        answer = service.call("GET", f"{where}?after={pages._written(said)}")
        assert_problem(answer, "validation-failed")
        assert answer.body["errors"][0]["parameter"] == "after", where


NO_MOMENTS = ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-00:01"]


@pytest.mark.parametrize("moment", NO_MOMENTS)
def test_moments_that_utc_does_not_have_are_refused(service: Running, path: str, moment: str) -> None:
    good, own = "2026-01-01T00:00:00Z", {"account_id": int(path.split("/")[2])}
    for where, filters, position in (
        ("/transaction", {}, [moment, 1, 1]),
        ("/transaction", {"filter": "kind = hold or reference = a"}, [[good, 1, 1], [moment, 1, 1]]),
        ("/transaction", {"since": moment}, [good, 1, 1]),
        ("/transaction", {"until": moment}, [good, 1, 1]),
        (path, own, [moment, 1, 1]),
        (path, own | {"until": moment}, [good, 1, 1]),
    ):
        answer = service.call("GET", f"{where}?after={pages._written(Cursor(where, 1, 'desc', filters, position))}")
        assert_problem(answer, "validation-failed")
        assert answer.body["errors"][0]["parameter"] == "after", (where, filters)


def test_a_moment_of_a_cursor_may_have_any_offset(service: Running, path: str) -> None:
    del path
    for moment in ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59+23:59", "0001-01-01T00:00:00-23:59"):
        said = Cursor("/transaction", 1, "desc", {"until": "9000-01-01T01:00:00+01:00"}, [moment, 1, 1])
        assert service.call("GET", f"/transaction?after={pages._written(said)}").status == 200


def _bent(cursor: str, text: str) -> str:
    """The cursor with another filter, and the right check sum."""
    return pages._written(replace(pages._read(cursor), filters={"filter": text}))


def test_a_cursor_of_a_filter_of_another_ledger_is_refused(keyed: Keyed) -> None:
    for _ in range(3):
        keyed.call("POST", "/account", {"email": "ann@example.com"})
    cursor = keyed.call("GET", "/account?limit=1&filter=currency=USD").body["next"]
    assert keyed.call("GET", f"/account?after={cursor}").status == 200
    client = Client(keyed.service.port)
    said = client.ask("GET", f"/account?after={cursor}", None, bearer(keyed.of_shop.text))
    client.close()
    assert said.status == 422


def test_a_filter_with_ids_of_another_ledger_finds_nothing(keyed: Keyed) -> None:
    ann = keyed.call("PUT", "/account/@users:filtered", {"email": "filtered@example.com"}).body["id"]
    paid = keyed.call("POST", f"/account/{ann}/payment", {"amount": "1", "reference": "theirs"}).body["id"]
    of_transactions = [f"id = {paid}", f"account_id = {ann}", "account = users:filtered", "source = users:filtered"]
    of_transactions += ["reference = theirs", f"parent_id = {paid} or group_id = {paid}"]
    of_accounts = [f"id = {ann}", "name = users:filtered", "name = users:*", "email = filtered@example.com"]
    client = Client(keyed.service.port)
    for where, texts in (("/transaction", of_transactions), ("/account", of_accounts)):
        for text in texts:
            said = client.ask("GET", f"{where}?filter={quote(text)}", None, bearer(keyed.of_shop.text))
            assert (said.status, json.loads(said.body)["items"]) == (200, []), text
    client.close()


def test_the_longest_filter_goes_into_a_cursor(service: Running, path: str) -> None:
    del path
    begin = "(reference = lists or parent_id = 1 or parent_id = 2 or kind = void) and not description = "
    text = f'{begin}"{"é" * (LENGTH_MAX - len(begin) - 2)}"'
    answer = service.call("GET", f"/transaction?limit=1&filter={quote(text)}")
    assert answer.status == 200
    assert len(answer.body["next"]) <= CURSOR_MAX
    assert service.call("GET", f"/transaction?after={answer.body['next']}").status == 200


def test_filtered_pages_are_complete_while_money_moves(service: Running, open_account: OpenAccount) -> None:
    busy, other = open_account(), open_account()
    before = []
    for number in range(30):
        body = {"amount": str(1 + number % 3), "reference": f"busy {busy}"}
        before.append(service.call("POST", f"/account/{(busy, other)[number % 2]}/payment", body).body["id"])
    is_over = threading.Event()

    def pay() -> None:
        while not is_over.is_set():
            service.call("POST", f"/account/{busy}/payment", {"amount": "2"})

    payer = threading.Thread(target=pay)
    payer.start()
    text = f'(account_id = {busy} or account_id = {other} or reference = "busy {busy}") and amount in (1, 2)'
    try:
        for order in ("asc", "desc"):
            found = ids(service, "/transaction", text, limit=7, order=order)
            assert len(found) == len(set(found))
            assert {id_ for number, id_ in enumerate(before) if number % 3 < 2} <= set(found)
            assert not {id_ for number, id_ in enumerate(before) if number % 3 == 2} & set(found)
    finally:
        is_over.set()
        payer.join()
