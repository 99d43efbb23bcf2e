"""The alert rules stand once, in docker/monitoring; kustomize cannot read there, so the cluster's are made of them.

``python -m tests.deploy_static.rules`` makes them anew.
"""

from tests.conftest import REPOSITORY
from tests.deploy_static.manifests import K8S

__all__ = ["OF_THE_CLUSTER", "RULES", "of_the_cluster"]

RULES = REPOSITORY / "docker" / "monitoring" / "rules.yml"
OF_THE_CLUSTER = K8S / "components" / "monitoring" / "prometheus-rule.yaml"

HEAD = """\
# Made of docker/monitoring/rules.yml by `python -m tests.deploy_static.rules`; change that file.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: ecg-report-classifier
  labels:
    app.kubernetes.io/name: ecg-report-classifier
spec:
"""


def of_the_cluster() -> str:
    """The PrometheusRule with the groups of `RULES`."""
    _, groups, rest = RULES.read_text().partition("groups:\n")
    return HEAD + "".join(f"  {line}" for line in (groups + rest).splitlines(keepends=True))


if __name__ == "__main__":
    OF_THE_CLUSTER.write_text(of_the_cluster())
