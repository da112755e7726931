"""Settings: read once, from the environment and the flags, each within its limits or refused by name."""

from decimal import Decimal
from typing import Any, get_type_hints

import pytest

from koshel.config import takes
from koshel.config.settings import Settings, SettingsError
from koshel.config.settings_text import PREFIX, knobs, read
from koshel.config.web_addresses import without_secrets
from koshel.config.web_origins import origins

NONE: dict[str, str | None] = {}
NAMES = [knob.name for knob in knobs()]


def test_every_setting_has_a_default() -> None:
    assert read({}, NONE) == Settings()


def test_the_environment_is_read_by_name() -> None:
    chosen = read({"KOSHEL_PORT": "9000", "KOSHEL_ACCESS_LOG": "false", "KOSHEL_MAX_BALANCE": "12.50"}, NONE)
    assert (chosen.port, chosen.access_log, str(chosen.max_balance)) == (9000, False, "12.50")


def test_a_flag_overrides_the_environment_and_a_flag_not_given_does_not() -> None:
    environment = {"KOSHEL_PORT": "9000", "KOSHEL_HOST": "0.0.0.0"}
    chosen = read(environment, {"port": "9001", "host": None})
    assert (chosen.port, chosen.host) == (9001, "0.0.0.0")


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_variable_is_the_default(name: str) -> None:
    assert read({PREFIX + name.upper(): ""}, NONE) == Settings()


def test_variables_of_others_are_not_read() -> None:
    assert read({"PORT": "9000", "koshel_port": "9000", "KOSHELEK_PORT": "1", "KOSHEL": "1"}, NONE) == Settings()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("port", "abc"),
        ("port", "-1"),
        ("port", "65536"),
        ("port", "80.5"),
        ("workers", "0"),
        ("workers", "-2"),
        ("batch_max", "0"),
        ("batches_in_flight", "0"),
        ("access_log", "perhaps"),
        ("log_format", "loud"),
        ("log_level", "loudest"),
        ("partition_by", "mood"),
        ("currency", "dollars"),
        ("currency", "US"),
        ("max_balance", "much"),
        ("max_balance", "NaN"),
        ("max_balance", "sNaN"),
        ("max_balance", "Infinity"),
        ("max_balance", "-0.01"),
        ("max_balance", "1e18"),
        ("keepalive_timeout_s", "0"),
        ("statement_timeout_ms", "1s"),
        ("body_bytes_max", "0"),
        ("batch_body_bytes_max", "0"),
        ("hold_lifetime_s", "0"),
        ("hold_lifetime_max_s", "a week"),
        ("background_batch_max", "0"),
        ("background_poll_ms", "0"),
        ("background_retry_ms", "-1"),
        ("background_retry_max_ms", "0"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_the_variables_name(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"^{PREFIX}{name.upper()}\\b") as refused:
        read({PREFIX + name.upper(): text}, NONE)
    assert "\n" not in str(refused.value)
    assert text in str(refused.value), "what was given is shown"
    flag = f"--{name.replace('_', '-')}"
    assert flag not in str(refused.value)
    with pytest.raises(SettingsError, match=f"^{flag} ") as refused:
        read({PREFIX + name.upper(): "1"}, {name: text})
    assert PREFIX + name.upper() not in str(refused.value)


@pytest.mark.parametrize(
    ("chosen", "named"),
    [
        ({"lock_timeout_ms": "5000", "statement_timeout_ms": "5000"}, ["LOCK_TIMEOUT_MS", "STATEMENT_TIMEOUT_MS"]),
        ({"outcome_timeout_ms": "5000"}, ["OUTCOME_TIMEOUT_MS", "IDLE_IN_TRANSACTION_TIMEOUT_MS"]),
        ({"batch_max": "20001"}, ["BATCH_MAX", "QUEUE_MAX"]),
        ({"body_bytes_max": "2", "queue_bytes_max": "1"}, ["BODY_BYTES_MAX", "QUEUE_BYTES_MAX"]),
        ({"batch_body_bytes_max": "99999999"}, ["BATCH_BODY_BYTES_MAX", "QUEUE_BYTES_MAX"]),
        ({"batches_in_flight": "9"}, ["BATCHES_IN_FLIGHT", "SETTLE_CONNECTIONS"]),
        ({"hold_lifetime_s": "61", "hold_lifetime_max_s": "60"}, ["HOLD_LIFETIME_S", "HOLD_LIFETIME_MAX_S"]),
        ({"hold_lifetime_max_s": "3153600001"}, ["HOLD_LIFETIME_MAX_S"]),
        ({"tls_key_file": "tls.key"}, ["TLS_CERTIFICATE_FILE", "TLS_KEY_FILE"]),
        ({"background_retry_ms": "300001"}, ["BACKGROUND_RETRY_MS", "BACKGROUND_RETRY_MAX_MS"]),
    ],
)
def test_limits_that_contradict_each_other_are_refused_by_both_names(chosen: dict[str, str], named: list[str]) -> None:
    variables = {PREFIX + name.upper(): text for name, text in chosen.items()}
    with pytest.raises(SettingsError) as refused:
        read(variables, NONE)
    for name in named:
        shown = variables.get(PREFIX + name, f"{getattr(Settings(), name.lower())} by default")
        assert f"{PREFIX}{name} ({shown})" in str(refused.value)
    with pytest.raises(SettingsError) as refused:
        read({}, {**chosen})
    for name in named:
        came_as = f"--{name.lower().replace('_', '-')}" if name.lower() in chosen else PREFIX + name
        assert f"{came_as} (" in str(refused.value)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("port", "99999", "--port takes a whole number from 0 to 65535, not '99999'"),
        ("workers", "0", "--workers takes a whole number from 1 to 1000, not '0'"),
        ("log_format", "loud", "--log-format takes auto, console or json, not 'loud'"),
        ("access_log", "yes", "--access-log takes true or false, not 'yes'"),
        ("max_balance", "much", "--max-balance takes a number, not 'much'"),
        ("max_balance", "-1", "--max-balance (-1) must be from 0 to 999999999999999999"),
        ("currency", "$", "--currency takes a code of 3 to 12 characters of A-Z, 0-9 and _, not '$'"),
        ("host", "", "--host takes an address or a name of this machine, without scheme and port, not ''"),
        ("queue_max", "9" * 26, f"--queue-max takes a whole number from 1 to 10000000, not '{'9' * 26}'"),
        (
            "lock_timeout_ms",
            "2147483648",
            "--lock-timeout-ms takes a whole number from 1 to 2147483647, not '2147483648'",
        ),
        ("log_buffer_bytes_max", "1", "--log-buffer-bytes-max takes a whole number from 4096 to 2147483647, not '1'"),
        ("hold_lifetime_max_s", "9" * 26, f"--hold-lifetime-max-s ({'9' * 26}) must not be more than a hundred years"),
        ("data_dir", "", "--data-dir takes the path of a directory, not ''"),
        ("service_role", "", "--service-role takes the name of a role, not ''"),
        ("database_url", "postgrse://me:secret@db/x", "--database-url takes a URL that begins with postgresql://"),
    ],
)
def test_a_value_that_cannot_be_used_is_shown_with_what_it_may_be(name: str, text: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read({}, {name: text})
    assert str(refused.value) == said


def test_every_setting_says_what_it_takes_in_words() -> None:
    hints = get_type_hints(Settings, include_extras=True)
    for name in NAMES:
        assert takes.words(hints[name]) not in {"", "text"}, name


@pytest.mark.parametrize(
    ("name", "metavar"),
    [
        ("database_url", "URL"),
        ("data_dir", "DIR"),
        ("host", "HOST"),
        ("port", "PORT"),
        ("workers", "NUMBER"),
        ("service_role", "ROLE"),
        ("max_balance", "AMOUNT"),
        ("access_log", "true|false"),
        ("partition_by", "database|ledger"),
        ("lock_timeout_ms", "MILLISECONDS"),
        ("hold_lifetime_max_s", "SECONDS"),
        ("queue_bytes_max", "BYTES"),
    ],
)
def test_the_help_says_in_a_word_what_a_setting_takes(name: str, metavar: str) -> None:
    assert {knob.name: knob.metavar for knob in knobs()}[name] == metavar


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("port", "0", 0),
        ("port", "65535", 65535),
        ("max_balance", "0", Decimal(0)),
        ("max_balance", "999999999999999999", Decimal(999999999999999999)),
        ("currency", "POINTS_2", "POINTS_2"),
        ("access_log", "0", False),
        ("access_log", "true", True),
        ("lock_timeout_ms", "4999", 4999),
        ("statement_timeout_ms", "2147483647", 2_147_483_647),
        ("log_buffer_bytes_max", "4096", 4_096),
        ("shutdown_timeout_s", "2147483", 2_147_483),
        ("hold_lifetime_s", "2592000", 2_592_000),
        ("hold_lifetime_max_s", "3153600000", 3_153_600_000),
        ("background_retry_ms", "300000", 300_000),
        ("batch_body_bytes_max", "16777216", 16_777_216),
    ],
)
def test_a_value_at_its_limit_is_taken(name: str, text: str, value: Any) -> None:
    assert getattr(read({PREFIX + name.upper(): text}, NONE), name) == value


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Settings().port = 1  # type: ignore[misc]  # that is what is tested


