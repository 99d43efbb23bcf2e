"""What is counted is what was sent; and the metrics are there when nothing else is, or only where they should be."""

import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from service import __version__
from service.app import create_app
from service.errors import StartupError
from service.server import make_server
from tests import factories
from tests.conftest import REPOSITORY
from tests.service.classifiers import GatedClassifier
from tests.service.scrape import Scrape
from tests.service.serving import problem, serving, settings_for, wait_until

PAGE = factories.page_jpeg()


@pytest.fixture
def fresh(models_dir: Path) -> Iterator[httpx.Client]:
    """A service of its own, which has counted nothing but the wait for it."""
    with serving(settings_for(models_dir)) as client:
        yield client


def requests_counted(client: httpx.Client, count: int, **labels: str) -> Scrape:
    """The metrics once they count so many requests: each is counted just after its client has the answer."""
    wait_until(lambda: Scrape(client).value("ecg_requests_total", **labels) >= count)
    scrape = Scrape(client)
    assert scrape.value("ecg_requests_total", **labels) == count
    return scrape


def test_requests_are_counted_by_route_status_and_bundle(fresh: httpx.Client) -> None:
    for _ in range(2):
        assert fresh.post("/classify", content=PAGE).is_success
    assert fresh.post("/classify?model=other", content=PAGE).is_success
    fresh.post("/classify", content=b"no picture")
    fresh.post("/classify?model=none", content=PAGE)
    fresh.get("/classify")
    fresh.get("/nowhere/17")
    fresh.request("PROPFIND", "/health/live")
    fresh.head("/health/live")
    classify = {"route": "/classify", "method": "POST"}
    requests_counted(fresh, 2, **classify, status="200", code="none", bundle="tiny/1")
    requests_counted(fresh, 1, **classify, status="200", code="none", bundle="other/1")
    requests_counted(fresh, 1, **classify, status="415", code="unsupported_format", bundle="tiny/1")
    requests_counted(fresh, 1, **classify, status="404", code="unknown_model", bundle="none")
    requests_counted(fresh, 1, route="/classify", method="GET", status="405", code="method_not_allowed")
    requests_counted(fresh, 1, route="none", method="GET", status="404", code="not_found", bundle="none")
    requests_counted(fresh, 1, route="/health/live", method="other", status="405")
    scrape = requests_counted(fresh, 1, route="/health/live", method="HEAD", status="200")
    assert scrape.value("ecg_request_duration_seconds_count", route="/classify") == 6


def test_a_page_is_counted_by_stage_decision_reason_and_class(fresh: httpx.Client) -> None:
    answer = fresh.post("/classify", content=PAGE).json()
    fresh.post("/classify?explain=true", content=PAGE)
    fresh.post("/classify", content=factories.blank_png())
    scrape = Scrape(fresh)
    stages = {
        stage: scrape.value("ecg_stage_duration_seconds_count", stage=stage, bundle="tiny/1")
        for stage in answer["timings_ms"]
    }
    assert stages == {"decode": 2, "preprocess": 2, "examine": 2, "inference": 2, "explain": 1, "total": 0}
    assert scrape.value("ecg_stage_duration_seconds_sum", stage="decode") > answer["timings_ms"]["decode"] / 1000
    assert scrape.value("ecg_decisions_total", bundle="tiny/1", decision=answer["decision"]) == 2
    assert scrape.labels("ecg_reasons_total", "reason") == {reason["code"] for reason in answer["reasons"]}
    assert scrape.value("ecg_reasons_total", reason="no_thresholds") == 2
    assert scrape.value("ecg_classes_total", bundle="tiny/1", predicted_class=answer["predicted_class"]) == 2


def test_what_the_service_is_and_runs_on(fresh: httpx.Client) -> None:
    model = fresh.post("/classify", content=PAGE).json()["model"]
    scrape = Scrape(fresh)
    identity = {
        "bundle": "tiny/1",
        "sha256": model["sha256"],
        "preprocessing": model["preprocessing"],
        "provider": "cpu",
    }
    assert scrape.value("ecg_bundle_info", **identity) == 1
    assert scrape.value("ecg_build_info", version=__version__) == 1
    assert scrape.value("ecg_ready") == 1
    assert scrape.value("process_resident_memory_bytes") > 10**6


def test_no_client_makes_a_label(fresh: httpx.Client) -> None:
    for number in range(30):
        fresh.get(f"/patient/{number}")
        fresh.get(f"/models/patient{number}/1/card")
        fresh.post(f"/classify?model=patient{number}", content=PAGE)
        fresh.request(f"PATIENT{number}", "/health")
    requests_counted(fresh, 30, route="none")
    assert "patient" not in Scrape(fresh).text.lower()


