"""What an API key looks like, and which texts are none."""

import hashlib
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from koshel import api_keys

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase


def test_a_key_has_its_prefix_its_secret_and_its_check_sum() -> None:
    made = api_keys.make()
    assert re.fullmatch(r"koshel_live_[0-9A-Za-z]{49}", made)
    assert api_keys.digest_of(made) == hashlib.sha256(made.encode()).digest()


def test_no_two_keys_are_the_same() -> None:
    assert len({api_keys.make() for _ in range(1_000)}) == 1_000


def test_the_whole_secret_varies() -> None:
    made = [api_keys.make().removeprefix("koshel_live_") for _ in range(200)]
    assert all(len({one[at] for one in made}) > 20 for at in range(43))


@given(at=st.integers(0, api_keys.LENGTH - 1), other=st.sampled_from(BASE62))
def test_a_key_with_another_character_is_none(at: int, other: str) -> None:
    made = api_keys.make()
    if made[at] != other:
        assert api_keys.digest_of(made[:at] + other + made[at + 1 :]) is None


@given(at=st.integers(12, api_keys.LENGTH - 2))
def test_a_key_with_two_characters_swapped_is_none(at: int) -> None:
    made = api_keys.make()
    if made[at] != made[at + 1]:
        assert api_keys.digest_of(made[:at] + made[at + 1] + made[at] + made[at + 2 :]) is None


@given(st.text())
def test_no_other_text_is_a_key(text: str) -> None:
    assert api_keys.digest_of(text) is None
    assert api_keys.digest_of(f"koshel_live_{text}") is None


@pytest.mark.parametrize(
    "change", [str.upper, str.lower, lambda key: key + "0", lambda key: key[:-1], lambda key: key + "\n"]
)
def test_a_key_is_taken_as_it_is(change: "type[str]") -> None:
    assert api_keys.digest_of(change(api_keys.make())) is None