def test_every_setting_is_described_and_a_time_or_size_has_its_unit_in_its_name() -> None:
    for knob in knobs():
        assert knob.description
        assert not knob.description.endswith(".")
        if "timeout" in knob.name:
            assert knob.name.endswith(("_ms", "_s")), knob.name
        if "bytes" in knob.description or "size" in knob.description:
            assert "bytes" in knob.name, knob.name


def test_a_worker_may_open_as_many_connections_as_all_its_pools_have() -> None:
    assert Settings(auth="off").connections_per_worker == 8 + 4 + 2
    assert Settings().connections_per_worker == 8 + 4 + 2 + 1  # to hear of keys
    assert Settings(settle_connections=3, read_connections=2, rehearsal_connections=1).connections_per_worker == 7


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", []),
        (" , ", []),
        ("https://shop.example", ["https://shop.example"]),
        ("https://shop.example,http://localhost:3000", ["https://shop.example", "http://localhost:3000"]),
        (" https://Shop.Example:443 , http://a-b.example:80", ["https://shop.example", "http://a-b.example"]),
        ("http://[::1]:8080", ["http://[::1]:8080"]),
        ("capacitor://localhost", ["capacitor://localhost"]),
    ],
)
def test_origins_are_named_as_browsers_send_them(text: str, named: list[str]) -> None:
    assert origins(read({}, {"allowed_origins": text}).allowed_origins) == named


@pytest.mark.parametrize(
    "text",
    ["*", "null", "shop.example", "https://shop.example/", "https://", "https://a b", "https://u@shop.example", "//x"],
)
def test_what_is_no_origin_is_shown(text: str) -> None:
    with pytest.raises(SettingsError, match=r"^--allowed-origins .* must name origins such as") as refused:
        read({}, {"allowed_origins": f"https://good.example, {text}"})
    assert str(refused.value).endswith(f"not {without_secrets(text)}")
