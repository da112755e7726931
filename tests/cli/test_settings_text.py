"""Settings as text: what no database, no log and no socket could take is refused before any of them sees it."""

from decimal import Decimal

import pytest

from koshel.config.settings import Settings, SettingsError
from koshel.config.settings_text import PREFIX, knobs, read

NONE: dict[str, str | None] = {}
TEXTS = {  # whose default is none
    *("database_url", "service_role", "tls_certificate_file", "tls_key_file", "jwt_issuer", "jwt_audience", "jwt_keys"),
}
NAMES = [knob.name for knob in knobs()]


@pytest.mark.parametrize("name", NAMES)
def test_no_number_is_so_large_that_only_the_database_or_the_kernel_would_refuse_it(name: str) -> None:
    if isinstance(getattr(Settings(), name), int | Decimal | None) and name not in TEXTS:
        with pytest.raises(SettingsError, match=f"^{PREFIX}{name.upper()} "):
            read({PREFIX + name.upper(): "9" * 26}, NONE)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", [b"\xff".decode(errors="surrogateescape"), "postgresql://u@\udcff/db", "a\0b"])
def test_text_that_no_database_and_no_log_could_take_is_refused_by_name_and_not_shown(name: str, text: str) -> None:
    for environment, flags, said in (
        ({PREFIX + name.upper(): text}, NONE, PREFIX + name.upper()),
        ({}, {name: text}, f"--{name.replace('_', '-')}"),
    ):
        with pytest.raises(SettingsError) as refused:
            read(environment, flags)
        assert str(refused.value) == f"{said} takes text in UTF-8, and was given bytes that are none"


@pytest.mark.parametrize(
    "text", ["http://127.0.0.1", "127.0.0.1:80", "localhost:80", "[::1]:80", "[::1", "::1]", "a/b", " ", "::1/64", "[]"]
)
def test_a_host_with_a_scheme_or_a_port_is_refused(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read({"KOSHEL_HOST": text}, NONE)
    said = "KOSHEL_HOST takes an address or a name of this machine, without scheme and port, not "
    assert str(refused.value) == f"{said}{text!r}"


@pytest.mark.parametrize(
    "text", ["::", "[::1]", "fe80::1%eth0", "::ffff:127.0.0.1", "localhost", "[localhost]", "bücher"]
)
def test_a_host_is_an_address_of_either_kind_or_a_name(text: str) -> None:
    assert read({"KOSHEL_HOST": text}, NONE).host == text
