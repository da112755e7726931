"""The alerts and the dashboard: they ask for metrics that there are, and the alerts fire when they must."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from ruamel.yaml import YAML

from koshel.http.problems import PROBLEMS
from koshel.telemetry import metrics
from koshel.telemetry.tally import Histogram

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS = DEPLOY / "prometheus" / "alerts.yml"
DASHBOARD = json.loads((DEPLOY / "grafana" / "koshel.json").read_text())
OF_PROMETHEUS = {"up": {"job", "instance"}}
ADDED = {"instance", "job"}  # to every series, by Prometheus


def known() -> dict[str, set[str]]:
    """The labels of every sample that there is, by its name."""
    samples = {name: {*labels} for name, labels in OF_PROMETHEUS.items()}
    for one in metrics.TABLE:
        suffixes = ("_bucket", "_sum", "_count") if isinstance(one, Histogram) else ("",)
        for suffix in suffixes:
            samples[one.name + suffix] = {*one.labels, *ADDED} | ({"le"} if suffix == "_bucket" else set())
    return samples


KNOWN = known()


def rules() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = YAML(typ="safe").load(ALERTS)["groups"][0]["rules"]
    return found


def panels() -> Iterator[tuple[str, str, str]]:
    """Of each panel: its title, an expression, and the legend of that."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"], target["legendFormat"]


EXPRESSIONS = [(rule["alert"], rule["expr"]) for rule in rules()] + [(title, expr) for title, expr, _ in panels()]


def selectors(expression: str) -> Iterator[Any]:
    """Every selector of series in an expression; what Grafana puts in stands for something."""
    waiting = [promql_parser.parse(expression.replace("$__rate_interval", "5m").replace("$instance", ".*"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, promql_parser.VectorSelector):
            yield node
        for name in ("expr", "lhs", "rhs", "args", "vector_selector", "vs", "param"):
            found = getattr(node, name, None)
            waiting += found if isinstance(found, list) else [] if found is None or isinstance(found, str) else [found]


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS)
def test_an_expression_asks_for_metrics_and_labels_that_there_are(where: str, expression: str) -> None:
    asked = list(selectors(expression))
    assert asked, where
    assert {one.name for one in asked} == {*re.findall(r"\b(?:koshel_\w+|up)\b", expression)}
    for one in asked:
        assert one.name in KNOWN
        labels = {matcher.name for matcher in one.matchers.matchers}
        assert labels <= KNOWN[one.name]
        codes = [
            m.value for m in one.matchers.matchers if m.name == "code" and one.name == "koshel_http_problems_total"
        ]
        assert set(codes) <= PROBLEMS.keys()
    grouped = {label for names in re.findall(r"by \(([^)]*)\)", expression) for label in names.split(", ")}
    assert grouped <= set[str]().union(*(KNOWN[one.name] for one in asked))
    counters = {one.name for one in asked if re.search(r"_(total|bucket|sum|count)$", one.name)}
    for name in counters:
        assert re.search(rf"(rate|increase)\(\s*{name}\b", expression), "a counter says nothing but by how it grows"


@pytest.mark.parametrize(("title", "expression", "legend"), [*panels()])
def test_a_legend_names_labels_that_its_expression_keeps(title: str, expression: str, legend: str) -> None:
    named = set(re.findall(r"\{\{(\w+)\}\}", legend))
    kept = {label for names in re.findall(r"by \(([^)]*)\)", expression) for label in names.split(", ")} - {"le"}
    assert named == kept, title


def test_the_dashboard_has_every_metric() -> None:
    shown = {one.name for _, expression, _ in panels() for one in selectors(expression)}
    assert {one.name for one in metrics.TABLE} == {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown}


def test_no_two_panels_are_in_one_place_and_each_has_its_own_number() -> None:
    cells = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_what_has_happened_and_what_to_do(rule: dict[str, Any]) -> None:
    assert re.fullmatch(r"Koshel([A-Z][a-z]+)+", rule["alert"])
    assert rule["labels"]["severity"] in {"page", "ticket"}
    for text in (rule["annotations"]["summary"], rule["annotations"]["what_to_do"]):
        assert text.endswith(".")
    mentioned = set(re.findall(r"\bkoshel_\w+\b", rule["annotations"]["what_to_do"]))
    assert mentioned <= {one.name for one in metrics.TABLE}


def test_each_alert_is_shown_to_fire() -> None:
    well, ill, *_ = YAML(typ="safe").load(DEPLOY / "prometheus" / "alerts_test.yml")["tests"]
    assert all(not asked["exp_samples"] for asked in well["promql_expr_test"])
    (asked,) = ill["promql_expr_test"]
    fired = [re.findall(r'alertname="(\w+)"', sample["labels"])[0] for sample in asked["exp_samples"]]
    assert sorted(fired) == sorted(rule["alert"] for rule in rules())


@pytest.fixture
def in_a_pod(tmp_path: Path) -> Path:
    """`kubernetes.yml`, its targets found in another way: not every promtool knows Kubernetes."""
    text = (ALERTS.parent / "kubernetes.yml").read_text()
    found = "kubernetes_sd_configs:\n      - role: pod\n"
    assert found in text
    (tmp_path / "alerts.yml").write_text(ALERTS.read_text())
    path = tmp_path / "prometheus.yml"
    path.write_text(text.replace(found, 'static_configs:\n      - targets: ["127.0.0.1:8080"]\n'))
    return path


def test_prometheus_agrees_with_what_it_is_told_in_kubernetes(in_a_pod: Path) -> None:
    # --syntax-only: without the key, a file of the pod that it is for
    test_prometheus_agrees(("check", "config", "--syntax-only", str(in_a_pod)))


@pytest.mark.parametrize("arguments", [("test", "rules", "alerts_test.yml"), ("check", "config", "prometheus.yml")])
def test_prometheus_agrees(arguments: tuple[str, ...]) -> None:
    promtool = shutil.which("promtool")
    assert promtool, "`make test` installs what the tests need"
    ended = subprocess.run(
        [promtool, *arguments], cwd=ALERTS.parent, capture_output=True, check=False, text=True, timeout=60
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "SUCCESS" in ended.stdout