def test_they_are_answered_while_every_worker_is_busy(models_dir: Path) -> None:
    settings = settings_for(models_dir, workers=1, max_waiting_requests=2)
    slow = GatedClassifier()
    with serving(settings, lambda _: slow) as client, ThreadPoolExecutor(3) as threads:
        sent = [threads.submit(client.post, "/classify", content=PAGE) for _ in range(3)]
        wait_until(lambda: Scrape(client).value("ecg_queue_depth") == 2)
        scrape = Scrape(client)
        refused = client.post("/classify", content=PAGE)
        slow.gate.set()
        assert all(one.result().is_success for one in sent)
        idle = requests_counted(client, 3, route="/classify", status="200")
    problem(refused, 503, "overloaded")
    assert (scrape.value("ecg_in_flight"), scrape.value("ecg_places")) == (3, 3)
    assert idle.value("ecg_rejects_total", code="overloaded") == 1
    assert (idle.value("ecg_in_flight"), idle.value("ecg_queue_depth")) == (0, 0)


def test_they_are_there_without_a_model(tmp_path: Path) -> None:
    with serving(settings_for(tmp_path), until_ready=False) as client:
        client.post("/classify", content=PAGE)
        scrape = Scrape(client)
    assert scrape.value("ecg_ready") == 0
    assert "ecg_bundle" not in scrape.families
    assert scrape.value("ecg_rejects_total", code="not_ready") >= 1


def test_two_services_in_one_process_count_apart(models_dir: Path) -> None:
    with serving(settings_for(models_dir)) as first, serving(settings_for(models_dir)) as second:
        first.post("/classify", content=PAGE)
        assert Scrape(first).value("ecg_decisions_total") == 1
        assert Scrape(second).value("ecg_decisions_total") == 0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_they_can_have_a_port_of_their_own(models_dir: Path) -> None:
    port = free_port()
    with (
        serving(settings_for(models_dir, metrics_port=port)) as client,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as operator,
    ):
        client.post("/classify", content=PAGE)
        assert Scrape(operator).value("ecg_decisions_total") == 1
        for headers in ({}, {"Host": f"127.0.0.1:{port}"}, {"X-Forwarded-Port": str(port)}):
            problem(client.get("/metrics", headers=headers), 404, "not_found")
        for path in ("/health", "/", "/models", "/openapi.json", "/docs"):
            problem(operator.get(path), 404, "not_found")
        problem(operator.post("/classify", content=PAGE), 404, "not_found")
        problem(operator.post("/metrics"), 405, "method_not_allowed")
        assert requests_counted_at(operator, route="/metrics") >= 1
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{port}/metrics")


@pytest.mark.parametrize(
    ("names", "trusted", "refused"),
    [
        (None, ("localhost", "127.0.0.1"), ("evil.example", "ecg", "127.0.0.2")),
        ("ecg,b", ("ecg", "127.0.0.1"), ("evil.example", "localhost")),
    ],
)
def test_metrics_port_answers_to_trusted_names_only(
    models_dir: Path, names: str | None, trusted: tuple[str, ...], refused: tuple[str, ...]
) -> None:
    port = free_port()
    settings = settings_for(models_dir, metrics_port=port, trusted_hosts=names)
    with serving(settings, until_ready=False), httpx.Client(base_url=f"http://127.0.0.1:{port}") as operator:
        for name in trusted:
            assert operator.get("/metrics", headers={"Host": f"{name}:{port}"}).is_success
        for name in refused:
            problem(operator.get("/metrics", headers={"Host": name}), 421, "untrusted_host")


def requests_counted_at(client: httpx.Client, **labels: str) -> float:
    return Scrape(client).value("ecg_requests_total", **labels)


def test_a_port_that_cannot_be_had_stops_the_start(models_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for changes in ({"metrics_port": taken.getsockname()[1]}, {"port": 9100, "metrics_port": 9100}):
            settings = settings_for(models_dir, **changes)
            with pytest.raises(StartupError, match="ECG_METRICS_PORT"):
                make_server(create_app(settings), settings)


def test_each_is_documented(models_dir: Path, tmp_path: Path) -> None:
    with serving(settings_for(models_dir, audit_dir=tmp_path)) as client:
        families = Scrape(client).families
    ours = {family.removesuffix("_info") for family in families if family.startswith("ecg_")}
    documented = re.findall(
        r"^\| `(ecg_\w+?)(?:_total|_info)?`", (REPOSITORY / "docs" / "operations.md").read_text(), re.MULTILINE
    )
    assert sorted(documented) == sorted(ours)
