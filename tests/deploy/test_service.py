"""The service in its container: hardened as written, and the same answers as outside."""

import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

import httpx
import pytest

from service import __version__
from service.settings import Settings
from tests.conftest import REPOSITORY
from tests.deploy.stack import Stack
from tests.factories import page_jpeg, page_png
from tests.service.process import environment, running
from tests.service.scrape import Scrape

pytestmark = pytest.mark.engine

STOP_LIMIT_S = 5.0
SENDERS = 40
LOAD_S = 15.0
PEAK_LIMIT_BYTES = 800 * 2**20
SYNCED_AFTER_S = 3 * Settings().audit_sync_interval_s


def probabilities(answer: dict[str, Any]) -> list[float]:
    every = [answer["probabilities"], *(lead["probabilities"] for lead in answer["leads"])]
    return [one[name] for one in every for name in sorted(one)]


def of_process_1(stack: Stack) -> dict[str, str]:
    return dict(re.findall(r"^(\w+):\s+(.+)$", stack.inside("print(open('/proc/1/status').read())"), re.MULTILINE))


def test_it_is_healthy_with_the_shipped_model(stack: Stack) -> None:
    with stack.client() as client:
        health = client.get("/health").json()
    assert (health["status"], health["model"], health["version"]) == ("ok", "fusion/5", __version__)


def test_the_answers_are_those_of_the_service_outside(stack: Stack) -> None:
    with stack.client() as inside, running(environment(REPOSITORY / "models")) as outside:
        for class_name in ("normal", "myocardial_infarction"):
            page = page_jpeg(class_name)
            answers = [client.post("/classify", files={"file": page}).json() for client in (inside, outside.client)]
            assert probabilities(answers[0]) == pytest.approx(probabilities(answers[1]), abs=1e-6)


def test_it_is_published_on_loopback_alone(stack: Stack) -> None:
    bindings = stack.state()["NetworkSettings"]["Ports"]
    addresses = {one["HostIp"] for published in bindings.values() for one in published or ()}
    assert addresses == {"127.0.0.1"}


def test_a_page_elsewhere_cannot_call_it_by_another_name(stack: Stack) -> None:
    with stack.client() as client:
        answer = client.get("/health", headers={"Host": "evil.example"})
    assert answer.status_code == HTTPStatus.MISDIRECTED_REQUEST


def test_the_metrics_have_a_port_of_their_own(stack: Stack) -> None:
    with stack.client() as client, httpx.Client(base_url=f"http://127.0.0.1:{stack.metrics_port}") as prometheus:
        assert client.get("/metrics").status_code == HTTPStatus.NOT_FOUND
        assert Scrape(prometheus).value("ecg_ready") == 1


def test_process_1_has_no_more_rights_than_it_needs(stack: Stack) -> None:
    status = of_process_1(stack)
    assert status["Uid"].split() == ["10001"] * 4
    assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


def test_it_can_write_nothing_but_its_audit_and_tmp(stack: Stack) -> None:
    lines = stack.inside("print(open('/proc/1/mounts').read())").splitlines()
    options = {line.split()[1]: set(line.split()[3].split(",")) for line in lines if line}
    assert "ro" in options["/"]
    assert "ro" in options["/registry"]
    assert "rw" in options["/audit"]
    assert {"rw", "noexec", "nosuid", "nodev"} <= options["/tmp"]  # noqa: S108 - of the container
    refused = "try:\n open('/registry/x', 'w')\nexcept OSError as error:\n print(error.strerror)"
    assert stack.inside(refused).strip() == "Read-only file system"


def test_memory_cpus_and_processes_are_limited(stack: Stack) -> None:
    limits = stack.state()["HostConfig"]
    assert limits["Memory"] == limits["MemorySwap"] == 2**30
    assert limits["NanoCpus"] == 2_000_000_000
    assert limits["PidsLimit"] == 256


def test_the_memory_limit_holds_under_load(stack: Stack) -> None:
    """Forty senders of pages without compression, 10 MB each: more than the service lets in at once."""
    page, end = page_png(), time.monotonic() + LOAD_S

    def send(_: int) -> set[int]:
        with stack.client() as client:
            statuses = set()
            while time.monotonic() < end:
                statuses.add(client.post("/classify", content=page, headers={"Content-Type": "image/png"}).status_code)
            return statuses

    with ThreadPoolExecutor(SENDERS) as senders:
        statuses = set.union(*senders.map(send, range(SENDERS)))
    state = stack.state()
    assert HTTPStatus.OK in statuses
    assert statuses <= {HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.REQUEST_TIMEOUT}
    assert (state["State"]["OOMKilled"], state["RestartCount"]) == (False, 0)
    assert int(of_process_1(stack)["VmHWM"].split()[0]) * 1024 <= PEAK_LIMIT_BYTES
    with stack.client() as client:
        assert client.get("/health").is_success


def test_a_restart_loses_no_line_of_the_audit(stack: Stack) -> None:
    """Answers given until the moment of the restart are on record after it."""
    answered: list[str] = []
    stop = threading.Event()

    def send() -> None:
        page = page_jpeg()
        with stack.client() as client:
            while not stop.is_set():
                try:
                    answer = client.post("/classify", files={"file": page})
                except httpx.HTTPError:  # while it restarts
                    continue
                if answer.is_success:
                    answered.append(answer.json()["request_id"])

    sender = threading.Thread(target=send)
    sender.start()
    time.sleep(3)
    stack.compose("restart", "service")
    stack.up()
    stop.set()
    sender.join()
    assert len(answered) > 3
    time.sleep(SYNCED_AFTER_S)
    lines = stack.audit()
    assert set(answered) <= {line["request_id"] for line in lines if line["type"] == "answer"}
    assert {line["previous"]["end"] for line in lines if line["type"] == "open" and line["previous"]} == {"closed"}


def test_it_stops_soon_and_well(stack: Stack) -> None:
    began = time.monotonic()
    stack.compose("stop", "service")
    took_s = time.monotonic() - began
    ended = stack.state()["State"]
    stack.up()
    assert took_s <= STOP_LIMIT_S
    assert ended["ExitCode"] == 0, json.dumps(ended)
