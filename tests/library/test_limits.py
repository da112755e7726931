"""What the library takes as text is what HTTP takes: the same strings pass, and the same do not."""

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest

from koshel.asking.checks import checked
from koshel.asking.requests import Requests
from koshel.asking.terms import terms_of
from koshel.config.settings import Settings
from koshel.core.commands import Command, Group, Move
from koshel.errors import Misuse
from koshel.http.handlers.batches import MemberRequest
from koshel.inputs.values import Invalid

REQUESTS = Requests(1, terms_of(Settings()))
KEYS = ["k", "k" * 255, "~!", "", "k" * 256, "two words", "schlüssel", "\x00"]
METADATA: list[Any] = [
    {},
    {"a": "b"},
    {"n" * 40: "v" * 500},
    {str(i): "" for i in range(50)},
    {"line": "one\ntwo\n"},
    {str(i): "" for i in range(51)},
    {"": "empty"},
    {"n" * 41: ""},
    {"a": "v" * 501},
    {"a": "\x00"},
    {"\x00": "a"},
    {"a": 1},
    {"a": None},
    {"a": {"b": "c"}},
    ["a"],
]


def over_http(**fields: Any) -> bool:
    """Whether a request's body may say so."""
    try:
        msgspec.json.decode(msgspec.json.encode(fields), type=MemberRequest)
    except msgspec.ValidationError:
        return False
    return True


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_taken_as_over_http(key: str) -> None:
    assert taken(key=key) == over_http(idempotency_key=key)


@pytest.mark.parametrize("metadata", METADATA, ids=range(len(METADATA)))
def test_metadata_is_taken_as_over_http(metadata: Any) -> None:
    assert taken(metadata=metadata) == over_http(metadata=metadata)


def taken(**fields: Any) -> bool:
    """Whether a call of the library may say so; in a batch too."""
    member = REQUESTS.payment(1, amount=1, **fields)
    alone = is_in_order(member)
    assert is_in_order(REQUESTS.batch([REQUESTS.payment(1, amount=1), member])) == alone
    return alone


def is_in_order(command: Move | Group) -> bool:
    try:
        checked(command)
    except Misuse:
        return False
    return True


def test_an_email_is_kept_in_its_normal_form() -> None:
    assert checked(REQUESTS.open_account("ann@Example.COM")).email == "ann@example.com"


@pytest.mark.parametrize("email", ["Ann <ann@example.com>", "ann", "ann@", "a@b@c", ""])
def test_an_email_is_checked_for_its_form(email: str) -> None:
    for build in (REQUESTS.open_account, partial(REQUESTS.change_account, 1)):
        with pytest.raises(Invalid, match=r"^email must be an email address such as ann@example\.com$"):
            build(email=email)


@pytest.mark.parametrize(
    "make",
    [
        lambda: REQUESTS.hold(source=None, target=2, amount=1),  # type: ignore[arg-type]
        lambda: REQUESTS.hold(source=0, target=2, amount=1),
        lambda: REQUESTS.capture(1, final="no"),  # type: ignore[arg-type]
        lambda: REQUESTS.capture(2**63),
        lambda: REQUESTS.capture(2**70),
        lambda: REQUESTS.payment(1, amount=1, metadata={"a": object()}),  # type: ignore[dict-item]
        lambda: REQUESTS.transfer(source=1, target=None, amount=1),  # type: ignore[arg-type]
        lambda: REQUESTS.payment(None, amount=1),  # type: ignore[arg-type]
        lambda: REQUESTS.payment(1, amount=1, metadata={"a": "\ud800"}),
        lambda: REQUESTS.enqueue(REQUESTS.payment(1, amount=1, key="two words")),
        lambda: REQUESTS.enqueue(REQUESTS.open_account("ann@example.com")),  # type: ignore[arg-type]
        lambda: REQUESTS.enqueue(REQUESTS.batch([REQUESTS.refund(1)])),  # type: ignore[arg-type]
        lambda: REQUESTS.batch([REQUESTS.batch([REQUESTS.refund(1)])]),  # type: ignore[list-item]
        lambda: REQUESTS.batch([REQUESTS.enqueue(REQUESTS.refund(1))]),  # type: ignore[list-item]
        lambda: REQUESTS.batch([7]),  # type: ignore[list-item]
        lambda: REQUESTS.batch([REQUESTS.refund(1), REQUESTS.refund(-1)]),
        lambda: REQUESTS.batch([REQUESTS.refund(1), REQUESTS.void(1, metadata={"a": "\ud800"})]),
        lambda: REQUESTS.change_account(0),
    ],
)
def test_what_could_not_be_read_again_is_not_taken(make: Callable[[], Command]) -> None:
    with pytest.raises(Invalid, match=r".+ must |is required"):
        checked(make())


@pytest.mark.parametrize("seconds", [1.5, True, "60", None])
def test_a_lifetime_is_a_whole_number(seconds: Any) -> None:
    with pytest.raises(Invalid, match=r"^expires_in must be a whole number, 1 or more$"):
        REQUESTS.hold(source=1, target=2, amount=1, expires_in=seconds)
