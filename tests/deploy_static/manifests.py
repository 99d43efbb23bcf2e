"""What kustomize makes of k8s/, and how to find one's way in it.

``python -m tests.deploy_static.manifests FOLDER`` writes a file for each kustomization, for checkov.
"""

import shutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import REPOSITORY
from tests.deploy_static.kubectl import kustomize

__all__ = ["K8S", "KUSTOMIZATIONS", "Manifest", "Pod", "of_kind", "one", "pods", "ray_groups", "rendered", "settings"]

K8S = REPOSITORY / "k8s"

Manifest = dict[str, Any]


BASE = K8S / "base"
"""Not for itself: it names no version of the image."""


def _kustomizations() -> Iterator[str]:
    for file in sorted(K8S.rglob("kustomization.yaml")):
        if file.parent != BASE and yaml.safe_load(file.read_text())["kind"] == "Kustomization":
            yield str(file.parent.relative_to(K8S))


KUSTOMIZATIONS = tuple(_kustomizations())
"""Everything that `kubectl apply -k` takes, by its folder below k8s/; components are in these."""


@cache
def _yaml(kustomization: str) -> str:
    return kustomize(K8S / kustomization)


def rendered(kustomization: str) -> list[Manifest]:
    """Every object of a kustomization."""
    return list(yaml.safe_load_all(_yaml(kustomization)))


def of_kind(kind: str, manifests: list[Manifest]) -> list[Manifest]:
    """Those of a kind."""
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def one(kind: str, manifests: list[Manifest], name: str | None = None) -> Manifest:
    """The one of a kind, or of a kind and name."""
    (found,) = (found for found in of_kind(kind, manifests) if name in (None, found["metadata"]["name"]))
    return found


def settings(manifests: list[Manifest]) -> dict[str, str]:
    """The ConfigMap of the service's settings."""
    (found,) = (
        config["data"]
        for config in of_kind("ConfigMap", manifests)
        if config["metadata"]["name"].startswith("ecg-settings-")
    )
    return dict(found)


class Pod:
    """A pod as one object describes it."""

    def __init__(self, owner: Manifest, template: Manifest | None = None) -> None:
        self.owner = f"{owner['kind']} {owner['metadata']['name']}"
        self.labels: dict[str, str] = {}
        if owner["kind"] == "InferenceService":
            self.spec: Manifest = owner["spec"]["predictor"]
        else:
            job = owner["spec"]["jobTemplate"] if owner["kind"] == "CronJob" else owner
            template = template or job["spec"]["template"]
            self.labels, self.spec = template["metadata"]["labels"], template["spec"]

    @property
    def containers(self) -> list[Manifest]:
        """All, those that run first included."""
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]

    @property
    def main(self) -> Manifest:
        """The one that stays."""
        (container,) = self.spec["containers"]
        return dict(container)

    @property
    def ports(self) -> dict[str, int]:
        """By name."""
        return {port["name"]: port["containerPort"] for one in self.containers for port in one.get("ports", ())}

    @property
    def probes(self) -> dict[str, Manifest]:
        """By kind, as in the manifest."""
        return {key: value for key, value in self.main.items() if key.endswith("Probe")}


def pods(manifests: list[Manifest]) -> list[Pod]:
    """Every pod that these objects make."""
    owners = ("Deployment", "Job", "CronJob", "InferenceService")
    plain = [Pod(manifest) for manifest in manifests if manifest["kind"] in owners]
    return plain + [Pod(job, group["template"]) for job in of_kind("RayJob", manifests) for group in ray_groups(job)]


def ray_groups(job: Manifest) -> list[Manifest]:
    """The head and the groups of workers of a RayJob."""
    cluster = job["spec"]["rayClusterSpec"]
    return [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]


def main(folder: Path) -> None:
    """Write them, and nothing else, there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for kustomization in KUSTOMIZATIONS:
        (folder / f"{kustomization.replace('/', '-')}.yaml").write_text(_yaml(kustomization))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
