"""What the cluster and compose say to the service is what it understands, and one thing agrees with the other."""

import re

import httpx
import pytest

from service import __version__
from service.settings import Settings, read_settings, unknown_settings
from tests.deploy_static.compose import COMPOSE, as_environment, services
from tests.deploy_static.conftest import Deployed, container_environment
from tests.deploy_static.manifests import KUSTOMIZATIONS, Pod, of_kind, one, pods, rendered, settings
from tests.factories import page_jpeg
from tests.service.serving import wait_until

SERVING = ("overlays/minimal", "overlays/cpu", "overlays/gpu", "overlays/site", "kserve")
MIB = 2**20

serving = pytest.mark.parametrize("kustomization", SERVING)


def read(monkeypatch: pytest.MonkeyPatch, given: dict[str, str]) -> Settings:
    """As the service reads them; a value that makes no sense is an error."""
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return read_settings()


@serving
def test_settings_are_real(kustomization: str, monkeypatch: pytest.MonkeyPatch) -> None:
    manifests = rendered(kustomization)
    given = container_environment(pods(manifests)[0], settings(manifests))
    assert not unknown_settings(given)
    assert all(name.startswith("ECG_") or name == "POD_NAME" for name in given)
    read(monkeypatch, given)


@pytest.mark.parametrize("name", sorted(services()))
def test_compose_settings_are_real(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = as_environment(services()[name])
    assert not unknown_settings(given)
    if name.startswith("service"):
        read(monkeypatch, given)


@serving
def test_ports_and_folders_are_the_settings(kustomization: str, monkeypatch: pytest.MonkeyPatch) -> None:
    manifests = rendered(kustomization)
    pod = pods(manifests)[0]
    its = read(monkeypatch, container_environment(pod, settings(manifests)))
    if kustomization == "kserve":
        assert pod.ports == {"http1": its.port}
    else:
        assert pod.ports == {"http": its.port, "metrics": its.metrics_port}
    assert its.host == "0.0.0.0"  # noqa: S104 - what a pod has to listen on
    mounted = {mount["mountPath"] for mount in pod.main["volumeMounts"]}
    assert str(its.keys_file) == "/run/secrets/ecg/keys"
    assert str(its.keys_file.parent) in mounted  # type: ignore[union-attr]
    assert str(its.models_dir) == "/registry", "where the image has its models, and where a volume is mounted"
    if its.audit_dir is not None:
        assert str(its.audit_dir.parent) in mounted


@pytest.mark.parametrize("overlay", ["overlays/cpu", "overlays/gpu", "overlays/site"])
def test_each_pod_has_an_audit_folder_of_its_own(overlay: str) -> None:
    manifests = rendered(overlay)
    pod = Pod(one("Deployment", manifests))
    (source,) = (variable["valueFrom"] for variable in pod.main["env"] if variable["name"] == "POD_NAME")
    assert source == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert container_environment(pod, settings(manifests))["ECG_AUDIT_DIR"] == "/audit/pod_name"


@serving
def test_a_pod_has_time_to_stop(kustomization: str, monkeypatch: pytest.MonkeyPatch) -> None:
    manifests = rendered(kustomization)
    pod = pods(manifests)[0]
    its = read(monkeypatch, settings(manifests))
    readiness = pod.probes["readinessProbe"]
    assert its.drain_delay_s >= readiness["periodSeconds"] * readiness["failureThreshold"]
    before_s = pod.main["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod.spec["terminationGracePeriodSeconds"] > before_s + its.drain_delay_s + its.shutdown_grace_s


def test_compose_gives_time_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    service = services()["service"]
    its = read(monkeypatch, as_environment(service))
    assert int(service["stop_grace_period"].removesuffix("s")) > its.drain_delay_s + its.shutdown_grace_s


@pytest.mark.parametrize("overlay", ["overlays/cpu", "overlays/gpu", "overlays/site"])
def test_the_ingress_has_the_services_limits(overlay: str, monkeypatch: pytest.MonkeyPatch) -> None:
    manifests = rendered(overlay)
    its = read(monkeypatch, settings(manifests))
    ingress = one("Ingress", manifests)
    notes = ingress["metadata"]["annotations"]
    for size in ("client-max-body-size", "client-body-buffer-size"):
        assert notes[f"nginx.org/{size}"] == f"{its.max_body_bytes // MIB}m"
    for size in ("proxy-body-size", "client-body-buffer-size"):
        assert notes[f"nginx.ingress.kubernetes.io/{size}"] == f"{its.max_body_bytes // MIB}m"
    for name, wait in notes.items():
        if name.endswith(("read-timeout", "send-timeout")):
            assert int(wait.removesuffix("s")) > its.request_deadline_s, name
    if its.trusted_hosts is not None:
        assert ingress["spec"]["rules"][0]["host"] in its.trusted_hosts.split(",")


def test_images_have_one_version() -> None:
    deployed = {
        container["image"]
        for kustomization in KUSTOMIZATIONS
        for pod in pods(rendered(kustomization))
        for container in pod.containers
    }
    names = {image.removeprefix("registry.hospital.example/") for image in deployed}
    both, in_cluster, beside = ("batch", "service", "service-gpu", "trainer"), ("batch-ray",), ("gateway",)
    assert names == {f"ecg-report-classifier/{name}:{__version__}" for name in (*both, *in_cluster)}
    composed = {service["image"] for name, service in services().items() if "build" in service}
    assert composed == {f"ecg-report-classifier/{name}:{__version__}" for name in (*both, *beside)}


def test_compose_has_the_pods_folders_and_ports() -> None:
    manifests = rendered("overlays/cpu")
    pod = Pod(one("Deployment", manifests))
    service = services()["service"]
    targets = {volume.split(":")[1] for volume in service["volumes"]}
    assert targets == {mount["mountPath"] for mount in pod.main["volumeMounts"]} & {"/registry", "/audit"}
    assert {int(port.rsplit(":")[-1]) for port in service["ports"]} == set(pod.ports.values())
    assert service["read_only"] is True
    assert service["cap_drop"] == pod.main["securityContext"]["capabilities"]["drop"]


def test_compose_publishes_on_loopback_only() -> None:
    published = [port for service in services().values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_compose_is_pinned() -> None:
    for name, service in services().items():
        assert re.search(r":[\w.-]*\d[\w.-]*$|@sha256:[0-9a-f]{64}$", service["image"]), f"{COMPOSE.name}: {name}"


def test_the_service_takes_the_clusters_settings(deployed: Deployed) -> None:
    assert "unknown_settings" not in deployed.process.log
    assert deployed.anyone.post("/classify", content=page_jpeg()).status_code == httpx.codes.UNAUTHORIZED
    assert deployed.metrics.value("ecg_decisions_total") == 1
    wait_until(lambda: [file.name for file in deployed.audit.iterdir()] == ["audit-00000001.jsonl"])
    assert deployed.process.client.get("/metrics").status_code == httpx.codes.NOT_FOUND


@serving
def test_probes_are_answered_without_a_key(kustomization: str, deployed: Deployed) -> None:
    probes = pods(rendered(kustomization))[0].probes
    assert probes.keys() == {"startupProbe", "readinessProbe", "livenessProbe"}
    for probe in probes.values():
        assert deployed.anyone.get(probe["httpGet"]["path"]).status_code == httpx.codes.OK
    assert probes["livenessProbe"]["httpGet"]["path"].endswith("/live"), "what is not ready must not be restarted"
    assert probes["readinessProbe"]["httpGet"]["path"].endswith("/ready")


def test_the_inference_example_asks_a_route_that_is_there(deployed: Deployed) -> None:
    answer = deployed.process.client.get("/v2/models/production").json()
    assert "page_probabilities" in [output["name"] for output in answer["outputs"]]
    assert deployed.anyone.get("/v2/models/production").status_code == httpx.codes.UNAUTHORIZED


def test_no_ingress_where_there_is_nothing_to_protect_it() -> None:
    assert not of_kind("Ingress", rendered("overlays/minimal"))
