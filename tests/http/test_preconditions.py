"""Preconditions as RFC 9110 has them: lists over several lines, weak tags, and none is passed over in silence."""

import pytest

from koshel.http.handlers.routes import ROUTES
from koshel.http.parameters import DryRun
from koshel.http.preconditions import HEADERS, Tags, parse, versions
from koshel.http.problems import Failure
from koshel.http.route import Route
from tests.http.conftest import Send
from tests.http.test_refusals import assert_problem
from tests.support.till import Till, found

ANY = Tags(any=True)


def tags(*values: str) -> Tags:
    strong = {value for value in values if not value.startswith("W/")}
    weak = {value.removeprefix("W/") for value in values if value.startswith("W/")}
    return Tags(frozenset(strong), frozenset(weak))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("*", ANY),
        ("  * ", ANY),
        ("", tags()),
        (" , ,", tags()),
        ('"1"', tags("1")),
        ('"1", "2"', tags("1", "2")),
        ('"1","2"', tags("1", "2")),
        ('"1" , , \t"2",', tags("1", "2")),
        ('W/"1"', tags("W/1")),
        ('"1", W/"1"', tags("1", "W/1")),
        ('""', tags("")),
        ('"*"', tags("*")),
        ('"a,b", "c"', tags("a,b", "c")),
        (r'"a\", "b"', tags("a\\", "b")),
        ('"é"', tags("é")),
    ],
)
def test_a_list_of_tags_is_read(text: str, read: Tags) -> None:
    assert parse("If-Match", text) == read


@pytest.mark.parametrize(
    "text",
    [
        "1",
        '"1',
        '1"',
        '"1" "2"',
        '"1""2"',
        '"1", 2',
        '"a b"',
        'w/"1"',
        'W/ "1"',
        "W/1",
        '*, "1"',
        '"1", *',
        "**",
        "'1'",
    ],
)
def test_what_is_no_list_of_tags_is_refused(text: str) -> None:
    with pytest.raises(Failure) as failure:
        parse("If-None-Match", text)
    assert failure.value.code == "validation-failed"
    assert failure.value.members["errors"][0]["header"] == "If-None-Match"


@pytest.mark.parametrize(
    ("if_match", "if_none_match", "expected", "unexpected"),
    [
        (None, None, None, ()),
        (ANY, None, None, ()),
        (None, ANY, None, None),
        (tags("1", "2.3"), None, ((1, 0), (2, 3)), ()),
        (tags("W/1"), None, (), ()),  # strong comparison
        (None, tags("W/1", "2"), None, ((1, 0), (2, 0))),  # weak comparison
        (tags("1"), tags("2"), ((1, 0),), ((2, 0),)),
        (tags("", "1.0", "01", "-1", "1.2.3", "x", "9" * 19), None, (), ()),
    ],
)
def test_tags_say_where_an_account_may_be_and_where_not(
    if_match: Tags | None, if_none_match: Tags | None, expected: object, unexpected: object
) -> None:
    assert versions(if_match, if_none_match) == (expected, unexpected)


def path_of(route: Route) -> str:
    return route.path.replace("{id}", "999999999").replace("{code}", "not-found")


NOT_TAKEN = [(route, name) for route in ROUTES for name in HEADERS if name not in route.preconditions]


@pytest.mark.parametrize(("route", "name"), NOT_TAKEN, ids=lambda one: getattr(one, "path", one))
def test_a_precondition_is_not_passed_over_in_silence(send: Send, route: Route, name: str) -> None:
    body = b"" if route.body is None else b"{}"
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), name: '"1"'}
    problem = assert_problem(send(route.method, path_of(route), body, headers), "validation-failed")
    assert problem["errors"] == [{"pointer": "", "header": name, "detail": "is not taken here"}]


def test_money_is_never_moved_on_a_condition_that_nobody_looks_at() -> None:
    posts = [route for route in ROUTES if route.method == "POST"]
    assert {(route.path, name) for route in posts for name in HEADERS} <= {(r.path, name) for r, name in NOT_TAKEN}


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/problem/not-found", "/"])
def test_a_browser_may_ask_for_a_page_as_browsers_do(send: Send, path: str) -> None:
    asked = {"If-None-Match": '"1"', "If-Modified-Since": "Thu, 26 Nov 2026 10:00:00 GMT", "If-Range": '"1"'}
    for accept in ("text/html", "*/*"):
        assert send("GET", path, headers=asked | {"Accept": accept}).status == 200


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_a_parameter_that_is_not_known_is_refused_everywhere(send: Send, route: Route) -> None:
    body = b"" if route.body is None else b"{}"
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    for query in ("x=1", "x", "dryrun=true", "dry_run=true&x=1") + (() if route.query is DryRun else ("dry_run=true",)):
        answer = send(route.method, f"{path_of(route)}?{query}", body, headers)
        (error,) = assert_problem(answer, "validation-failed")["errors"]
        assert error["detail"] == "is not known"
        assert f"{error['parameter']}" in query


