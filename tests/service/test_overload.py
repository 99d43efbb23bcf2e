"""Too much at once, too slow, too late, or gone: what is left is answered all the same."""

import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from benchmarks.server_process import free_port
from service.models.onnx import Probabilities
from shared_preproc.tensor import Tensor
from tests.factories import page_jpeg
from tests.service.classifiers import GatedClassifier
from tests.service.process import environment, running
from tests.service.raw_http import whole_answer
from tests.service.scrape import Scrape
from tests.service.serving import problem, serving, settings_for, wait_until
from tests.service.test_request_context import request_logged

SLOW_CLIENTS = 200
PAGE = page_jpeg()
WHOLE_REQUEST = b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (len(PAGE), PAGE)
HALF_A_HEAD = b"POST /classify HTTP/1.1\r\nHost: te"
HALF_A_BODY = b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nhalf"


class CountingClassifier(GatedClassifier):
    """Waits at its gate, and counts who came."""

    def __init__(self) -> None:
        super().__init__()
        self.pages = 0

    def run(self, tensor: Tensor) -> Probabilities:
        self.pages += 1
        return super().run(tensor)


def classify(client: httpx.Client, **headers: str) -> httpx.Response:
    return client.post("/classify", content=PAGE, headers=headers)


def connect(url: httpx.URL, sending: bytes) -> socket.socket:
    connection = socket.create_connection((url.host, url.port or 0), timeout=20)
    connection.sendall(sending)
    return connection


@contextmanager
def slow_clients(url: httpx.URL, count: int) -> Iterator[None]:
    """Clients that send a byte of their body now and then, and begin anew when they are shut out."""
    stop = threading.Event()

    def trickle() -> None:
        connections = [connect(url, HALF_A_BODY) for _ in range(count)]
        while not stop.wait(0.1):
            for place, connection in enumerate(connections):
                try:
                    connection.sendall(b"x")
                except OSError:
                    connection.close()
                    connections[place] = connect(url, HALF_A_BODY)
        for connection in connections:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        trickling = threads.submit(trickle)
        try:
            yield
        finally:
            stop.set()
        trickling.result()


def test_200_slow_clients_keep_no_honest_one_out(models_dir: Path) -> None:
    with (
        running(environment(models_dir, ECG_MAX_WAITING_REQUESTS="2")) as process,
        slow_clients(process.url, SLOW_CLIENTS),
    ):
        time.sleep(2.0)  # long enough for all to have arrived
        statuses = [classify(process.client).status_code for _ in range(10)]
        assert process.client.get("/health").status_code == 200
    assert statuses == [200] * 10


