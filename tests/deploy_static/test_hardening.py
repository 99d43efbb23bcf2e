"""Every pod has what Pod Security's `restricted` asks for, and more; every figure stands in the document."""

import re
from decimal import Decimal

import pytest

from tests.conftest import REPOSITORY
from tests.deploy_static.manifests import KUSTOMIZATIONS, Manifest, of_kind, one, pods, rendered

USER = 10001
"""Of both images."""
UNITS = {"": Decimal(1), "m": Decimal("0.001"), "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30)}

each = pytest.mark.parametrize("kustomization", KUSTOMIZATIONS)


@each
def test_every_pod_is_restricted(kustomization: str) -> None:
    for pod in pods(rendered(kustomization)):
        context = pod.spec["securityContext"]
        assert context["runAsNonRoot"] is True
        assert {context["runAsUser"], context["runAsGroup"], context["fsGroup"]} == {USER}
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod.spec["automountServiceAccountToken"] is False
        assert pod.spec["enableServiceLinks"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.spec.keys()
        assert all(
            volume.keys() & {"emptyDir", "secret", "configMap", "persistentVolumeClaim"}
            for volume in pod.spec["volumes"]
        )
        for container in pod.containers:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "privileged": False,
                "readOnlyRootFilesystem": True,
            }


def test_the_namespace_enforces_it() -> None:
    labels = one("Namespace", rendered("overlays/minimal"))["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("overlay", ["overlays/cpu", "overlays/gpu", "overlays/site"])
def test_the_service_reads_the_registry_only(overlay: str) -> None:
    (pod,) = pods(rendered(overlay))
    assert mounts(pod.main)["/registry"]["readOnly"] is True
    assert mounts(pod.main)["/run/secrets/ecg"]["readOnly"] is True
    (trainer,) = pods(rendered("trainer/cron"))
    assert mounts(trainer.main)["/pages"]["readOnly"] is True


def mounts(container: Manifest) -> dict[str, Manifest]:
    return {mount["mountPath"]: mount for mount in container["volumeMounts"]}


def test_nothing_comes_in_or_goes_out_but_what_is_allowed() -> None:
    policies = of_kind("NetworkPolicy", rendered("overlays/cpu"))
    denial = one("NetworkPolicy", policies, "default-deny")["spec"]
    assert denial == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert not any("egress" in policy["spec"] for policy in policies), "without an issuer, the service calls nobody"
    for policy in policies:
        assert all(rule["from"] and rule["ports"] for rule in policy["spec"].get("ingress", ()))


@each
def test_limits_stand_in_the_sizing_table(kustomization: str) -> None:
    table = sizing_table()
    for pod in pods(rendered(kustomization)):
        for container in pod.containers:
            wanted, most = container["resources"]["requests"], container["resources"]["limits"]
            assert all(amount(wanted[name]) <= amount(most[name]) for name in wanted)
            row = "service, gpu" if "nvidia.com/gpu" in most else container["name"].removeprefix("kserve-")
            shown = table["service" if row == "container" else row]
            assert (wanted["cpu"], most["cpu"], wanted["memory"], most["memory"]) == shown, pod.owner


def sizing_table() -> dict[str, tuple[str, ...]]:
    document = (REPOSITORY / "docs" / "deployment" / "cluster.md").read_text()
    rows = re.findall(r"^\| `([\w, -]+)` \| (\w+) \| (\w+) \| (\w+) \| (\w+) \|", document, re.MULTILINE)
    return {row[0]: row[1:] for row in rows}


def amount(quantity: str) -> Decimal:
    number, unit = re.fullmatch(r"([\d.]+)(\w*)", quantity).groups()  # type: ignore[union-attr]
    return Decimal(number) * UNITS[unit]
