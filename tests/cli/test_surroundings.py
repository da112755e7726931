"""The environment: a misspelt variable stops every command, one of Kubernetes' is passed over."""

import pytest

from koshel.config.settings import Settings, SettingsError
from koshel.config.settings_text import read
from koshel.config.surroundings import of_kubernetes, of_libpq
from tests.support.ended import Koshel

# What Kubernetes gives to each container of a namespace with a Service called `koshel`, which has a named port.
SERVICE = {
    "KOSHEL_SERVICE_HOST": "10.0.0.1",
    "KOSHEL_SERVICE_PORT": "8080",
    "KOSHEL_SERVICE_PORT_HTTP": "8080",
    "KOSHEL_PORT": "tcp://10.0.0.1:8080",
    "KOSHEL_PORT_8080_TCP": "tcp://10.0.0.1:8080",
    "KOSHEL_PORT_8080_TCP_PROTO": "tcp",
    "KOSHEL_PORT_8080_TCP_PORT": "8080",
    "KOSHEL_PORT_8080_TCP_ADDR": "10.0.0.1",
}
# And with one called `koshel-db`, on IPv6.
ANOTHER = {
    "KOSHEL_DB_SERVICE_HOST": "fd00::1",
    "KOSHEL_DB_SERVICE_PORT": "5432",
    "KOSHEL_DB_PORT": "tcp://[fd00::1]:5432",
    "KOSHEL_DB_PORT_5432_TCP": "tcp://[fd00::1]:5432",
    "KOSHEL_DB_PORT_5432_TCP_PROTO": "tcp",
    "KOSHEL_DB_PORT_5432_TCP_PORT": "5432",
    "KOSHEL_DB_PORT_5432_TCP_ADDR": "fd00::1",
}


@pytest.mark.parametrize("name", [*SERVICE, *ANOTHER])
def test_each_variable_of_a_service_is_known_as_one(name: str) -> None:
    text = (SERVICE | ANOTHER)[name]
    assert of_kubernetes({name: text}) == [name]
    assert read({name: text}, {}) == Settings()


def test_the_variables_of_two_services_are_passed_over_and_settings_beside_them_are_read() -> None:
    chosen = read(SERVICE | ANOTHER | {"KOSHEL_WORKERS": "3"}, {})
    assert (chosen.port, chosen.workers) == (8080, 3)


def test_a_port_that_the_container_was_given_itself_is_read_beside_those_of_a_service() -> None:
    assert read(SERVICE | {"KOSHEL_PORT": "9000"}, {}).port == 9000


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("KOSHEL_PROT", "KOSHEL_PORT"),
        ("KOSHEL_DATABASE_URI", "KOSHEL_DATABASE_URL"),
        ("KOSHEL_DATABASEURL", "KOSHEL_DATABASE_URL"),
        ("KOSHEL_WORKER", "KOSHEL_WORKERS"),
        ("KOSHEL_HOLD_LIFETIME", "KOSHEL_HOLD_LIFETIME_S"),
        ("KOSHEL_port", "KOSHEL_PORT"),
    ],
)
def test_an_unknown_variable_is_named_with_the_nearest_that_is_known(name: str, near: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} is not a setting, the nearest is {near};"):
        read({name: "80"}, {})


@pytest.mark.parametrize("name", ["KOSHEL_FOO", "KOSHEL_X", "KOSHEL__", "KOSHEL_VERSION"])
def test_an_unknown_variable_that_is_like_no_other_has_no_hint(name: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read({name: "1"}, {})
    assert str(refused.value) == f"{name} is not a setting; `koshel serve --help` lists them all"


def test_all_unknown_variables_are_named_in_one_line() -> None:
    with pytest.raises(SettingsError) as refused:
        read({"KOSHEL_PROT": "80", "KOSHEL_HOTS": "::"}, {})
    assert str(refused.value) == (
        "KOSHEL_HOTS is not a setting, the nearest is KOSHEL_HOST; KOSHEL_PROT is not a setting, "
        "the nearest is KOSHEL_PORT; `koshel serve --help` lists them all"
    )


def test_an_unknown_variable_that_is_empty_is_one_that_is_not_set() -> None:
    assert read({"KOSHEL_PROT": ""}, {}) == Settings()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("KOSHEL_SERVICE_HOST", "0.0.0.0"),
        ("KOSHEL_SERVICE_HOST", "127.0.0.1"),
        ("KOSHEL_SERVICE_HOST", "localhost"),
        ("KOSHEL_SERVICE_PORT", "http"),
        ("KOSHEL_DB_PORT", "5432"),
        ("KOSHEL_PORTS", "tcp://10.0.0.1:80"),
    ],
)
def test_what_kubernetes_would_not_have_made_is_somebody_s_mistake(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name} is not a setting"):
        read({name: text}, {})


@pytest.mark.parametrize(
    "arguments", [["serve"], ["migrate"], ["verify"], ["currency", "list"], ["psql"]], ids=" ".join
)
def test_a_misspelt_variable_stops_every_command(koshel: Koshel, arguments: list[str]) -> None:
    ended = koshel(*arguments, databse_url="postgresql://db/koshel")
    assert ended.status == (2 if arguments == ["verify"] else 1)
    assert ended.complained.startswith(
        "koshel: KOSHEL_DATABSE_URL is not a setting, the nearest is KOSHEL_DATABASE_URL"
    )


def test_the_variables_of_libpq_are_known_by_how_they_begin() -> None:
    assert of_libpq({"PGHOST": "db", "KOSHEL_PORT": "80", "PGSSLMODE": "", "OPTPG": "x", "pghost": "db"}) == [
        "PGHOST",
        "PGSSLMODE",
    ]
