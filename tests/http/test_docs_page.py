"""The page to read says what the document says, and every link on it leads somewhere."""

import re
from typing import Any

import pytest

from koshel.http.docs_page import render
from tests.support.documented import DOCUMENT

PAGE = render(DOCUMENT)


def section(anchor: str) -> str:
    """The text of one section of the page, without its tags."""
    part = PAGE.partition(f'<h2 id="{anchor}">')[2].partition("<h2")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", part)).strip()


def test_every_link_within_the_page_leads_somewhere_once() -> None:
    anchors = re.findall(r' id="([^"]+)"', PAGE)
    assert len(set(anchors)) == len(anchors)
    assert set(re.findall(r'href="#([^"]+)"', PAGE)) <= set(anchors)


def test_every_operation_and_every_schema_has_a_section() -> None:
    for methods in DOCUMENT["paths"].values():
        for operation in methods.values():
            assert operation["summary"] in section(operation["operationId"])
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert section(f"schema-{name}").startswith(name)
        for field in schema.get("properties", {}):
            assert field in section(f"schema-{name}")


@pytest.mark.parametrize(
    ("anchor", "said"),
    [
        ("transfer", "TransactionRequest"),
        ("transfer", "InsufficientFunds"),
        ("schema-MemberRequest", "One of: MoveMember · HoldMember · SplitToMember · HoldToMember"),
        ("schema-MemberResult", "One of: MemberMade · MemberOpened · MemberRefused"),
        ("schema-AccountStatus", "one of closed, frozen, open"),
        ("schema-InsufficientFunds", "const insufficient-funds"),
        ("schema-BatchRequest", "array of MemberRequest"),
        ("schema-Account", "AccountStatus"),
        ("schema-Transaction", "integer or null"),
    ],
)
def test_a_section_says(anchor: str, said: str) -> None:
    assert said in section(anchor)


def test_what_may_be_left_out_is_marked() -> None:
    shown: dict[str, Any] = DOCUMENT["components"]["schemas"]["ExchangeRequest"]
    for field in shown["properties"]:
        assert (f"{field} (optional)" in section("schema-ExchangeRequest")) == (field not in shown["required"])


def test_text_is_text_and_no_markup() -> None:
    info = {"title": "<b>", "description": "a & b", "version": "1"}
    page = render({"info": info, "components": {"schemas": {"<i>": {"description": "<u>"}}}, "paths": {}})
    assert "<b>" not in page
    assert "&lt;u&gt;" in page
    assert "a &amp; b" in page
