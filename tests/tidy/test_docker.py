"""The image and the compose file, as far as they can be proved without an engine: by their schema and by reading."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from koshel.command_line.arguments import command_line
from koshel.config.settings import Settings
from koshel.config.settings_text import PREFIX, knobs, read
from koshel.http.handlers.routes import ROUTES

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(sys.executable).parent
INSTRUCTIONS = {"FROM", "RUN", "COPY", "WORKDIR", "ENV", "USER", "EXPOSE", "HEALTHCHECK", "CMD"}
NAMES = {knob.name for knob in knobs()}
ROLE = "koshel_service"


def instructions() -> Sequence[tuple[str, str]]:
    """The Dockerfile's instructions and their arguments, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    joined = re.sub(r"\s*\\\n\s*", " ", text)
    return [(name, rest) for line in joined.splitlines() if line for name, _, rest in [line.partition(" ")]]


def arguments_of(name: str) -> list[str]:
    return [rest for instruction, rest in instructions() if instruction == name]


@pytest.fixture(scope="module")
def services() -> Mapping[str, Any]:
    """The services of the compose file."""
    composed: Mapping[str, Mapping[str, Any]] = YAML(typ="safe").load(ROOT / "docker-compose.yml")
    return composed["services"]


def environment_of(service: Mapping[str, Any]) -> dict[str, str]:
    """Its environment, with the defaults of what compose fills in."""
    filled = {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text) for name, text in service["environment"].items()}
    assert not [text for text in filled.values() if "$" in text], "each variable has a default"
    return filled


def assert_is_a_command(command: Sequence[str]) -> None:
    assert command[0] == "koshel"
    assert command_line().parse_args(command[1:]).run


