"""Work that takes long stops in its middle when nobody waits for it any more, and its thread is free again."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.models.onnx import Probabilities
from service.workers import check_cancelled
from shared_preproc.tensor import Tensor
from tests.factories import page_jpeg
from tests.service.classifiers import GatedClassifier
from tests.service.inference import page_input
from tests.service.scrape import Scrape
from tests.service.serving import problem, serving, settings_for, wait_until

PAGE = page_jpeg()
PAGES = 8
RUN_S = 0.1
EXPLANATION = f"POST /classify?explain=true HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(PAGE)}\r\n\r\n".encode()


class SlowClassifier(GatedClassifier):
    """Takes its time for each batch, and counts them; an explanation on masks takes 38 of them, which is 4 s."""

    def __init__(self) -> None:
        super().__init__()
        self.gate.set()
        self.batches = 0

    def run(self, tensor: Tensor) -> Probabilities:
        self.batches += 1
        time.sleep(RUN_S)
        return super().run(tensor)


@pytest.fixture
def slow() -> SlowClassifier:
    return SlowClassifier()


@pytest.fixture
def client(models_dir: Path, slow: SlowClassifier) -> Iterator[httpx.Client]:
    """Of a service with one thread."""
    with serving(settings_for(models_dir, workers=1), lambda _: slow) as client:
        slow.batches = 0
        yield client


def idle(client: httpx.Client) -> bool:
    return Scrape(client).value("ecg_in_flight") == 0


def test_an_explanation_whose_time_is_up_lets_go_of_its_thread(client: httpx.Client, slow: SlowClassifier) -> None:
    headers = {"X-Request-Deadline-Ms": "600"}
    problem(client.post("/classify?explain=true", content=PAGE, headers=headers), 503, "deadline_exceeded")
    started_s = time.monotonic()
    wait_until(lambda: idle(client))
    assert time.monotonic() - started_s < 5 * RUN_S
    assert slow.batches < 15
    assert client.post("/classify", content=PAGE).is_success


def test_disconnect_frees_the_thread_of_an_explanation(client: httpx.Client, slow: SlowClassifier) -> None:
    with socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=10) as connection:
        connection.sendall(EXPLANATION + PAGE)
        wait_until(lambda: slow.batches >= 3)
    wait_until(lambda: idle(client))
    assert slow.batches < 15


def test_of_many_pages_in_one_request_no_other_is_begun(client: httpx.Client, slow: SlowClassifier) -> None:
    body = {"inputs": [page_input(*[PAGE] * PAGES)]}
    late = client.post("/v2/models/production/infer", json=body, headers={"X-Request-Deadline-Ms": "600"})
    assert (late.status_code, late.json()["error"][:18]) == (503, "deadline_exceeded:")
    wait_until(lambda: idle(client))
    assert 0 < slow.batches < PAGES


def test_what_nobody_can_give_up_is_wanted() -> None:
    check_cancelled()
