"""The Prefer header: what a caller would rather have is read as RFC 7240 has it, and what is not known passed over."""

import pytest

from koshel.http.prefer import LENGTH_MAX, NONE, WAIT_MAX_S, Preference, parse


@pytest.mark.parametrize(
    ("headers", "preference"),
    [
        ([], NONE),
        ([""], NONE),
        ([",, ,"], NONE),
        (["respond-async"], Preference(respond_async=True)),
        (["  Respond-ASYNC  "], Preference(respond_async=True)),
        (["respond-async; foo=bar"], Preference(respond_async=True)),
        (["respond-async, respond-async"], Preference(respond_async=True)),
        (["return=minimal, respond-async, handling=lenient"], Preference(respond_async=True)),
        (["respond-async=true"], NONE),
        (["respond-asynchronously"], NONE),
        (['"respond-async"'], NONE),
        (["respond-sync"], NONE),
        (["return=minimal"], NONE),
    ],
)
def test_whether_a_caller_would_rather_not_wait(headers: list[str], preference: Preference) -> None:
    assert parse(headers) == preference


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        (["wait=10"], 10),
        (['wait="10"'], 10),
        (["WAIT = 10"], 10),
        (["wait=10; x=1"], 10),
        (["respond-async", "wait=10"], 10),
        (["wait=10", "respond-async"], 10),
        (["wait=10, wait=20"], 10),
        (["wait=10", "wait=20"], 10),
        (["wait=0, wait=20"], 0),
        (["wait=60"], 60),
        (["wait=61"], WAIT_MAX_S),
        (["wait=999999999"], WAIT_MAX_S),
        (["wait=1000000000"], WAIT_MAX_S),
        (["wait=" + "9" * 1_000], WAIT_MAX_S),
        (["wait=" + "0" * 1_000 + "7"], 7),
        (["wait=-1"], 0),
        (["wait=1.5"], 0),
        (["wait=ten"], 0),
        (["wait="], 0),
        (["wait"], 0),
        (["await=10"], 0),
        (["wait=\u0661"], 0),
    ],
)
def test_how_long_a_caller_would_wait(headers: list[str], wait_s: int) -> None:
    assert parse(headers).wait_s == wait_s


def test_what_cannot_be_read_does_not_hide_what_can() -> None:
    assert parse(["wait=soon, wait=7, respond-async"]) == Preference(respond_async=True, wait_s=7)


@pytest.mark.parametrize(
    ("header", "preference"),
    [
        ('note="a, respond-async, b"', NONE),
        (r'note="a \", respond-async, b"', NONE),
        ('note="a, b", respond-async', Preference(respond_async=True)),
        ('note="wait=5", wait=7', Preference(wait_s=7)),
        ('wait="10', NONE),
        ('respond-async, "', Preference(respond_async=True)),
    ],
)
def test_a_comma_between_quotes_parts_nothing(header: str, preference: Preference) -> None:
    assert parse([header]) == preference


@pytest.mark.parametrize(
    ("preference", "applied"),
    [
        (Preference(respond_async=True), "respond-async"),
        (Preference(respond_async=True, wait_s=5), "respond-async, wait=5"),
    ],
)
def test_what_was_applied_is_said_as_it_is_asked_for(preference: Preference, applied: str) -> None:
    assert preference.applied == applied
    assert parse([applied]) == preference


def test_what_is_too_long_to_be_a_preference_is_passed_over() -> None:
    padding = "x" * (LENGTH_MAX - len("respond-async,"))
    assert parse(["respond-async," + padding]).respond_async
    assert parse(["respond-async", padding]).respond_async
    assert parse(["respond-async," + padding + "x"]) == NONE
    assert parse(["respond-async", padding + "x"]) == NONE
    assert parse(['"' * 8_000] * 2) == NONE


@pytest.mark.parametrize(
    "value", ['wait=""', 'wait="', 'wait="1', 'wait=1"', "wait=+1", "wait=1_0", "wait=²", "=5", "wait==5"]
)
def test_what_is_no_number_of_seconds_is_passed_over(value: str) -> None:
    assert parse([value]) == NONE
