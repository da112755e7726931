"""What stands before Koshel, or starts it: limits and times that fit to its settings."""

import re
import shlex
from pathlib import Path

import pytest

from koshel.config.settings import Settings
from koshel.config.settings_text import PREFIX, knobs
from koshel.http.handlers.routes import ROUTES
from koshel.http.problems import PROBLEMS

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
NGINX = (DEPLOY / "nginx" / "koshel.conf").read_text()
CADDY = (DEPLOY / "caddy" / "Caddyfile").read_text()
UNIT = (DEPLOY / "systemd" / "koshel.service").read_text()
SETTINGS = Settings()
# The longest that an answer may take: to wait in the queue, for a lock, and to find out what became of a lost commit.
ANSWER_MAX_S = (SETTINGS.queue_timeout_ms + SETTINGS.lock_timeout_ms + SETTINGS.outcome_timeout_ms) / 1_000
PROXIES = {"nginx": NGINX, "caddy": CADDY}


def without_comments(text: str) -> str:
    return re.sub(r"#.*", "", text)


def seconds(text: str, directive: str) -> int:
    """What a directive of a proxy says."""
    (found,) = re.findall(rf"^\s*{directive}\s+(\d+)s;?\s*$", without_comments(text), re.MULTILINE)
    return int(found)


@pytest.mark.parametrize(
    ("text", "body"),
    [(NGINX, r"client_max_body_size\s+(\d+)m;"), (CADDY, r"max_size (\d+)MiB")],
    ids=PROXIES,
)
def test_a_proxy_takes_bodies_as_large_as_koshel_does(text: str, body: str) -> None:
    (size,) = re.findall(body, text)
    assert int(size) * 1024 * 1024 == SETTINGS.batch_body_bytes_max


@pytest.mark.parametrize(
    ("text", "idle", "answer", "connect"),
    [
        (NGINX.partition("server {\n")[0], "keepalive_timeout", None, None),
        (NGINX.partition("location / {")[2], None, "proxy_read_timeout", "proxy_connect_timeout"),
        (CADDY, "keepalive", "response_header_timeout", "dial_timeout"),
    ],
)
def test_a_proxy_waits_longer_than_an_answer_takes_and_closes_idle_connections_first(
    text: str, idle: str | None, answer: str | None, connect: str | None
) -> None:
    if idle is not None:
        assert seconds(text, idle) < SETTINGS.keepalive_timeout_s
    if answer is not None:
        assert seconds(text, answer) > ANSWER_MAX_S
    if connect is not None:
        assert seconds(text, connect) < 10


def test_slow_clients_are_cut_off_as_early_as_by_koshel() -> None:
    limit = SETTINGS.receive_timeout_ms / 1_000
    assert seconds(NGINX, "client_header_timeout") == seconds(NGINX, "client_body_timeout") == limit
    assert seconds(CADDY, "read_header") == seconds(CADDY, "read_body") == limit


def test_a_proxy_sends_no_request_twice() -> None:
    assert "proxy_next_upstream off;" in without_comments(NGINX)
    assert not re.search(r"lb_(?:try|retr)", without_comments(CADDY))


def test_which_repetitions_are_safe_is_said_for_each_refusal_after_which_nothing_was_done() -> None:
    said = (
        (DEPLOY / "README.md")
        .read_text()
        .partition("**Who may repeat a request.**")[2]
        .partition("\n\nOther machines")[0]
    )
    safe, unsafe = said.partition("| **no**")[0].rsplit("\n", 1)
    for code, known in PROBLEMS.items():
        if known.status in {429, 503}:
            assert (f"`{code}`" in unsafe, f"`{code}`" in safe) == (
                code == "outcome-unknown",
                code != "outcome-unknown",
            )


@pytest.mark.parametrize("text", PROXIES.values(), ids=PROXIES)
def test_a_proxy_keeps_the_callers_name_for_a_request_and_the_metrics_to_itself(text: str) -> None:
    assert "X-Request-Id" in text
    assert "/metrics" in {route.path for route in ROUTES}
    assert re.search(r"location = /metrics \{\s*deny all;|respond /metrics 403", text)


@pytest.mark.parametrize("path", [path for path in DEPLOY.rglob("*") if path.is_file()], ids=lambda path: path.name)
def test_every_variable_that_is_named_is_a_setting(path: Path) -> None:
    named = set(re.findall(rf"{PREFIX}[A-Z_]+[A-Z]", path.read_text()))
    kubernetes_own = {f"{PREFIX}PORT"}
    assert named - kubernetes_own <= {PREFIX + knob.name.upper() for knob in knobs()}


@pytest.mark.parametrize("path", [path for path in DEPLOY.rglob("*") if path.is_file()], ids=lambda path: path.name)
def test_every_file_is_in_the_list(path: Path) -> None:
    listed = (DEPLOY / "README.md").read_text()
    name = path.relative_to(DEPLOY)
    assert str(name) in listed or f"{name.parent}/`" in listed or name.name == "README.md"


def unit(name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)


def test_the_unit_starts_what_there_is_on_loopback() -> None:
    (start,) = unit("ExecStart")
    program, command, *flags = shlex.split(start)
    assert (Path(program).name, command) == ("koshel", "serve")
    names = {flag.removeprefix("--").replace("-", "_") for flag in flags[::2]}
    assert names <= {knob.name for knob in knobs()}
    assert flags[flags.index("--host") + 1] == "127.0.0.1"


def test_the_unit_gives_time_to_answer_and_tells_the_master_only() -> None:
    (stop,) = unit("TimeoutStopSec")
    assert int(stop) > SETTINGS.shutdown_timeout_s
    assert unit("KillMode") == ["mixed"]
    assert unit("ExecReload") == ["/bin/kill -HUP $MAINPID"]


def test_the_unit_lets_the_service_raise_its_own_limit_of_descriptors() -> None:
    """It does at its start: with `@resources` taken away it would not come up."""
    assert "@resources" not in UNIT
    (limit,) = unit("LimitNOFILE")
    assert int(limit) > 10_000


@pytest.mark.parametrize(
    "line",
    [
        *("NoNewPrivileges=yes", "ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "PrivateDevices=yes"),
        *("CapabilityBoundingSet=", "ProtectKernelTunables=yes", "RestrictSUIDSGID=yes", "LockPersonality=yes"),
        *("RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX", "SystemCallArchitectures=native"),
    ],
)
def test_the_unit_is_hardened(line: str) -> None:
    assert line in UNIT.splitlines()


def test_the_unit_asks_for_keys_and_says_how_the_first_is_made() -> None:
    """A proxy on the same host brings others in, so that it listens on loopback is no reason to ask nobody."""
    (line,) = unit("Environment")
    given = dict(one.split("=") for one in line.split())
    assert given[f"{PREFIX}AUTH"] == "keys"
    head = UNIT.partition("[Unit]")[0]
    assert head.index("koshel key create --scope admin") < head.index("systemctl enable")


def test_on_kubernetes_the_first_key_is_made_before_the_service_starts_and_by_nothing_that_is_applied_again() -> None:
    said = (DEPLOY / "README.md").read_text()
    assert said.index("apply -f kubernetes/migrate.yaml") < said.index("apply -f kubernetes/once/key.yaml")
    assert said.index("delete job koshel-key") < said.index("apply -f kubernetes/\n")
    assert not (DEPLOY / "kubernetes" / "key.yaml").exists()
