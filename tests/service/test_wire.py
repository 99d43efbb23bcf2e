"""What only the bare connection shows: when an answer comes, and where it ends."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import h11
import httpx
import pytest

from service.http import BoundedConnection, TimeoutH11Protocol
from tests.factories import page_jpeg
from tests.service.process import environment, running
from tests.service.raw_http import whole_answer
from tests.service.serving import serving, settings_for, wait_until

MB = 10**6
UPLOAD_BYTES = 10 * MB


@contextmanager
def stalled_upload(url: httpx.URL, target: str = "/classify", sent_bytes: int = 4) -> Iterator[socket.socket]:
    """A connection whose request lacks the end of its body."""
    head = f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {sent_bytes + 1}\r\n\r\n"
    with socket.create_connection((url.host, url.port or 0), timeout=10) as connection:
        connection.sendall(head.encode() + bytes(sent_bytes))
        yield connection


def test_a_body_that_comes_in_many_pieces_is_read_in_few(models_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_bytes = []
    received = TimeoutH11Protocol.data_received

    def data_received(self: TimeoutH11Protocol, data: bytes) -> None:
        read_bytes.append(len(data))
        received(self, data)

    page, piece = page_jpeg(), 4096
    head = b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(page)
    with (
        serving(settings_for(models_dir)) as client,
        socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=10) as connection,
    ):
        monkeypatch.setattr(TimeoutH11Protocol, "data_received", data_received)
        for _ in range(2):  # the second finds the connection as the first did
            read_bytes.clear()
            connection.sendall(head)
            for start in range(0, len(page), piece):
                connection.sendall(page[start : start + piece])
                time.sleep(0.001)
            assert whole_answer(connection).startswith(b"HTTP/1.1 200 ")
            assert sum(read_bytes) == len(head) + len(page)
            assert len(read_bytes) <= 3 + len(page) // (256 * 2**10), "the head, full reads, the rest"


def test_a_head_that_does_not_end(models_dir: Path) -> None:
    with (
        serving(settings_for(models_dir, header_timeout_s=0.5)) as client,
        socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=10) as connection,
    ):
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n")
        time.sleep(0.3)
        connection.sendall(b"X-More: 1\r\n")
        started_s = time.monotonic()
        assert connection.recv(65536) == b""
        assert time.monotonic() - started_s < 0.4, "bytes that trickle buy no time"
        assert client.get("/health").is_success, "a connection that has had its answer is not meant"


def test_head_and_body_of_a_response_are_sent_at_once() -> None:
    connection = BoundedConnection()
    connection.receive_data(b"POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
    connection.next_event()
    assert connection.send(h11.InformationalResponse(status_code=100, headers=[])).startswith(b"HTTP/1.1 100 ")
    assert connection.send(h11.Response(status_code=200, headers=[(b"Content-Length", b"4")])) == b""
    assert connection.send(h11.Data(data=b"bo")) == b"HTTP/1.1 200 \r\nContent-Length: 4\r\n\r\nbo"
    assert connection.send(h11.Data(data=b"dy")) == b"dy"


def test_a_refused_body_that_never_ends_is_not_drained_for_ever(models_dir: Path) -> None:
    with (
        serving(settings_for(models_dir, header_timeout_s=0.5)) as client,
        stalled_upload(client.base_url, "/classify?model=none") as connection,
    ):
        assert whole_answer(connection).startswith(b"HTTP/1.1 404 ")
        connection.sendall(b"x")
        connection.sendall(b"GET /health")  # the body is complete; a head has begun
        assert connection.recv(65536) == b""


def test_connection_survives_a_refused_body(models_dir: Path) -> None:
    with (
        serving(settings_for(models_dir, header_timeout_s=0.3)) as client,
        stalled_upload(client.base_url, "/classify?model=none") as connection,
    ):
        assert whole_answer(connection).startswith(b"HTTP/1.1 404 ")
        connection.sendall(b"x")
        time.sleep(0.6)
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_what_follows_a_refused_body_is_the_next_request(models_dir: Path) -> None:
    body, follows = bytes(2 * MB), b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    head = b"POST /classify?model=none HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
    with (
        serving(settings_for(models_dir)) as client,
        socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=10) as connection,
    ):
        for _ in range(2):
            connection.sendall(head + body[:10])
            assert whole_answer(connection).startswith(b"HTTP/1.1 404 ")
            connection.sendall(body[10:] + follows[:20])
            time.sleep(0.1)
            connection.sendall(follows[20:])
            assert whole_answer(connection).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(("target", "status"), [("/nowhere", 404), ("/classify?model=none", 404), ("/classify", 413)])
@pytest.mark.parametrize("last", [b"HTTP/1.0\r\nHost: localhost", b"HTTP/1.1\r\nHost: localhost\r\nConnection: close"])
def test_client_that_sends_all_first_gets_the_refusal(
    client: httpx.Client, target: str, status: int, last: bytes
) -> None:
    size_bytes = 20 * MB
    with socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=10) as connection:
        connection.sendall(b"POST %b %b\r\nContent-Length: %d\r\n\r\n" % (target.encode(), last, size_bytes))
        connection.sendall(bytes(size_bytes))  # a proxy that is reset here tells its client of a bad gateway
        assert whole_answer(connection).startswith(b"HTTP/1.1 %d " % status)
        assert connection.recv(1) == b""


@pytest.mark.parametrize("body", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
def test_who_never_ends_is_not_listened_to_for_ever(models_dir: Path, body: str) -> None:
    head = f"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{body}\r\n\r\n".encode()
    with (
        serving(settings_for(models_dir, header_timeout_s=0.5)) as client,
        socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=10) as connection,
    ):
        connection.sendall(head)
        assert whole_answer(connection).startswith(b"HTTP/1.1 404 ")
        assert connection.recv(1) == b"", "the answer is over, and the client may go"
        started_s = time.monotonic()
        with suppress(ConnectionError):
            while time.monotonic() - started_s < 5:
                connection.sendall(b"1\r\nx\r\n")
                time.sleep(0.02)
        assert time.monotonic() - started_s < 2


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_who_says_that_it_has_said_all_is_answered(client: httpx.Client, method: bytes) -> None:
    for _ in range(10):
        with socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=10) as connection:
            connection.sendall(method + b" /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_a_head_beyond_all_measure(client: httpx.Client) -> None:
    with socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=10) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nX-Long: " + bytes(70_000))
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")


def in_chunks(size_bytes: int, count: int) -> bytes:
    return b"%x\r\n%b\r\n" % (size_bytes, bytes(size_bytes)) * count


CHUNKED = b"POST /classify HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("is_refused", [False, True])
def test_a_body_in_thousands_of_bytes_is_not_gone_through(is_refused: bool, models_dir: Path) -> None:
    head = CHUNKED.replace(b"/classify", b"/classify?model=none") if is_refused else CHUNKED
    with (
        serving(settings_for(models_dir)) as client,
        socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=10) as connection,
    ):
        connection.sendall(head)
        if is_refused:
            assert whole_answer(connection).startswith(b"HTTP/1.1 404 ")
        with suppress(ConnectionError):  # it may be closed meanwhile
            for _ in range(1000):
                connection.sendall(in_chunks(1, 1000))
        with suppress(ConnectionError):
            left = connection.recv(65536)
            assert left == b"" or (not is_refused and left.startswith(b"HTTP/1.1 400 "))
        assert client.get("/health").is_success


def test_a_body_in_pieces_is_read(client: httpx.Client) -> None:
    with socket.create_connection((client.base_url.host, client.base_url.port or 0), timeout=10) as connection:
        for _ in range(2):  # of each request's body, as many small ones as there may be
            connection.sendall(CHUNKED + in_chunks(1, 1024) + in_chunks(256, 2000) + b"0\r\n\r\n")
            assert whole_answer(connection).startswith(b"HTTP/1.1 415 ")


def test_a_body_that_stops_half_way(models_dir: Path) -> None:
    with (
        serving(settings_for(models_dir, body_timeout_s=0.2)) as client,
        stalled_upload(client.base_url) as connection,
    ):
        assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(("reference", "status"), [("none", 404), ("damaged", 503)])
def test_unusable_model_is_refused_before_the_body(client: httpx.Client, reference: str, status: int) -> None:
    with stalled_upload(client.base_url, f"/classify?model={reference}") as connection:
        assert connection.recv(65536).startswith(f"HTTP/1.1 {status} ".encode())


def test_not_ready_is_answered_before_the_body(tmp_path: Path) -> None:
    with (
        serving(settings_for(tmp_path), until_ready=False) as client,
        stalled_upload(client.base_url) as connection,
    ):
        assert connection.recv(65536).startswith(b"HTTP/1.1 503 ")


def test_stalled_uploads_stay_within_the_body_budget(models_dir: Path) -> None:
    room = {"ECG_WORKERS": "1", "ECG_MAX_BODIES_BYTES": str(2 * UPLOAD_BYTES)}
    with running(environment(models_dir, **room)) as process, ExitStack() as uploads:
        assert process.client.post("/classify", content=page_jpeg()).is_success
        before = process.memory_bytes("VmRSS")
        for _ in range(12):
            uploads.enter_context(stalled_upload(process.url, sent_bytes=UPLOAD_BYTES))
        wait_until(lambda: process.log.count("status=503") >= 10)
        assert process.memory_bytes("VmHWM") - before < 4 * UPLOAD_BYTES


@pytest.mark.parametrize(
    "path",
    [
        "/health",
        "/health/ready",
        "/health/live",
        "/models",
        "/models/tiny/1/card",
        "/",
        "/docs",
        "/openapi.json",
        "/web/style.css",
        "/nowhere",
        "/classify",
    ],
)
def test_head_is_get_without_the_body_and_the_connection_goes_on(client: httpx.Client, path: str) -> None:
    connection = HTTPConnection(client.base_url.host, client.base_url.port, timeout=10)

    def exchange(method: str) -> tuple[int, dict[str, str], bytes, Any]:
        connection.request(method, path, headers={"X-Request-ID": "same"})
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders() if name.lower() != "date"}
        return response.status, headers, response.read(), connection.sock

    get_status, get_headers, body, socket_before = exchange("GET")
    assert int(get_headers["content-length"]) == len(body) > 0
    assert exchange("HEAD") == (get_status, get_headers, b"", socket_before)
    assert exchange("GET") == (get_status, get_headers, body, socket_before)
    connection.close()


def test_what_is_no_http_is_refused_once_and_leaves_no_traceback(models_dir: Path) -> None:
    """The body is found malformed while the head, which is good, is being answered."""
    with running(environment(models_dir)) as process:
        for _ in range(20):
            with socket.create_connection((process.url.host, process.url.port or 0), timeout=10) as connection:
                head = b"GET /classify HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                connection.sendall(head + b"-1\r\na\r\n")
                assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")
        assert process.client.get("/health").is_success
        assert "internal_error" not in process.log
