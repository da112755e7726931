"""The manifests: what Kubernetes takes, what Koshel's settings are, and nothing that it could do without."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from koshel import __version__
from koshel.config.settings import Settings
from koshel.config.settings_text import PREFIX, read
from koshel.http.handlers.routes import ROUTES

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
WRITABLE = "/tmp"  # noqa: S108  the one directory of a pod that is
VERSIONS = ["1.27", "1.32", "1.37"]  # of Kubernetes
MANIFESTS = {path.stem: YAML(typ="safe").load(path) for path in FOLDER.rglob("*.yaml")}
PODS = {name: MANIFESTS[name]["spec"]["template"] for name in ("deployment", "migrate", "key")}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", MANIFESTS)
def test_kubernetes_takes_a_manifest_without_a_field_that_it_does_not_know(name: str, version: str) -> None:
    kubernetes_validate.validate(MANIFESTS[name], version, strict=True)


def test_every_file_is_of_the_same_service() -> None:
    assert {one["metadata"]["labels"]["app.kubernetes.io/name"] for one in MANIFESTS.values()} == {"koshel"}


@pytest.mark.parametrize("name", ["service", "poddisruptionbudget", "networkpolicy"])
def test_what_selects_pods_selects_those_that_serve_and_no_migration(name: str) -> None:
    spec = MANIFESTS[name]["spec"]
    wanted = spec.get("podSelector", spec.get("selector", {}))
    wanted = wanted.get("matchLabels", wanted)
    assert wanted.items() <= PODS["deployment"]["metadata"]["labels"].items()
    assert not wanted.items() <= PODS["migrate"]["metadata"]["labels"].items()


def test_the_deployment_finds_its_own_pods() -> None:
    selector = MANIFESTS["deployment"]["spec"]["selector"]["matchLabels"]
    assert selector.items() <= PODS["deployment"]["metadata"]["labels"].items()


@pytest.mark.parametrize("name", PODS)
def test_a_pod_may_do_nothing_but_its_work(name: str) -> None:
    spec = PODS[name]["spec"]
    (container,) = spec["containers"]
    assert spec["enableServiceLinks"] is False
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == uid_of_the_image()
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert [mount["mountPath"] for mount in container["volumeMounts"]] == [WRITABLE]
    assert {"emptyDir", "name"} == spec["volumes"][0].keys()
    assert "memory" in container["resources"]["limits"]


def uid_of_the_image() -> int:
    dockerfile = (FOLDER.parents[1] / "Dockerfile").read_text()
    return int(next(line for line in dockerfile.splitlines() if line.startswith("USER ")).split()[1])


@pytest.mark.parametrize("name", PODS)
def test_its_variables_are_settings_and_its_image_is_of_this_version(name: str) -> None:
    (container,) = PODS[name]["spec"]["containers"]
    assert container["image"] == f"koshel:{__version__}"
    given = {one["name"]: one.get("value", "postgresql://koshel@db/koshel") for one in container["env"]}
    settings = read(given, {})
    assert settings.database_url == given[f"{PREFIX}DATABASE_URL"]
    secrets = [one["valueFrom"]["secretKeyRef"]["name"] for one in container["env"] if "valueFrom" in one]
    assert secrets == ["koshel-database"], "a URL has a password in it"


def test_probes_ask_for_routes_that_are_open_to_everybody() -> None:
    (container,) = PODS["deployment"]["spec"]["containers"]
    paths = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
    assert paths == {"startup": "/health/live", "liveness": "/health/live", "readiness": "/health/ready"}
    opened = {route.path for route in ROUTES if route.scope is None}
    assert set(paths.values()) <= opened
    assert PODS["deployment"]["metadata"]["annotations"]["prometheus.io/path"] in {route.path for route in ROUTES}


def test_there_is_time_to_answer_what_is_under_way() -> None:
    spec = PODS["deployment"]["spec"]
    (container,) = spec["containers"]
    pause: list[Any] = container["lifecycle"]["preStop"]["exec"]["command"]
    assert spec["terminationGracePeriodSeconds"] > int(pause[-1]) + Settings().shutdown_timeout_s


def test_a_drain_and_a_new_version_leave_pods_at_work() -> None:
    spec = MANIFESTS["deployment"]["spec"]
    assert spec["replicas"] > MANIFESTS["poddisruptionbudget"]["spec"]["minAvailable"] >= 1
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_the_ports_are_one() -> None:
    (container,) = PODS["deployment"]["spec"]["containers"]
    port = container["ports"][0]["containerPort"]
    assert container["args"][-2:] == ["--port", str(port)]
    assert MANIFESTS["service"]["spec"]["ports"] == [{"name": "http", "port": port, "targetPort": "http"}]
    assert MANIFESTS["networkpolicy"]["spec"]["ingress"][0]["ports"] == [{"port": "http"}]
    assert PODS["deployment"]["metadata"]["annotations"]["prometheus.io/port"] == str(port)
