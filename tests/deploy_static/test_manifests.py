"""The manifests: valid for two versions of Kubernetes, and each name in them leads somewhere."""

import re
from collections.abc import Iterator
from typing import Literal

import kubernetes_validate
import pytest
from pydantic import BaseModel, ConfigDict

from batch.errors import PAGES_FAILED, InputError, OtherRunError
from tests.conftest import REPOSITORY
from tests.deploy_static.manifests import KUSTOMIZATIONS, Manifest, Pod, of_kind, one, pods, ray_groups, rendered

KUBERNETES = ("1.36", "1.37")
OF_OTHERS = ("keda.sh/", "monitoring.coreos.com/", "ray.io/", "serving.kserve.io/")
"""Kinds that Kubernetes itself does not know; their schemas are in no package that Python installs."""
FROM_THE_CLUSTER = {"Secret": {"ecg-keys", "ecg-tls"}}
"""What whoever runs the cluster makes: docs/deployment/cluster.md."""

each = pytest.mark.parametrize("kustomization", KUSTOMIZATIONS)


def test_the_overlays_are_there() -> None:
    expected = {"overlays/minimal", "overlays/cpu", "overlays/gpu", "overlays/site", "trainer/cron", "trainer/now"}
    assert set(KUSTOMIZATIONS) == {*expected, "batch", "batch/ray", "kserve"}


@each
@pytest.mark.parametrize("version", KUBERNETES)
def test_valid_for_kubernetes(kustomization: str, version: str) -> None:
    for manifest in rendered(kustomization):
        if manifest["apiVersion"].startswith(OF_OTHERS):
            continue
        assert kubernetes_validate.validate(manifest, version, strict=True) == version


@each
def test_each_object_is_there_once_and_in_one_namespace(kustomization: str) -> None:
    manifests = rendered(kustomization)
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests]
    assert len(names) == len(set(names))
    namespaces = {manifest["metadata"].get("namespace") for manifest in manifests if manifest["kind"] != "Namespace"}
    assert namespaces == {"ecg"}


@each
def test_no_secret_is_in_the_repository(kustomization: str) -> None:
    assert not of_kind("Secret", rendered(kustomization))


@each
def test_selectors_find_a_pod(kustomization: str) -> None:
    manifests = rendered(kustomization)
    labels = [pod.labels for pod in pods(manifests)]
    for what, selector in selectors(manifests):
        assert any(selector.items() <= found.items() for found in labels), (
            f"{what} selects {selector}: none of {labels}"
        )


def selectors(manifests: list[Manifest]) -> Iterator[tuple[str, dict[str, str]]]:
    for manifest in manifests:
        what = f"{manifest['kind']} {manifest['metadata']['name']}"
        spec = manifest.get("spec", {})
        match manifest["kind"]:
            case "Service":
                yield what, spec["selector"]
            case "NetworkPolicy":
                yield what, spec["podSelector"].get("matchLabels", {})
            case "PodDisruptionBudget":
                yield what, spec["selector"]["matchLabels"]
            case "Deployment":
                yield what, spec["selector"]["matchLabels"]
                for spread in spec["template"]["spec"]["topologySpreadConstraints"]:
                    yield what, spread["labelSelector"]["matchLabels"]


@each
def test_a_deployments_selector_is_within_its_labels(kustomization: str) -> None:
    for deployment in of_kind("Deployment", rendered(kustomization)):
        assert deployment["spec"]["selector"]["matchLabels"].items() <= Pod(deployment).labels.items()


@each
def test_whatever_scales_scales_the_deployment(kustomization: str) -> None:
    manifests = rendered(kustomization)
    scaled = [*of_kind("HorizontalPodAutoscaler", manifests), *of_kind("ScaledObject", manifests)]
    assert len(scaled) <= 1, "two autoscalers would pull at one Deployment"
    for scaler in scaled:
        target = scaler["spec"]["scaleTargetRef"]
        assert target["name"] == one("Deployment", manifests)["metadata"]["name"]
        assert "replicas" not in one("Deployment", manifests)["spec"]