def test_overload_gets_200_and_503_and_health_goes_on(models_dir: Path) -> None:
    settings = settings_for(models_dir, workers=1, max_waiting_requests=3)
    with serving(settings) as client, ThreadPoolExecutor(12) as threads:
        answers = [threads.submit(classify, client) for _ in range(60)]
        healths_s: list[float] = []
        while not all(answer.done() for answer in answers):
            started_s = time.monotonic()
            assert client.get("/health").status_code == 200
            healths_s.append(time.monotonic() - started_s)
        responses = [answer.result() for answer in answers]
    assert {response.status_code for response in responses} == {200, 503}
    for response in responses:
        if response.status_code == 503:
            problem(response, 503, "overloaded")
            assert int(response.headers["retry-after"]) >= 1
    assert sorted(healths_s)[len(healths_s) // 2] < 0.2


@pytest.fixture
def slow() -> CountingClassifier:
    return CountingClassifier()


@contextmanager
def occupied(models_dir: Path, slow: CountingClassifier, **changes: float) -> Iterator[httpx.Client]:
    """A service whose only thread is at the gate with a page; the gate opens with the end of the block."""
    settings = settings_for(models_dir, **{"workers": 1, "max_waiting_requests": 1, **changes})
    with serving(settings, lambda _: slow) as client, ThreadPoolExecutor(1) as threads:
        first = threads.submit(classify, client)
        try:
            assert slow.entered.wait(10)
            yield client
        finally:
            slow.gate.set()
        first.result()


@pytest.mark.parametrize(
    ("changes", "headers"), [({"request_deadline_s": 0.3}, {}), ({}, {"X-Request-Deadline-Ms": "300"})]
)
def test_request_past_its_deadline_is_refused_and_never_run(
    models_dir: Path, slow: CountingClassifier, changes: dict[str, float], headers: dict[str, str]
) -> None:
    with occupied(models_dir, slow, **changes) as client:
        started_s = time.monotonic()
        late = classify(client, **headers)
        assert time.monotonic() - started_s < 2
        assert "no answer after 0.3 s" in problem(late, 503, "deadline_exceeded")["found"]
        assert late.headers["retry-after"] == "1"
    assert slow.pages == 1  # and the service has ended since, all its work done


def test_a_client_cannot_ask_for_more_time_than_there_is(models_dir: Path, slow: CountingClassifier) -> None:
    with occupied(models_dir, slow, request_deadline_s=0.3) as client:
        late = classify(client, **{"X-Request-Deadline-Ms": "60000"})
        problem(late, 503, "deadline_exceeded")


@pytest.mark.parametrize("value", ["0", "-1", "soon", "1e3", "99999999999"])
def test_a_deadline_that_is_none_is_refused(client: httpx.Client, value: str) -> None:
    body = problem(classify(client, **{"X-Request-Deadline-Ms": value}), 422, "invalid_request")
    assert value not in body["found"].replace("than or equal to 1", "")


def test_disconnect_in_the_queue_frees_its_place(
    models_dir: Path, slow: CountingClassifier, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with occupied(models_dir, slow) as client:
        with connect(client.base_url, WHOLE_REQUEST):
            wait_until(lambda: Scrape(client).value("ecg_queue_depth") == 1)  # it has the only room to wait
            problem(classify(client, **{"X-Request-Deadline-Ms": "5000"}), 503, "overloaded")
        wait_until(lambda: any(status_of(record) == 499 for record in caplog.records))
        with ThreadPoolExecutor(1) as threads:
            next_one = threads.submit(classify, client)
            time.sleep(0.2)
            slow.gate.set()
            assert next_one.result().status_code == 200
    assert slow.pages == 2


@pytest.mark.parametrize("path", ["/classify", "/classify?nonsense=1", "/reading"])
def test_without_room_nothing_of_a_request_is_looked_at(models_dir: Path, slow: CountingClassifier, path: str) -> None:
    with occupied(models_dir, slow, max_waiting_requests=0) as client:
        refused = client.post(path, content=b"no page", headers={"X-Request-Deadline-Ms": "soon"})
        problem(refused, 503, "overloaded")
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["x-content-type-options"] == "nosniff"
        route = path.partition("?")[0]
        assert Scrape(client).value("ecg_requests_total", route=route, code="overloaded") == 1
        problem(client.get(path), 405, "method_not_allowed")
        assert client.get("/models").status_code == 200


def test_without_room_the_refusal_has_what_every_answer_has(
    models_dir: Path, slow: CountingClassifier, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    with occupied(models_dir, slow, max_waiting_requests=0) as client:
        refused = classify(client, **{"X-Request-ID": "PACS-17", "traceparent": trace})
        assert problem(refused, 503, "overloaded")["request_id"] == "PACS-17"
        assert refused.headers["traceparent"][:36] == trace[:36]
        everywhere = client.get("/health").headers.keys() - {"content-length", "content-type"}
        assert everywhere <= refused.headers.keys()
    line = request_logged(caplog, "PACS-17")
    assert (line["route"], line["status"], line["trace_id"]) == ("/classify", 503, trace[3:35])


def test_without_room_another_port_has_its_own_answers(models_dir: Path, slow: CountingClassifier) -> None:
    port = free_port()
    with occupied(models_dir, slow, max_waiting_requests=0, metrics_port=port) as client:
        assert classify(client).status_code == 503
        assert httpx.post(f"http://127.0.0.1:{port}/classify", content=PAGE).status_code == 404


def test_without_room_the_open_protocol_refuses_in_its_own_form(models_dir: Path, slow: CountingClassifier) -> None:
    with occupied(models_dir, slow, max_waiting_requests=0) as client:
        refused = client.post("/v2/models/tiny/infer", content=b"{}")
        assert refused.json()["error"].startswith("overloaded: ")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert client.get("/v2/models/tiny").status_code == 200


def test_full_queue_refuses_before_the_body_is_sent(models_dir: Path, slow: CountingClassifier) -> None:
    asking = b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    with occupied(models_dir, slow, max_waiting_requests=0) as client, connect(client.base_url, asking) as connection:
        for _ in range(2):
            assert whole_answer(connection).startswith(b"HTTP/1.1 503 ")
            connection.sendall(b"page" + asking)


@pytest.mark.parametrize("keeps", [True, False])
def test_full_queue_drops_a_body_and_reads_the_next_request(
    models_dir: Path, slow: CountingClassifier, keeps: bool
) -> None:
    size_bytes = 3 * 2**20 + 7
    fields = (
        f"Host: localhost\r\nContent-Length: {size_bytes}{'' if keeps else chr(13) + chr(10) + 'Connection: close'}"
    )
    asking = f"POST /classify HTTP/1.1\r\n{fields}\r\n\r\n".encode() + bytes(size_bytes)
    with occupied(models_dir, slow, max_waiting_requests=0) as client, connect(client.base_url, asking) as connection:
        assert whole_answer(connection).startswith(b"HTTP/1.1 503 ")
        if keeps:
            connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert whole_answer(connection).startswith(b"HTTP/1.1 200 ")
        else:
            assert connection.recv(1) == b""


def test_full_queue_refuses_each_of_many_requests(models_dir: Path, slow: CountingClassifier) -> None:
    asking = b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\npage" * 500
    with occupied(models_dir, slow, max_waiting_requests=0) as client, connect(client.base_url, asking) as connection:
        started_s = time.monotonic()
        assert client.get("/health/live").is_success
        assert time.monotonic() - started_s < 0.2
        answers = b""
        while answers.count(b"HTTP/1.1 503 ") < 500 or not answers.endswith(b"}"):
            more = connection.recv(65536)
            assert more, "closed before all were refused"
            answers += more
        ids = re.findall(rb'"request_id":"([0-9a-f]{32})"', answers)
    assert len(set(ids)) == 500


def test_refusals_that_nobody_reads_take_no_memory_without_end(models_dir: Path, slow: CountingClassifier) -> None:
    asking = b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n" * 1000
    with occupied(models_dir, slow, max_waiting_requests=0) as client, connect(client.base_url, b"") as connection:
        connection.settimeout(1.0)
        assert taken_bytes(connection, asking, most_bytes=64 * 2**20) < 64 * 2**20
        assert client.get("/health/live").is_success


@pytest.mark.parametrize(("host", "status"), [("localhost", 503), ("evil.example", 421)])
def test_full_queue_still_checks_the_host_in_the_target(
    models_dir: Path, slow: CountingClassifier, host: str, status: int
) -> None:
    asking = f"POST http://{host}/classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode()
    with occupied(models_dir, slow, max_waiting_requests=0) as client, connect(client.base_url, asking) as connection:
        assert whole_answer(connection).startswith(b"HTTP/1.1 %d " % status)


def taken_bytes(connection: socket.socket, piece: bytes, *, most_bytes: int) -> int:
    """How much the other side takes of one piece after the other."""
    sent_bytes = 0
    with suppress(TimeoutError):
        while sent_bytes < most_bytes:
            sent_bytes += connection.send(piece)
    return sent_bytes


def status_of(record: object) -> object:
    return getattr(record, "fields", {}).get("status")


def test_sigterm_with_50_slow_sockets_answers_and_ends(models_dir: Path) -> None:
    settings = {"ECG_WORKERS": "1", "ECG_DRAIN_DELAY_S": "0.5"}
    with running(environment(models_dir, **settings)) as process, ExitStack() as open_sockets:
        for sending in [HALF_A_HEAD, HALF_A_BODY] * 25:
            open_sockets.enter_context(connect(process.url, sending))
        accepted = [open_sockets.enter_context(connect(process.url, WHOLE_REQUEST)) for _ in range(8)]
        time.sleep(0.2)
        started_s = time.monotonic()
        process.terminate()
        wait_until(lambda: process.client.get("/health/ready").status_code == 503)
        assert [connection.recv(65536)[:13] for connection in accepted] == [b"HTTP/1.1 200 "] * 8
        assert process.wait() == -signal.SIGTERM
        assert time.monotonic() - started_s < 5