def changed(send: Send, account_id: int, *conditions: tuple[str, str]) -> int:
    headers = [("Content-Type", "application/json"), ("Content-Length", "2"), *conditions]
    answer = send("PATCH", f"/account/{account_id}", b"{}", headers)
    if answer.status == 412:
        assert_problem(answer, "version-mismatch")
    if answer.status == 422:
        name = conditions[-1][0]
        assert assert_problem(answer, "validation-failed")["errors"][0]["header"] == name
    return answer.status


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        ([("If-Match", '"0"'), ("If-Match", '"1.1"')], 200),
        ([("If-Match", '"1.1"'), ("If-Match", '"0"')], 200),
        ([("If-Match", '"0"'), ("If-Match", '"1"')], 412),
        ([("If-Match", 'W/"1.1"')], 412),
        ([("If-Match", ""), ("If-Match", '"1.1"')], 200),
        ([("If-Match", "*"), ("If-Match", "*")], 422),
        ([("If-Match", "1.1")], 422),
        ([("If-Match", '"1.1')], 422),
        ([("If-Match", '"1.1" "1.1"')], 422),
        ([("If-Match", '"1.1"'), ("If-Match", "nonsense")], 422),
        ([("If-None-Match", '"1.1"')], 412),
        ([("If-None-Match", 'W/"1.1"')], 412),
        ([("If-None-Match", '"7", "1.1"')], 412),
        ([("If-None-Match", '"7"'), ("If-None-Match", '"1.1"')], 412),
        ([("If-None-Match", "*")], 412),
        ([("If-None-Match", '"1"')], 200),
        ([("If-None-Match", '"other"')], 200),
        ([("If-None-Match", "")], 200),
        ([("If-None-Match", "other")], 422),
        ([("If-Match", '"1.1"'), ("If-None-Match", '"7"')], 200),
        ([("If-Match", "*"), ("If-None-Match", '"1.1"')], 412),
        ([("If-Match", '"1"'), ("If-None-Match", '"7"')], 412),
        ([("If-Unmodified-Since", "Thu, 26 Nov 2026 10:00:00 GMT")], 422),
    ],
)
def test_a_change_is_made_on_the_conditions_that_come_with_it(
    till: Till, send: Send, conditions: list[tuple[str, str]], status: int
) -> None:
    ann = till.open("5")
    found(till.change(ann, metadata={}))
    assert till.etag(ann) == '"1.1"'
    assert changed(send, ann, *conditions) == status
    assert till.etag(ann) == ('"1.2"' if status == 200 else '"1.1"')


def test_what_if_none_match_rules_out_is_said(till: Till) -> None:
    ann = till.open("5")
    answer = till.change(ann, {"If_None_Match": '"1"'}, status="frozen")
    problem = assert_problem(answer, "version-mismatch")
    assert problem["detail"] == f'Account {ann} is at "1"; If-None-Match rules that out.'
    assert assert_problem(till.change(ann, {"If_None_Match": "*"}), "version-mismatch")["version"] == 1


def test_a_key_stands_for_its_conditions_too(till: Till) -> None:
    ann = till.open()
    headers = {"Idempotency_Key": f"unless-{ann}", "If_None_Match": '"7"'}
    first, again = (till.change(ann, headers, status="frozen") for _ in range(2))
    assert (again.status, again.body) == (200, found(first))
    other = till.change(ann, headers | {"If_None_Match": '"8"'}, status="frozen")
    assert assert_problem(other, "idempotency-key-reused")["field"] == "If-None-Match"


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        ([("If-None-Match", '"1"')], 304),
        ([("If-None-Match", 'W/"1"')], 304),
        ([("If-None-Match", '"0"'), ("If-None-Match", 'W/"1"')], 304),
        ([("If-None-Match", "*")], 304),
        ([("If-None-Match", '"2"')], 200),
        ([("If-None-Match", "")], 200),
        ([("If-None-Match", '"1')], 422),
        ([("If-Match", '"1"')], 422),
    ],
)
def test_an_account_is_read_on_condition(
    till: Till, send: Send, conditions: list[tuple[str, str]], status: int
) -> None:
    ann = till.open("5")
    for method in ("GET", "HEAD"):
        answer = send(method, f"/account/{ann}", b"", conditions)
        assert answer.status == status
        if status != 422:
            assert answer.headers["ETag"] == '"1"'
