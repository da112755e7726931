"""The header Accept: its ranges, their weights, and several lines of it."""

import pytest
from multidict import CIMultiDict

from koshel.http.accept import Wanted, joined, wanted
from tests.http.conftest import OpenAccount, Send

CSV, JSON, HTML = "text/csv", "application/json", "text/html"


def accepting(*lines: str) -> CIMultiDict[str]:
    return CIMultiDict([("accept", line) for line in lines])


@pytest.mark.parametrize(
    ("lines", "csv", "json"),
    [
        ([], Wanted(0, 0), Wanted(0, 0)),
        ([""], Wanted(0, 0), Wanted(0, 0)),
        (["*/*"], Wanted(1, 0), Wanted(1, 0)),
        (["text/*"], Wanted(1, 1), Wanted(0, 0)),
        (["text/csv"], Wanted(1, 2), Wanted(0, 0)),
        (["TEXT/CSV ; Q=0.5 , Application/*;q=0.25"], Wanted(0.5, 2), Wanted(0.25, 1)),
        (["text/*, text/csv;q=0"], Wanted(0, 2), Wanted(0, 0)),
        (["*/*;q=0.1, text/*;q=0.2, text/csv;q=0.3"], Wanted(0.3, 2), Wanted(0.1, 0)),
        (["text/html", "text/csv", "application/json;q=0.9"], Wanted(1, 2), Wanted(0.9, 2)),
        (["text/csv;header=present;q=0.7;charset=utf-8"], Wanted(0.7, 2), Wanted(0, 0)),
        (["text/csv;q=1.000, application/json;q=0.000"], Wanted(1, 2), Wanted(0, 2)),
        (["text/csv;q=1.5, application/json;q=x"], Wanted(1, 2), Wanted(1, 2)),  # no weights at all
        (["text, text/, */csv, csv, ,;"], Wanted(0, 0), Wanted(0, 0)),
    ],
)
def test_the_narrowest_range_says_how_much_a_type_is_wanted(lines: list[str], csv: Wanted, json: Wanted) -> None:
    assert wanted(accepting(*lines), CSV, JSON) == [csv, json]


def test_several_lines_are_one_list() -> None:
    assert joined(accepting("text/html", "text/csv;q=0.5")) == "text/html, text/csv;q=0.5"


@pytest.mark.parametrize(
    ("lines", "media_type"),
    [
        (["text/*"], CSV),
        (["text/csv, */*"], CSV),
        (["text/*;q=0.5, application/json;q=0.4"], CSV),
        (["text/html", "text/csv"], CSV),
        (["*/*"], JSON),
        (["text/*, text/csv;q=0"], JSON),
        (["text/*, application/*"], JSON),
        (["text/csv;q=0.5", "application/json"], JSON),
    ],
)
def test_a_statement_is_what_its_reader_would_rather_have(
    send: Send, open_account: OpenAccount, lines: list[str], media_type: str
) -> None:
    headers = [("Host", "127.0.0.1"), *(("Accept", line) for line in lines)]
    answer = send("GET", f"/account/{open_account('1')}/statement", headers=headers)
    assert answer.headers["Content-Type"].startswith(media_type)


@pytest.mark.parametrize(
    ("lines", "media_type"),
    [
        (["text/*"], HTML),
        (["*/*;q=0.8", "text/html"], HTML),
        (["text/html, application/json"], HTML),
        (["*/*"], JSON),
        (["text/html;q=0.5", "application/*"], JSON),
        (["text/*;q=0"], JSON),
    ],
)
def test_a_page_is_for_those_who_name_it(send: Send, lines: list[str], media_type: str) -> None:
    headers = [("Host", "127.0.0.1"), *(("Accept", line) for line in lines)]
    assert send("GET", "/", headers=headers).headers["Content-Type"].startswith(media_type)
