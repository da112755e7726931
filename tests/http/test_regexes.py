"""No pattern that a request's text meets takes more time than the text is long: each is timed at n and at 2n.

The patterns are found, not listed: those that our modules hold, those of msgspec's types, those of aiohttp's router,
and those of email-validator, which sees addresses of a bounded length only.
"""

import importlib
import pkgutil
import re
import sys
from collections import deque
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import msgspec
import pytest
from email_validator import rfc_constants
from msgspec import inspect

import koshel.asking
import koshel.core
import koshel.http
import koshel.inputs
import koshel.library
from koshel.config.settings import Settings
from koshel.http.handlers.accounts import AccountRequest
from koshel.http.handlers.routes import ROUTES
from koshel.http.merging import MERGED
from koshel.http.prefer import LENGTH_MAX, parse
from koshel.http.server import application
from koshel.inputs import filter_grammar
from koshel.inputs.values import CURRENCY_PATTERN, KEY_PATTERN
from tests.http.test_explain import patterns_of

pytestmark = pytest.mark.alone

SIZE = 4_096  # where a quadratic pattern takes a hundred times as long as a linear one
GROWTH_MAX = 3.0  # of the time, for twice the text; a linear pattern has 2, a quadratic one 4
FLOOR_S = 0.02  # what takes less may grow as it likes: a clock that others use too says nothing there
TRIES = 4


def modules() -> Iterator[Any]:
    """Every module of ours that a request's text passes through."""
    for package in (koshel.http, koshel.core, koshel.inputs, koshel.asking, koshel.library):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield importlib.import_module(module.name)
    for name in sorted(
        sys.modules
    ):  # what those import, but for other rooms: no request's text reaches them as it came
        if name.startswith("koshel.") and name.count(".") == 1:
            yield sys.modules[name]
    yield importlib.import_module("koshel.telemetry.traceparent")


def held_by(value: Any) -> Iterator["re.Pattern[Any]"]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from held_by(one)
    elif isinstance(value, list | tuple | set | frozenset):
        for one in value:
            yield from held_by(one)


def all_patterns() -> dict[str, "re.Pattern[Any]"]:
    found: dict[str, re.Pattern[Any]] = {}
    for module in modules():
        for name, value in vars(module).items():
            for one in held_by(value):
                found.setdefault(repr(one.pattern), one)
            assert not isinstance(value, type) or not list(held_by(list(vars(value).values()))), name
    for terminal in filter_grammar.parser().terminals:
        text = terminal.pattern.to_regexp()
        found.setdefault(repr(text), re.compile(text))
    for body in (*(route.body for route in ROUTES), *(route.query for route in ROUTES), *MERGED.values()):
        if body is not None:
            for text in patterns_of(inspect.type_info(body)):
                found.setdefault(repr(text), re.compile(text))
    for resource in application(Settings(), None).router.resources():  # type: ignore[arg-type]  # it is not started
        if (pattern := getattr(resource, "_pattern", None)) is not None:
            found.setdefault(repr(pattern.pattern), pattern)
    return found


PATTERNS = all_patterns()
CLASSES = ["a", "W", "_", "0", "-", ".", ",", ":", ";", "=", '"', "'", "\\", "/", " ", "\t", "{", "[", "\x7f", "é"]
PIECES = [*CLASSES, '"a"', '"\\', '\\"', '"",', 'W/"', '"a":', "1.", "0,", " ,", "a=", 'a="', "e1", "-0.", "a.", "a-"]
HEADS = ["", '"', "0"]
TAILS = ["", "\0"]


def hostile(pattern: "re.Pattern[Any]", size: int) -> Iterator[Any]:
    """Repeats of everything, after what the pattern may begin with, and with an end that does not match."""
    for head in HEADS:
        for piece in PIECES:
            for tail in TAILS:
                text = head + piece * (size // len(piece)) + tail
                yield text if isinstance(pattern.pattern, str) else text.encode()


def seconds(pattern: "re.Pattern[Any]", text: Any) -> float:
    began = perf_counter()
    pattern.match(text)
    pattern.fullmatch(text)
    deque(pattern.finditer(text), maxlen=0)
    return perf_counter() - began


def grows(pattern: "re.Pattern[Any]", short: Any, long: Any) -> bool:
    """Whether twice the text takes far more than twice the time, however often that is tried."""
    for _ in range(TRIES):
        least = min(seconds(pattern, short) for _ in range(3))
        if seconds(pattern, long) <= max(GROWTH_MAX * least, FLOOR_S):
            return False
    return True


def test_the_patterns_are_found() -> None:
    assert {"koshel.http.receive", "koshel.http.bodies.wire", "koshel.core.decide"} <= {
        one.__name__ for one in modules()
    }
    assert len(PATTERNS) >= 10
    for text in (KEY_PATTERN, CURRENCY_PATTERN):
        assert repr(text) in PATTERNS


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_a_pattern_takes_as_long_as_its_text_is(pattern: "re.Pattern[Any]") -> None:
    for short, long in zip(hostile(pattern, SIZE), hostile(pattern, 2 * SIZE), strict=True):
        if seconds(pattern, long) > FLOOR_S:
            assert not grows(pattern, short, long), (pattern.pattern, long[:40], long[-10:])


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r'(?:[^,"]|"(?:[^"\\]|\\.)*")+', '"\\'),  # what once read Prefer
        (r"\s+$", " "),
        (r"[0-9]+x", "0"),
    ],
)
def test_a_pattern_that_backtracks_is_seen(pattern: str, text: str) -> None:
    compiled = re.compile(pattern)
    short, long = (text * (size // len(text)) + "!" for size in (SIZE, 2 * SIZE))
    assert seconds(compiled, long) > FLOOR_S
    assert any(grows(compiled, short, long) for _ in range(TRIES))


def test_an_address_is_short_before_its_patterns_see_it() -> None:
    email = next(field for field in msgspec.structs.fields(AccountRequest) if field.name == "email")
    (length,) = [one.max_length for one in [inspect.type_info(email.type).type]]  # type: ignore[attr-defined]
    assert length == 254
    for name, pattern in vars(rfc_constants).items():
        for one in held_by(pattern):
            for text in hostile(one, length):
                assert min(seconds(one, text) for _ in range(3)) < 1, name


@pytest.mark.parametrize("piece", ['"', ",", '",', '"\\', '\\"', "a=", ";", "wait=", " ", "respond-async,"])
def test_a_preference_is_read_in_one_pass_and_only_if_it_is_short(piece: str) -> None:
    began = perf_counter()
    for size in (LENGTH_MAX, LENGTH_MAX + 1, SIZE, 64 * SIZE):
        parse([piece * (size // len(piece))] * 3)
    assert perf_counter() - began < 1
