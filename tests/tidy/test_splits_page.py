"""The page on splits is run: each recipe in its order, and each kind of bad input is answered as it says."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from koshel.http.problems import PROBLEMS
from tests.support.database import Database
from tests.support.service import Running, serving
from tests.tidy.test_docs_run import curl

PAGE = (Path(__file__).parents[2] / "docs" / "splits.md").read_text()
BLOCK = re.compile(r"^```(sh|legs)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture
def shop(database: Database) -> Iterator[Running]:
    """A service with the accounts of the page."""
    with serving(database.service_url, workers="1", auth="off") as service:
        for id_, balance in re.findall(r"^\| (\d) \| .+ \| ([\d.]+) \|$", PAGE, re.MULTILINE):
            made = service.call("POST", "/account", {"email": "who@example.com"})
            assert made.body["id"] == int(id_)
            if float(balance):
                service.call("POST", f"/account/{id_}/payment", {"amount": balance})
        yield service


def legs(results: list[dict[str, Any]]) -> Iterator[str]:
    """Source, target and amount of each result, and of each of those of a split in a batch."""
    for one in results:
        if "results" in one:
            yield from legs(one["results"])
            continue
        shown = one.get("transaction") or one["left_out"]
        amount = shown["amount"] if "transaction" in one else "left out"
        yield f"{shown['source_account_id']} {shown['target_account_id']} {amount}"


def test_the_recipes_have_the_legs_that_the_page_shows(shop: Running) -> None:
    blocks = BLOCK.findall(PAGE)
    assert [kind for kind, _ in blocks] == ["sh", "legs"] * (len(blocks) // 2)
    for (_, script), (_, expected) in zip(blocks[::2], blocks[1::2], strict=True):
        status, body = curl(script, shop.port)
        assert status == 201, body
        assert [*legs(msgspec.json.decode(body)["results"])] == expected.splitlines(), script


def test_bad_input_is_answered_with_problems_that_have_these_statuses() -> None:
    answers = re.findall(r"(\d{3}) `([a-z-]+)`", PAGE.partition("\n## Bad input")[2])
    assert len(answers) > 10
    assert [(int(status), code) for status, code in answers] == [(PROBLEMS[code].status, code) for _, code in answers]
