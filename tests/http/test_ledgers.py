"""The routes of ledgers: the operator makes them, each names itself."""

from typing import Any

import pytest

from tests.support.keyed import Keyed


@pytest.mark.parametrize("name", ["", "Shop", "a b", "a/b", "café", "x" * 65, "shop\n", "a.b", "@shop", 7, None])
def test_a_ledger_with_an_odd_name_is_not_made(keyed: Keyed, name: Any) -> None:
    for method in ("POST", "PATCH"):
        said = keyed.call(method, "/ledger", {"ledger": name})
        assert said.status == 422
        assert said.body["errors"][0]["pointer"] == "/ledger"


def test_a_ledger_is_made_with_a_key_and_renamed_by_it(keyed: Keyed) -> None:
    made = keyed.call("POST", "/ledger", {"ledger": "bank-1_x"})
    assert made.status == 201
    assert keyed.call("POST", "/ledger", {"ledger": "bank-1_x"}).body["code"] == "ledger-name-taken"
    own = {"Authorization": f"Bearer {made.body['key']['key']}"}
    assert keyed.service.call("PATCH", "/ledger", {"ledger": "main"}, **own).body["code"] == "ledger-name-taken"
    assert keyed.service.call("PATCH", "/ledger", {"ledger": "bank-2"}, **own).body["ledger"] == "bank-2"
    assert keyed.call("PATCH", "/ledger", {"ledger": "first"}).body["errors"][0]["pointer"] == "/ledger"