def test_the_service_monitor_finds_the_metrics_port() -> None:
    manifests = rendered("overlays/site")
    monitor = one("ServiceMonitor", manifests)["spec"]
    (service,) = (
        service
        for service in of_kind("Service", manifests)
        if monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    )
    assert [end["port"] for end in monitor["endpoints"]] == [port["name"] for port in service["spec"]["ports"]]
    # `job` in the alerts, and in KEDA's query.
    assert service["metadata"]["labels"][monitor["jobLabel"]] == "ecg-report-classifier"


@each
def test_ports_have_a_container(kustomization: str) -> None:
    manifests = rendered(kustomization)
    for service in of_kind("Service", manifests):
        for port in service["spec"]["ports"]:
            assert port["targetPort"] in ports_of(manifests, service["spec"]["selector"])
    for policy in of_kind("NetworkPolicy", manifests):
        chosen = policy["spec"]["podSelector"].get("matchLabels", {})
        for rule in policy["spec"].get("ingress", ()):
            assert {port["port"] for port in rule.get("ports", ())} <= ports_of(manifests, chosen)
    for pod in pods(manifests):
        for probe in pod.probes.values():
            assert probe["httpGet"]["port"] in {*pod.ports, *pod.ports.values()}


def ports_of(manifests: list[Manifest], chosen: dict[str, str]) -> set[str]:
    return {port for pod in pods(manifests) if chosen.items() <= pod.labels.items() for port in pod.ports}


@each
def test_the_ingress_leads_to_the_service(kustomization: str) -> None:
    manifests = rendered(kustomization)
    for ingress in of_kind("Ingress", manifests):
        (rule,) = ingress["spec"]["rules"]
        (path,) = rule["http"]["paths"]
        service = one("Service", manifests, path["backend"]["service"]["name"])
        assert path["backend"]["service"]["port"]["name"] in {port["name"] for port in service["spec"]["ports"]}
        assert [tls["hosts"] for tls in ingress["spec"]["tls"]] == [[rule["host"]]]


@each
def test_volumes_are_there_and_mounted(kustomization: str) -> None:
    for pod in pods(rendered(kustomization)):
        volumes = [volume["name"] for volume in pod.spec["volumes"]]
        mounts = [(container["name"], mount) for container in pod.containers for mount in container["volumeMounts"]]
        assert len(volumes) == len(set(volumes))
        assert {mount["name"] for _, mount in mounts} == set(volumes)
        places = [(container, mount["mountPath"]) for container, mount in mounts]
        assert len(places) == len(set(places))
        assert not any("subPath" in mount for _, mount in mounts), "a subPath does not follow its Secret or ConfigMap"


@each
def test_what_is_referred_to_exists(kustomization: str) -> None:
    made = {
        (manifest["kind"], manifest["metadata"]["name"])
        for manifest in (*rendered(kustomization), *rendered("overlays/cpu"))
    }
    given = {(kind, name) for kind, names in FROM_THE_CLUSTER.items() for name in names}
    for pod in pods(rendered(kustomization)):
        assert set(references(pod)) <= made | given, pod.owner


def references(pod: Pod) -> Iterator[tuple[str, str]]:
    if account := pod.spec.get("serviceAccountName"):
        yield "ServiceAccount", account
    for container in pod.containers:
        for source in container.get("envFrom", ()):
            yield "ConfigMap", source["configMapRef"]["name"]
    for volume in pod.spec["volumes"]:
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"]
        if "persistentVolumeClaim" in volume:
            yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]


def test_the_job_is_what_the_cron_job_would_make() -> None:
    manifests = rendered("trainer/now")
    assert one("Job", manifests)["spec"] == one("CronJob", manifests)["spec"]["jobTemplate"]["spec"]


