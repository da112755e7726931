"""The front door for values: the same are taken of a program and over HTTP, and what is wrong is said in one way."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as examples
from hypothesis import strategies as st
from msgspec import Meta, Raw, inspect
from msgspec.structs import fields

from koshel.asking.requests import Requests
from koshel.asking.terms import Terms
from koshel.core.commands import Status
from koshel.inputs import texts, values
from koshel.inputs.faults import faults
from koshel.inputs.values import ID_MAX, Invalid

_requests = Requests(1, Terms("USD", Decimal(500), 60, 3_600, 3_600, Decimal(0)))
NUMBER = "must be a number such as 12.50"
DIGITS = "must have at most 18 digits before the point and 64 after it"
EXACT = "must be exact: a Decimal, a str or an int"


@pytest.mark.parametrize("text", ["0", "-0", "0.00", "-0.00", "007.50", "12.50", "-3", "9" * 18, "0" * 19 + "1", "1e2"])
def test_a_text_is_the_number_that_it_says(text: str) -> None:
    """To the exponent, which decides how it is written: however it is read."""
    number = values.decimal(Decimal(text), "amount")
    assert values.decimal(text, "amount").as_tuple() == number.as_tuple()


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("12.50", Decimal("12.50")),
        (Decimal("12.50"), Decimal("12.50")),
        (12, Decimal(12)),
        (0, Decimal(0)),
        ("-3", Decimal(-3)),
        ("1e2", Decimal("1e2")),
        (10**18 - 1, Decimal(10**18 - 1)),
        ("0." + "1" * 64, Decimal("0." + "1" * 64)),
        ("9" * 18 + "." + "9" * 18, Decimal("9" * 18 + "." + "9" * 18)),
        ("-" + "9" * 18 + "." + "9" * 64, Decimal("-" + "9" * 18 + "." + "9" * 64)),
        ("0e-999", Decimal(0)),
        (Raw(b'"12.50"'), Decimal("12.50")),
        (Raw(b"12.5"), Decimal("12.5")),
        (Raw(b"1e2"), Decimal("1e2")),
        (Raw(rb'"\u0031"'), Decimal(1)),
        (Raw(b"0e-999"), Decimal(0)),
    ],
)
def test_an_amount_is_taken_exactly(given: Any, value: Decimal) -> None:
    taken = values.decimal(given, "amount")
    assert (taken, str(taken)) == (value, str(value))


@pytest.mark.parametrize("given", ["2026-02-28", date(2026, 2, 28)])
def test_a_value_date_is_a_date_or_its_text(given: Any) -> None:
    assert _requests.transfer(source=1, target=2, amount=1, effective_on=given).effective_on == date(2026, 2, 28)


@pytest.mark.parametrize(
    "given",
    [
        *("2026-02-30", "0000-01-01", "2026-02-28T00:00:00Z", "", 20260228, 1.5, True, b"2026-02-28", object()),
        *(datetime(2026, 2, 28, tzinfo=UTC), time(1)),  # which day a moment is depends on where one is
    ],
)
def test_what_is_no_day_is_no_value_date(given: Any) -> None:
    for make in (_requests.void, _requests.refund):
        with pytest.raises(Invalid, match=r"^effective_on must be a date such as 2026-11-22, or null$"):
            make(1, effective_on=given)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        *((given, EXACT) for given in (1.5, 0.1, True, False, None, b"1", [1])),
        *((given, NUMBER) for given in ("", "1_000", " 1", "ten", "1,50", "NaN", "sNaN", "Infinity", "1e999999")),
        *((given, DIGITS) for given in (Decimal("NaN"), Decimal("sNaN"), Decimal("-Infinity"), "1e9999", 10**18)),
        *((given, DIGITS) for given in (-(10**18), "1e-65", "0." + "1" * 65, 10**4_000, Decimal("1e-99999"))),
        *((Raw(given), f"{NUMBER}, or the same as a string") for given in (b"null", b"[1]", b'"1e2"', b'""', b"true")),
        *((Raw(given), DIGITS) for given in (b"1e18", b"1e-65", b'"1000000000000000000"')),
    ],
)
def test_an_amount_that_cannot_be_kept_is_refused(given: Any, reason: str) -> None:
    with pytest.raises(Invalid) as refused:
        values.decimal(given, "amount")
    assert (refused.value.field, refused.value.reason) == ("amount", reason)
    assert str(refused.value) == f"amount {reason}"


@pytest.mark.parametrize(
    ("parse", "taken", "refused", "said"),
    [
        (values.amount, ["0.01", 1, "1e-64"], ["0", 0, "-0.01", "-0"], "amount must be more than zero"),
        (values.floor, ["0", "-0.01", -100], ["0.01", 1], "min_balance must not be more than zero"),
        (values.ceiling, ["0", "0.01", 100], ["-0.01", -1], "max_balance must not be less than zero"),
    ],
)
def test_an_amount_has_the_sign_that_it_must(
    parse: Callable[[Any], Decimal], taken: list[Any], refused: list[Any], said: str
) -> None:
    for given in taken:
        assert parse(given) == parse(Raw(str(given).encode())) == Decimal(given)
    for given in refused:
        for one in (given, Raw(str(given).encode())):
            with pytest.raises(Invalid, match=f"^{said}$"):
                parse(one)


def test_no_max_balance_is_none_and_null() -> None:
    assert values.ceiling(None) is None
    assert values.ceiling(Raw(b"null")) is None
    with pytest.raises(Invalid):
        values.floor(Raw(b"null"))


@pytest.mark.parametrize("text", ["1", "42", str(ID_MAX)])
def test_an_id_is_read_from_a_path(text: str) -> None:
    assert texts.identifier(text) == int(text)


@pytest.mark.parametrize("text", ["0", "01", "-1", "+1", "1.0", " 1", "x", "٣", "²", str(ID_MAX + 1), "9" * 5_000])
def test_what_cannot_be_an_id_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match=rf"^id must be a whole number from 1 to {ID_MAX}$"):
        texts.identifier(text)


@pytest.mark.parametrize(
    ("given", "field", "reason"),
    [
        ({"account_id": 0}, "account_id", f"must be a whole number from 1 to {ID_MAX}"),
        ({"account_id": "1"}, "account_id", f"must be a whole number from 1 to {ID_MAX}"),
        ({"source_account_id": True}, "source_account_id", f"must be a whole number from 1 to {ID_MAX}, or null"),
        ({"currency": "usd"}, "currency", "must be a currency's code: 3 to 12 characters A-Z, 0-9 and _"),
        ({"key": "two words"}, "key", f"{values.KEY_REASON}, or null"),
        ({"metadata": {"a": "\0"}}, "metadata/a", "must not hold the character U+0000"),
        ({"metadata": {"a": "\ud800"}}, "metadata", "must be Unicode: it has half of a surrogate pair"),
        ({"key": "k", "final": 1}, "final", "must be true or false"),
    ],
)
def test_a_field_that_is_not_of_its_type_is_named(given: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(Invalid) as refused:
        values.fields(given)
    assert (refused.value.field, refused.value.reason) == (field, reason)


@pytest.mark.parametrize(
    ("email", "kept"),
    [
        ("ann@example.com", "ann@example.com"),
        ("Ann@EXAMPLE.com", "Ann@example.com"),
        ("ann@no-such-domain.test", "ann@no-such-domain.test"),
        ("анна@пример.рф", "анна@пример.рф"),
    ],
)
def test_an_address_is_kept_in_one_way(email: str, kept: str) -> None:
    assert values.email(email) == kept


NONE = [
    "",
    "ann",
    "ann@",
    "@example.com",
    "ann@example..com",
    "a b@example.com",
    "a@[1.2]",
    "a@1.2",
    "Ann <a@b.example>",
]


@pytest.mark.parametrize("email", NONE)
def test_what_is_no_address_is_refused(email: str) -> None:
    with pytest.raises(Invalid, match=r"^email must be an email address such as ann@example\.com$"):
        values.email(email)


@pytest.mark.parametrize(("email", "reason"), [("a" * 255, "at most 254 characters"), (5, "string"), (None, "string")])
def test_an_address_is_a_text_of_bounded_length(email: Any, reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        values.email(email)


class Number(int):
    """As a program's own identifiers may be."""


