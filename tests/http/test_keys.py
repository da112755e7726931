"""The routes of API keys: a key is shown once, listed without itself, rotated, and revoked unless it is the last."""

import json
from typing import Any

import pytest

from koshel.callers import Scope
from tests.support.keyed import Client, Keyed, bearer, code


@pytest.mark.parametrize("path", ["/key", "/key/1/rotate", "/ledger"])
def test_what_has_a_key_in_its_answer_takes_no_idempotency_key(keyed: Keyed, client: Client, path: str) -> None:
    said = client.ask("POST", path, b"{}", bearer(keyed.keys[Scope.ADMIN].text), ("Idempotency-Key", "one"))
    assert (said.status, code(said)) == (422, "validation-failed")
    assert json.loads(said.body)["errors"][0]["header"] == "Idempotency-Key"


def test_the_life_of_a_key_over_http(keyed: Keyed) -> None:
    made = keyed.call("POST", "/key", {"scope": "read", "name": "report", "expires_in": 3_600})
    assert made.status == 201
    assert made.headers["Cache-Control"] == "no-store"
    shown = {name: value for name, value in made.body.items() if name != "key"}
    assert keyed.call("GET", made.headers["Location"]).body == shown
    rotated = keyed.call("POST", f"/key/{shown['id']}/rotate", {"overlap": 0})
    assert (rotated.body["name"], rotated.body["scope"]) == ("report", "read")
    assert keyed.call("GET", f"/key/{shown['id']}").body["status"] == "expired"
    assert keyed.call("POST", f"/key/{shown['id']}/rotate", {}).body["code"] == "key-not-usable"
    for _ in range(2):
        assert keyed.call("DELETE", f"/key/{rotated.body['id']}").status == 204
    assert keyed.call("GET", f"/key/{rotated.body['id']}").body["status"] == "revoked"


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_keys_are_listed_a_page_at_a_time(keyed: Keyed, order: str) -> None:
    seen, link = list[int](), f"/key?limit=2&order={order}"
    while link:
        page = keyed.call("GET", link)
        assert len(page.body["items"]) <= 2
        seen += [one["id"] for one in page.body["items"]]
        link = page.headers.get("Link", "").removeprefix("<").removesuffix('>; rel="next"')
        assert (page.body["next"] is None) == (not link)
    assert seen == sorted(seen, reverse=order == "desc")
    assert seen == [one["id"] for one in keyed.call("GET", f"/key?limit=500&order={order}").body["items"]]
    assert "koshel_live_" not in str(keyed.call("GET", "/key").body)


def test_a_list_of_keys_takes_its_own_cursors_and_no_others(keyed: Keyed) -> None:
    for _ in range(2):
        keyed.call("POST", "/key", {"scope": "read"})
        keyed.call("POST", "/account", {"email": "ann@example.com"})
    own, other = (keyed.call("GET", f"{path}?limit=1").body["next"] for path in ("/key", "/account"))
    assert keyed.call("GET", f"/key?after={own}&limit=1").status == 200
    for query in (f"after={other}", f"after={own}&order=asc", f"after={own[:-1]}", "after=7", "limit=0", "limit=501"):
        assert keyed.call("GET", f"/key?{query}").body["code"] == "validation-failed", query


@pytest.mark.parametrize("id_", ["999999", "abc", "0", "-1", "9" * 30])
def test_a_key_that_is_not_there_is_said(keyed: Keyed, id_: str) -> None:
    for method, path, body in (("GET", "", None), ("DELETE", "", None), ("POST", "/rotate", {})):
        assert keyed.call(method, f"/key/{id_}{path}", body).body["code"] == "key-not-found"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/scope"),
        ({"scope": "owner"}, "/scope"),
        ({"scope": "read", "name": "x" * 101}, "/name"),
        ({"scope": "read", "name": "a\x1b[31mb"}, "/name"),
        ({"scope": "read", "expires_in": 0}, "/expires_in"),
        ({"scope": "read", "expires_in": 2**62}, "/expires_in"),
        ({"scope": "read", "ledger": "shop"}, "/ledger"),
    ],
)
def test_a_key_that_cannot_be_made_is_said_by_its_field(keyed: Keyed, body: Any, pointer: str) -> None:
    said = keyed.call("POST", "/key", body)
    assert said.status == 422
    assert said.body["errors"][0]["pointer"] == pointer


def test_the_last_admin_key_is_not_revoked_over_http(keyed: Keyed) -> None:
    bearer_of_shop = f"Bearer {keyed.of_shop.text}"
    said = keyed.service.call("DELETE", f"/key/{keyed.of_shop.row.id}", Authorization=bearer_of_shop)
    assert (said.status, said.body["code"]) == (409, "last-admin-key")
    short = keyed.service.call("POST", "/key", {"scope": "admin", "expires_in": 1}, Authorization=bearer_of_shop)
    assert short.status == 201
    said = keyed.service.call("DELETE", f"/key/{keyed.of_shop.row.id}", Authorization=bearer_of_shop)
    assert (said.status, said.body["code"]) == (409, "last-admin-key"), "the other one is about to expire"
    assert keyed.service.call("GET", "/ledger", Authorization=bearer_of_shop).body["ledger"] == "shop"