def test_nothing_trains_or_is_promoted_unasked() -> None:
    trainer = one("CronJob", rendered("trainer/cron"))
    assert trainer["spec"]["suspend"] is True
    assert "--no-promote" in Pod(trainer).main["args"]


def test_indexed_job_tells_each_pod_how_many_there_are() -> None:
    job = one("Job", rendered("batch"))
    (variable,) = Pod(job).main["env"]
    assert variable == {"name": "JOB_COMPLETIONS", "value": str(job["spec"]["completions"])}
    assert job["spec"]["completionMode"] == "Indexed"


def test_indexed_job_knows_the_exit_codes() -> None:
    rules = {rule["action"]: rule for rule in one("Job", rendered("batch"))["spec"]["podFailurePolicy"]["rules"]}
    assert set(rules["FailJob"]["onExitCodes"]["values"]) == {InputError.exit_code, OtherRunError.exit_code}
    assert rules["FailIndex"]["onExitCodes"]["values"] == [PAGES_FAILED]


class StrictModel(BaseModel):
    """What KubeRay's ray.io/v1 types hold, as far as the manifest uses it: no other name, no other type."""

    model_config = ConfigDict(extra="forbid", strict=True)


class RayGroup(StrictModel):
    rayStartParams: dict[str, str]  # noqa: N815 - Kubernetes' names, here and below
    template: Manifest


class RayWorkers(RayGroup):
    groupName: str  # noqa: N815
    replicas: int
    minReplicas: int  # noqa: N815
    maxReplicas: int  # noqa: N815


class RayCluster(StrictModel):
    headGroupSpec: RayGroup  # noqa: N815
    workerGroupSpecs: list[RayWorkers]  # noqa: N815


class RayJobSpec(StrictModel):
    entrypoint: str
    submissionMode: Literal["HTTPMode"]  # noqa: N815
    backoffLimit: int  # noqa: N815
    shutdownAfterJobFinishes: bool  # noqa: N815
    ttlSecondsAfterFinished: int  # noqa: N815
    rayClusterSpec: RayCluster  # noqa: N815


@pytest.mark.parametrize("version", KUBERNETES)
def test_ray_job_and_its_pods_are_valid(version: str) -> None:
    job = one("RayJob", rendered("batch/ray"))
    assert job["apiVersion"] == "ray.io/v1"
    RayJobSpec.model_validate(job["spec"])
    for group in ray_groups(job):
        pod = {"apiVersion": "v1", "kind": "Pod", **group["template"]}
        assert kubernetes_validate.validate(pod, version, strict=True) == version


def test_ray_job_asks_for_the_workers_it_has() -> None:
    job = one("RayJob", rendered("batch/ray"))["spec"]
    (workers,) = job["rayClusterSpec"]["workerGroupSpecs"]
    command = job["entrypoint"]
    assert "--engine ray" in command
    assert f"--workers {workers['replicas'] * int(workers['rayStartParams']['num-cpus'])}" in command


def test_the_inference_service_runs_what_the_deployment_runs() -> None:
    example, service = pods(rendered("kserve"))[0], pods(rendered("overlays/minimal"))[0]
    for field in ("image", "envFrom", "lifecycle", "resources", "securityContext", "volumeMounts"):
        assert example.main[field] == service.main[field], field
    for field in ("enableServiceLinks", "terminationGracePeriodSeconds", "volumes"):
        assert example.spec[field] == service.spec[field], field


def test_what_kustomize_makes_is_named_in_the_document() -> None:
    document = (REPOSITORY / "docs" / "deployment" / "cluster.md").read_text()
    for kustomization in KUSTOMIZATIONS:
        assert f"k8s/{kustomization}" in document
    for secret in FROM_THE_CLUSTER["Secret"]:
        assert secret in document
    for link in re.findall(r"\]\(([^)#:]+)\)", document):
        assert (REPOSITORY / "docs" / "deployment" / link).exists(), link
