"""Alerts, dashboards and the autoscaler ask only for what the service says."""

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml

from tests.conftest import REPOSITORY
from tests.deploy_static.conftest import Deployed
from tests.deploy_static.manifests import of_kind, one, rendered
from tests.deploy_static.rules import OF_THE_CLUSTER, RULES, of_the_cluster

DASHBOARDS = sorted((REPOSITORY / "docker" / "monitoring" / "grafana").rglob("*.json"))
OF_PROMETHEUS = {"up"}
LABELS_OF_PROMETHEUS = {"instance", "job", "le", "namespace", "pod"}


def alerts() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def expressions_of(dashboard: str) -> Iterator[str]:
    for panel in json.loads(dashboard)["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))


def expressions() -> Iterator[tuple[str, str]]:
    for alert in alerts():
        yield alert["alert"], alert["expr"]
    for file in DASHBOARDS:
        yield from ((file.name, without_variables(expression)) for expression in expressions_of(file.read_text()))


def without_variables(expression: str) -> str:
    """As Prometheus sees it: Grafana puts a time in place of its variables for times."""
    return re.sub(r"\$\{?__(rate_interval|interval|range)\}?", "5m", expression)


def selectors(node: object) -> Iterator[promql_parser.VectorSelector]:
    """Every series that an expression asks for."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for part in ("expr", "lhs", "rhs", "vector_selector", "vs"):
        yield from selectors(getattr(node, part, None)) if hasattr(node, part) else ()
    for argument in getattr(node, "args", ()):
        yield from selectors(argument)


def test_the_clusters_rules_are_made_of_the_one_file() -> None:
    assert OF_THE_CLUSTER.read_text() == of_the_cluster(), "python -m tests.deploy_static.rules"
    assert one("PrometheusRule", rendered("overlays/site"))["spec"] == yaml.safe_load(RULES.read_text())


def test_expressions_are_found() -> None:
    """A walk that finds nothing would find nothing wrong."""
    expression = 'sum by (le) (rate(a_bucket{x="1"}[5m])) / on () b > 2 * -(c unless c offset 5m) or absent(up)'
    assert [found.name for found in selectors(promql_parser.parse(expression))] == ["a_bucket", "b", "c", "c", "up"]
    assert DASHBOARDS
    assert len(list(expressions())) > len(alerts()) + len(DASHBOARDS)


@pytest.mark.parametrize(("where", "expression"), list(expressions()))
def test_each_metric_and_label_is_exported(where: str, expression: str, deployed: Deployed) -> None:
    check(where, expression, deployed)


def test_keda_asks_for_what_is_exported(deployed: Deployed) -> None:
    (query,) = (
        trigger["metadata"]["query"]
        for trigger in one("ScaledObject", rendered("overlays/site"))["spec"]["triggers"]
        if trigger["type"] == "prometheus"
    )
    check("ScaledObject", query, deployed)


def check(where: str, expression: str, deployed: Deployed) -> None:
    exported = {name for family in deployed.metrics.families.values() for name in names_of(family.name, family.type)}
    found = list(selectors(promql_parser.parse(expression)))
    assert found, where
    for selector in found:
        assert selector.name in exported | OF_PROMETHEUS, f"{where} asks for {selector.name}"
        asked = {matcher.name for matcher in selector.matchers.matchers}
        known = {
            label for sample in deployed.metrics.samples if sample.name == selector.name for label in sample.labels
        }
        assert asked <= known | LABELS_OF_PROMETHEUS, f"{where} asks {selector.name} for {asked}"


def names_of(family: str, kind: str) -> set[str]:
    """The names under which Prometheus keeps a family, by its type in the text format."""
    if kind == "counter":
        return {f"{family}_total"}
    if kind == "histogram":
        return {f"{family}_bucket", f"{family}_sum", f"{family}_count"}
    return {family}


def test_each_alert_says_what_to_do() -> None:
    headings = re.findall(r"^#+ (.+)$", (REPOSITORY / "docs" / "operations.md").read_text(), re.MULTILINE)
    anchors = {f"docs/operations.md#{heading.lower().replace(' ', '-')}" for heading in headings}
    assert len({alert["alert"] for alert in alerts()}) == len(alerts())
    for alert in alerts():
        notes, labels = alert["annotations"], alert["labels"]
        assert notes["summary"]
        assert labels["severity"] in {"critical", "warning", "info"}
        assert notes.get("runbook", next(iter(anchors))) in anchors, alert["alert"]


def test_every_metric_with_a_suggested_alert_has_one() -> None:
    """The table of docs/operations.md."""
    document = (REPOSITORY / "docs" / "operations.md").read_text()
    suggested = re.findall(r"^\| `(ecg_\w+)` \|[^|]*\|[^|]*\| *[^| ][^|]*\|$", document, re.MULTILINE)
    assert len(suggested) > 10
    watched = {found.name for alert in alerts() for found in selectors(promql_parser.parse(alert["expr"]))}
    for metric in suggested:
        assert {metric, f"{metric}_bucket"} & watched, metric


def test_the_autoscalers_agree() -> None:
    ours, kedas = (
        one("HorizontalPodAutoscaler", rendered("overlays/cpu")),
        one("ScaledObject", rendered("overlays/site")),
    )
    assert ours["spec"]["minReplicas"] == kedas["spec"]["minReplicaCount"]
    assert ours["spec"]["maxReplicas"] == kedas["spec"]["maxReplicaCount"]
    assert not of_kind("HorizontalPodAutoscaler", rendered("overlays/site"))
