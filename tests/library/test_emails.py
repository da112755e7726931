"""Email addresses: of the right form, kept in one way, and nobody is asked whether they exist."""

import pytest

from koshel import emails


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
    assert emails.normalized(email) == kept


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
    with pytest.raises(ValueError, match=r"^must be an email address such as ann@example\.com$"):
        emails.normalized(email)