things: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.floats(),
        st.integers(),
        st.text(max_size=3),
        st.binary(max_size=2),
        st.decimals(),
        st.integers(-2, 2).map(Number),
        st.sampled_from(["USD", "k", "a" * 501, "\ud800", "\0", Status.OPEN]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(st.one_of(st.text(max_size=2), st.integers()), inner, max_size=3),
        st.dictionaries(st.text(max_size=2), inner, max_size=3).map(MappingProxyType),
    ),
    max_leaves=6,
)


def refusal(given: dict[str, Any]) -> Invalid | None:
    try:
        values.fields(given)
    except Invalid as error:
        return error
    return None


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@examples(st.dictionaries(st.sampled_from([one.name for one in fields(values.Fields)]), things, max_size=3))
def test_whatever_a_program_gives_is_taken_or_refused_in_words(given: dict[str, Any]) -> None:
    error = refusal(given)
    if error is not None:
        assert error.field.partition("/")[0] in given
        assert error.reason


@pytest.mark.parametrize(
    ("type_", "value", "reason"),
    [
        (Annotated[str, Meta(min_length=1)], "", "must have at least 1 character"),
        (Annotated[str, Meta(max_length=2)], "abc", "must have at most 2 characters"),
        (Annotated[str, Meta(min_length=1, max_length=2)], "", "must have 1 to 2 characters"),
        (Annotated[list[str], Meta(min_length=2)], ["a"], "must have at least 2 members"),
        (Annotated[list[str], Meta(max_length=1)], ["a", "b"], "must have at most 1 member"),
        (Annotated[list[str], Meta(min_length=1, max_length=2)], [], "must have 1 to 2 members"),
    ],
)
def test_a_value_is_told_how_long_it_may_be(type_: Any, value: Any, reason: str) -> None:
    assert list(faults(value, inspect.type_info(type_))) == [((), reason)]
