"""Settings that a program makes are held to the same types and limits as those that come from text, and say so."""

from decimal import Decimal
from typing import Any, get_type_hints

import pytest
from msgspec import inspect, structs

from koshel import Invalid, Ledger, Misuse, Settings
from koshel.config.settings import SettingsError
from koshel.config.settings_text import knobs, read
from koshel.config.takes import bare
from tests.support.database import Database

HINTS = get_type_hints(Settings, include_extras=True)
NAMES = [one.name for one in knobs()]
WRONG: list[dict[str, Any]] = [
    {"hold_lifetime_s": -5},
    {"batch_max": 0},
    {"currency": "eu"},
    {"lock_timeout_ms": -1},
    {"max_balance": "5"},
    {"max_balance": 5},
    {"max_balance": 0.5},
    {"exchange_min_balance": "0"},
    {"queue_max": 0},
    {"schema": "pg_toast"},
    {"access_log": 1},
]
CONTRADICTIONS: list[dict[str, Any]] = [
    {"lock_timeout_ms": 5_000},
    {"batch_max": 11, "queue_max": 10},
    {"batches_in_flight": 9},
    {"hold_lifetime_s": 61, "hold_lifetime_max_s": 60},
    {"hold_lifetime_max_s": 10**10},
    {"schedule_max_s": 10**10},
    {"max_balance": Decimal("NaN")},
    {"max_balance": Decimal(-1)},
    {"exchange_min_balance": Decimal(1)},
    {"trusted_proxies": "nobody"},
    {"allowed_origins": "nobody"},
]


@pytest.mark.parametrize("given", WRONG, ids=str)
def test_a_value_that_cannot_be_used_is_invalid_by_its_name(given: dict[str, Any]) -> None:
    (name,) = given
    with pytest.raises(Invalid) as told:
        Settings(**given)
    assert told.value.field == name


@pytest.mark.parametrize("given", CONTRADICTIONS, ids=str)
def test_settings_that_contradict_each_other_are_a_misuse_that_names_them(given: dict[str, Any]) -> None:
    with pytest.raises(Misuse) as told:
        Settings(**given)
    assert any(f"`{name}`" in str(told.value) for name in given)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [object(), b"x", 1.5, [], {}], ids=["object", "bytes", "number", "list", "dict"])
def test_no_setting_takes_what_is_not_of_its_type(name: str, value: object) -> None:
    with pytest.raises(Invalid) as told:
        Settings(**{name: value})  # type: ignore[arg-type]
    assert told.value.field == name


@pytest.mark.parametrize("name", NAMES)
def test_a_limit_holds_for_a_program_as_for_text(name: str) -> None:
    type_ = bare(HINTS[name])
    if not isinstance(type_, inspect.IntType):
        return
    for least_or_most, step in ((type_.ge, -1), (type_.le, 1)):
        if least_or_most is not None:
            with pytest.raises(Invalid) as told:
                Settings(**{name: least_or_most + step})  # type: ignore[arg-type]
            with pytest.raises(SettingsError) as told_text:
                read({}, {name: str(least_or_most + step)})
            said = told.value.reason.removeprefix("must be ")
            assert said in str(told_text.value), "the same words"


async def test_settings_that_cannot_be_used_are_refused_before_anything_is_sent(database: Database) -> None:
    for wrong in ({"currency": "EUR"}, "EUR", 1):
        with pytest.raises(Invalid, match="settings must be koshel"):
            async with Ledger.open(database.service_url, wrong):  # type: ignore[arg-type]
                pass
    with pytest.raises(Invalid, match="batch_max"):
        structs.replace(Settings(), batch_max=0)
