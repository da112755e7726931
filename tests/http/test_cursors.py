"""Cursors of pages: what they remember, and which are refused."""

import json
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from koshel.http import pages
from tests.http.test_lists import path
from tests.http.test_refusals import assert_problem
from tests.support.keyed import Client, Keyed, bearer
from tests.support.service import Running

__all__ = ["path"]  # a fixture
MUST_BE = "must be as it was for the page before, or left out: `after` has it"


def cursor_of(service: Running, path: str, **query: Any) -> str:
    cursor: str = service.call("GET", f"{path}?{urlencode(query)}").body["next"]
    return cursor


def test_a_cursor_has_its_filters_and_goes_with_no_others(service: Running, path: str) -> None:
    query = {"reference": "lists", "metadata.n": "1", "order": "asc", "limit": 1}
    cursor = cursor_of(service, "/transaction", **query)
    alone = service.call("GET", f"/transaction?after={cursor}&limit=2")
    assert {one["metadata"]["n"] for one in alone.body["items"]} == {"1"}
    with_them = service.call("GET", f"/transaction?after={cursor}&limit=2&{urlencode(query | {'limit': 2})}")
    assert_problem(with_them, "validation-failed")  # the limit came twice
    again = service.call("GET", f"/transaction?{urlencode(query | {'limit': 2})}&after={cursor}")
    assert again.body["items"] == alone.body["items"]
    for name, value in (("reference", "others"), ("order", "desc"), ("kind", "payment"), ("metadata.n", "2")):
        refused = service.call("GET", f"/transaction?after={cursor}&{name}={value}")
        assert_problem(refused, "validation-failed")
        assert refused.body["errors"][0] == {"pointer": "", "parameter": name.split(".")[0], "detail": MUST_BE}
    for other in ("/account", path, "/account/1/transaction"):
        assert_problem(service.call("GET", f"{other}?after={cursor}"), "validation-failed")


def test_a_cursor_that_was_bent_is_refused(service: Running, path: str) -> None:
    cursor = cursor_of(service, path, limit=1)
    for place in range(len(cursor)):
        bent = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1 :]
        answer = service.call("GET", f"{path}?after={bent}")
        assert_problem(answer, "validation-failed")
    for bent in (cursor[:-1], cursor + "A", cursor + "=", cursor[4:], cursor * 2, cursor.lower()):
        assert_problem(service.call("GET", f"{path}?after={quote(bent)}"), "validation-failed")


@pytest.mark.parametrize(
    "said",
    [
        b"[]",
        b"null",
        b'["/transaction",1,"desc",{},[]]',
        b'["/transaction",1,"desc",{"kind":"no"},["2026-01-01T00:00:00Z",1,1]]',
        b'["/transaction",1,"desc",{"nothing":1},["2026-01-01T00:00:00Z","1",1]]',
        b'["/transaction",1,"down",{},["2026-01-01T00:00:00Z",1,1]]',
        b"[" * 1_000,
    ],
)
def test_a_cursor_that_somebody_made_is_read_like_any_other_input(service: Running, said: bytes) -> None:
    """Its check sum can be computed by anybody: what it says is checked all the same."""
    made = urlsafe_b64encode(pages._sum(said) + said).rstrip(b"=").decode()
    answer = service.call("GET", f"/transaction?after={made}")
    assert_problem(answer, "validation-failed")
    assert answer.body["errors"][0]["parameter"] == "after"


def test_a_cursor_of_another_ledger_is_refused(keyed: Keyed) -> None:
    for _ in range(3):
        keyed.call("POST", "/account", {"email": "ann@example.com"})
    cursor = keyed.call("GET", "/account?limit=1").body["next"]
    assert keyed.call("GET", f"/account?after={cursor}").status == 200
    client = Client(keyed.service.port)
    said = client.ask("GET", f"/account?after={cursor}", None, bearer(keyed.of_shop.text))
    client.close()
    assert said.status == 422
    assert json.loads(said.body)["errors"][0]["parameter"] == "after"


def test_filters_that_no_cursor_could_hold_are_refused(service: Running) -> None:
    names = [letter * 40 for letter in "abcde"]
    longest = {f"metadata.{name}": "x" * 500 for name in names} | {"since": "2026-01-01T00:00:00Z"}
    assert service.call("GET", f"/transaction?{urlencode(longest)}").status == 200
    quotes = {name: value.replace("x", "\\") for name, value in longest.items()}  # two in JSON
    answer = service.call("GET", f"/transaction?{urlencode(quotes)}")
    assert_problem(answer, "validation-failed")
    assert answer.body["errors"][0]["parameter"] == "metadata"