def test_the_compose_file_follows_the_specification() -> None:
    done = subprocess.run(
        [PROGRAMS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", ROOT / "docker-compose.yml"],
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_the_linter_of_dockerfiles_finds_nothing() -> None:
    linter = PROGRAMS / "hadolint"
    if not linter.exists():
        pytest.skip("hadolint is not installed")
    done = subprocess.run([linter, "--no-color", ROOT / "Dockerfile"], capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stdout


def test_the_dockerfile_has_only_instructions_that_are_known() -> None:
    assert {name for name, _ in instructions()} == INSTRUCTIONS


def test_what_the_image_copies_is_there_and_reaches_the_builder() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for rest in arguments_of("COPY"):
        if rest.startswith("--from="):
            continue
        *sources, _ = rest.split()
        for source in sources:
            assert (ROOT / source).exists(), source
            assert f"!{source}" in ignored


def test_the_image_is_slim_and_runs_a_python_that_koshel_supports() -> None:
    supported = re.search(r'requires-python = ">=3\.(\d+)"', (ROOT / "pyproject.toml").read_text())
    assert supported is not None
    for rest in arguments_of("FROM"):
        image = re.fullmatch(r"python:3\.(\d+)-slim( AS \w+)?", rest)
        assert image is not None
        assert int(image[1]) >= int(supported[1])


def test_the_image_installs_the_versions_that_were_tested() -> None:
    assert any("pip install" in rest and "--constraint constraints.txt" in rest for rest in arguments_of("RUN"))


def test_the_image_has_what_settings_need_that_not_everybody_installs() -> None:
    assert any("pip install" in rest and "'.[jwt,tracing]'" in rest for rest in arguments_of("RUN"))


def test_the_service_does_not_run_as_root() -> None:
    (user,) = arguments_of("USER")
    assert int(user) > 0
    assert any(f"useradd --uid {user} " in rest for rest in arguments_of("RUN"))
    names = [name for name, _ in instructions()]
    assert names.index("USER") < names.index("CMD")


def test_the_image_exposes_and_serves_the_default_port() -> None:
    assert arguments_of("EXPOSE") == [str(Settings().port)]
    (command,) = arguments_of("CMD")
    assert_is_a_command(json.loads(command))
    assert json.loads(command) == ["koshel", "serve", "--host", "0.0.0.0"]


def test_the_health_check_asks_a_route_that_is_there() -> None:
    (check,) = arguments_of("HEALTHCHECK")
    program, flag, code = json.loads(check.partition("CMD ")[2])
    assert (program, flag) == ("python", "-c")
    compile(code, "HEALTHCHECK", "exec")
    assert str(Settings().port) in code
    assert "'/health/ready'" in code
    assert "/health/ready" in {route.path for route in ROUTES}


def test_compose_starts_the_database_then_migrates_then_serves(services: Mapping[str, Any]) -> None:
    assert set(services) == {"postgres", "migrate", "key", "koshel"}
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert services["koshel"]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert "healthcheck" in services["postgres"]


def test_compose_makes_a_first_key_before_it_serves_and_says_how_to_read_it(services: Mapping[str, Any]) -> None:
    done = {"condition": "service_completed_successfully"}
    assert services["key"]["depends_on"]["migrate"] == services["koshel"]["depends_on"]["key"] == done
    (shell, flag, script) = services["key"]["command"]
    assert (shell, flag) == ("sh", "-c")
    made, said = script.split(" && ")
    command = shlex.split(made)
    assert_is_a_command(command)
    path = command[command.index("--output") + 1]
    assert services["key"]["volumes"] == [f"keys:{Path(path).parent}"]
    assert f"run --rm --no-deps key cat {path}" in said
    # A new volume belongs to whom the directory in the image belongs to.
    assert any(f"--owner=koshel --group=koshel --mode=0700 {Path(path).parent}" in rest for rest in arguments_of("RUN"))


def test_compose_names_settings_and_commands_that_exist(services: Mapping[str, Any]) -> None:
    assert_is_a_command(services["migrate"]["command"])
    for name in ("migrate", "key", "koshel"):
        environment = environment_of(services[name])
        assert environment
        assert {variable.removeprefix(PREFIX).lower() for variable in environment} <= NAMES
        assert read(environment, {}).database_url == environment["KOSHEL_DATABASE_URL"]
        assert services[name]["build"] == "."


def test_compose_migrates_as_the_owner_and_serves_as_a_role_that_may_do_less(services: Mapping[str, Any]) -> None:
    database = environment_of(services["postgres"])
    owner, secret, name = (database[f"POSTGRES_{part}"] for part in ("USER", "PASSWORD", "DB"))
    migrating, serving = (environment_of(services[service]) for service in ("migrate", "koshel"))
    assert migrating["KOSHEL_DATABASE_URL"] == f"postgresql://{owner}:{secret}@postgres/{name}"
    assert migrating["KOSHEL_SERVICE_ROLE"] == ROLE != owner
    assert serving["KOSHEL_DATABASE_URL"] == f"postgresql://{ROLE}:{database['SERVICE_PASSWORD']}@postgres/{name}"
    made = (ROOT / "docker" / "init.sql").read_text()
    assert f"CREATE ROLE {ROLE} LOGIN PASSWORD :'password'" in made
    assert r"\getenv password SERVICE_PASSWORD" in made


def test_compose_keeps_the_data_and_mounts_what_is_there(services: Mapping[str, Any]) -> None:
    mounted = dict(volume.split(":")[:2] for volume in services["postgres"]["volumes"])
    assert mounted.pop("data") == "/var/lib/postgresql"  # of which version 18 makes a folder of its own
    assert all((ROOT / source).exists() for source in mounted)


def test_compose_publishes_the_service_to_its_own_host_only(services: Mapping[str, Any]) -> None:
    (port,) = services["koshel"]["ports"]
    assert port.startswith("127.0.0.1:")
    assert port.endswith(f":{Settings().port}")
    assert "ports" not in services["postgres"]


def test_compose_waits_for_an_orderly_stop(services: Mapping[str, Any]) -> None:
    assert int(services["koshel"]["stop_grace_period"].removesuffix("s")) > Settings().shutdown_timeout_s
