"""The manifests: what Kubernetes takes, what Koshel's settings are, and nothing that it could do without."""

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from koshel import __version__
from koshel.callers import Scope
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
    (rule,) = MANIFESTS["ingress"]["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    assert path["backend"] == {"service": {"name": MANIFESTS["service"]["metadata"]["name"], "port": {"name": "http"}}}


def test_only_the_ingress_controller_and_prometheus_come_in() -> None:
    """Each by its namespace and its labels: any pod can give itself a label, and a namespace has other pods too."""
    spec = MANIFESTS["networkpolicy"]["spec"]
    assert spec["policyTypes"] == ["Ingress"]
    (rule,) = spec["ingress"]
    assert all(one.keys() == {"namespaceSelector", "podSelector"} for one in rule["from"])
    let_in = {one["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for one in rule["from"]}
    assert let_in == {"ingress-nginx", "prometheus"}
    assert all(
        one["namespaceSelector"]["matchLabels"].keys() == {"kubernetes.io/metadata.name"} for one in rule["from"]
    )


def test_prometheus_asks_with_a_key_and_finds_the_pods_that_serve() -> None:
    """An annotation can name no key: by one each scrape would be refused, and counted as a key that is none."""
    assert all("prometheus.io" not in path.read_text() for path in FOLDER.rglob("*.yaml"))
    (job,) = YAML(typ="safe").load(FOLDER.parent / "prometheus" / "kubernetes.yml")["scrape_configs"]
    assert job["authorization"].keys() == {"credentials_file"}
    assert Scope.ADMIN in {route.scope for route in ROUTES if route.path == job.get("metrics_path", "/metrics")}
    kept = {rule["source_labels"][0]: rule["regex"] for rule in job["relabel_configs"] if rule.get("action") == "keep"}
    (container,) = PODS["deployment"]["spec"]["containers"]
    labels = PODS["deployment"]["metadata"]["labels"]
    meta = {f"__meta_kubernetes_pod_label_{re.sub(r'[^a-z]', '_', name)}": value for name, value in labels.items()}
    assert kept == {**meta, "__meta_kubernetes_pod_container_port_name": container["ports"][0]["name"]}


def test_the_ingress_has_the_limits_of_koshel_and_sends_no_request_twice() -> None:
    meta, spec = MANIFESTS["ingress"]["metadata"], MANIFESTS["ingress"]["spec"]
    said = {name.rpartition("/")[2]: value for name, value in meta["annotations"].items()}
    settings = Settings()
    assert said["proxy-next-upstream"] == "off"
    assert int(said["proxy-body-size"].removesuffix("m")) * 1024 * 1024 == settings.batch_body_bytes_max
    answer_max_ms = settings.queue_timeout_ms + settings.lock_timeout_ms + settings.outcome_timeout_ms
    assert int(said["proxy-read-timeout"]) * 1_000 > answer_max_ms
    (container,) = PODS["deployment"]["spec"]["containers"]
    allowed = {one["name"]: one.get("value") for one in container["env"]}[f"{PREFIX}ALLOWED_ORIGINS"]
    assert spec["tls"][0]["hosts"] == [rule["host"] for rule in spec["rules"]] == [allowed.removeprefix("https://")]
