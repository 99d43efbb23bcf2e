"""What Prometheus itself says about the alerts and the dashboard; `tests.deploy_static` holds them to the service."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.conftest import REPOSITORY

MONITORING = REPOSITORY / "docker" / "monitoring"
RULES = MONITORING / "rules.yml"
DASHBOARD = MONITORING / "grafana" / "dashboards" / "ecg.json"


def dashboard_expressions() -> list[str]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


@pytest.fixture
def promtool() -> str:
    path = shutil.which("promtool")
    if path is None:
        pytest.skip("NEEDS PROMTOOL: Debian's package prometheus has it")
    return path


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_runbook_exists() -> None:
    text = (REPOSITORY / "docs" / "operations.md").read_text()
    headings = {
        re.sub(r"[^a-z ]", "", line.lower()).strip().replace(" ", "-") for line in text.splitlines() if line[:1] == "#"
    }
    runbooks = re.findall(r"runbook: docs/operations\.md#(\S+)", RULES.read_text())
    assert set(runbooks) <= headings


def test_prometheus_takes_the_configuration(promtool: str) -> None:
    run(promtool, "check", "config", str(MONITORING / "prometheus.yml"))


def test_each_alert_fires_when_it_should(promtool: str) -> None:
    run(promtool, "test", "rules", *map(str, Path(__file__).parent.glob("*.test.yml")))


def test_the_dashboard_asks_what_prometheus_understands(promtool: str, tmp_path: Path) -> None:
    asked = [expression.replace("$__rate_interval", "1m") for expression in dashboard_expressions()]
    rules = [{"record": f"panel_{number}", "expr": one} for number, one in enumerate(asked)]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    run(promtool, "check", "rules", str(tmp_path / "rules.yml"))
