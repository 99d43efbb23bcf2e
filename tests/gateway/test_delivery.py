"""HL7 and FHIR receivers that refuse, are silent or hang up: each result arrives once."""

import socket
import socketserver
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from gateway.errors import RejectedError, UnreachableError
from gateway.mllp import send_hl7
from gateway.spool import Spool
from gateway.web import post_fhir
from gateway.worker import Handler, Worker
from tests.service.serving import wait_until

FAULTS = ["AE", "AR", "silence", "half-close", "hang-up", "CE", "CR", "no-msa", "other-id", "none"]


def message(number: int) -> bytes:
    return f"MSH|^~\\&|ECG||||20261129||ORU^R01^ORU_R01|id{number}|P|2.5.1\rPID|1\r".encode()


class Receiver(socketserver.ThreadingTCPServer):
    """An HL7 receiver: the first delivery of message n meets the n-th fault, the next is accepted."""

    allow_reuse_address, daemon_threads = True, True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.deliveries: Counter[str] = Counter()
        self.accepted: list[str] = []
        self.lock, self.over = threading.Lock(), threading.Event()

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.server_address[:2]
        return str(host), int(port)


class Conversation(socketserver.BaseRequestHandler):
    server: Receiver

    def handle(self) -> None:
        data = b""
        while not data.endswith(b"\x1c\r"):
            data += self.request.recv(4096)
        control_id = data.split(b"|")[9].decode()
        with self.server.lock:
            self.server.deliveries[control_id] += 1
            first = self.server.deliveries[control_id] == 1
        fault = FAULTS[int(control_id[2:])] if first else "none"
        if fault == "silence":
            self.server.over.wait(10)
        elif fault == "half-close":
            self.request.shutdown(socket.SHUT_WR)
            self.server.over.wait(10)
        elif fault == "no-msa":
            self.request.sendall(b"\x0bMSH|^~\\&|X\r\x1c\r")
        elif fault != "hang-up":
            code = "AA" if fault in {"none", "other-id"} else fault
            answered = "id99" if fault == "other-id" else control_id
            if fault == "none":
                self.server.accepted.append(control_id)
            self.request.sendall(f"\x0bMSH|^~\\&|X\rMSA|{code}|{answered}\r\x1c\r".encode())


@contextmanager
def listening(server: socketserver.TCPServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def delivering(folder: Path, handler: Handler, *messages: bytes) -> Iterator[Spool]:
    """A worker that delivers these."""
    spool = Spool(folder)
    for number, content in enumerate(messages):
        spool.add(str(number), b"ecg")
        job = spool.take("classify")
        assert job is not None
        spool.finish(job, [("hl7", content)])
    worker = Worker(spool, {"hl7": handler})
    try:
        yield spool
    finally:
        worker.stop()
        spool.close()


def test_each_message_is_accepted_once(tmp_path: Path) -> None:
    receiver, messages = Receiver(), [message(number) for number in range(len(FAULTS))]
    with (
        listening(receiver),
        delivering(tmp_path, lambda job: send_hl7(job.data, receiver.address, 0.3), *messages) as spool,
    ):
        wait_until(lambda: not spool.waiting())
        receiver.over.set()
    assert sorted(receiver.accepted) == [f"id{number}" for number in range(len(FAULTS))]
    assert set(receiver.deliveries.values()) == {1, 2}
    assert receiver.deliveries[f"id{FAULTS.index('none')}"] == 1


def test_receiver_that_is_down_keeps_messages_waiting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        address = unused.getsockname()
    tries: list[int] = []

    def deliver(job: object) -> None:  # noqa: ARG001
        tries.append(1)
        send_hl7(message(0), address, 0.3)

    with delivering(tmp_path, deliver, message(0)) as spool:
        wait_until(lambda: len(tries) > 1)
        assert spool.waiting() == {"hl7": 1}


class FhirServer(BaseHTTPRequestHandler):
    statuses: list[int]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.statuses.pop(0))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Be silent."""


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (200, None),
        (201, None),
        (400, RejectedError),
        (401, UnreachableError),
        (412, RejectedError),
        (422, RejectedError),
        (429, UnreachableError),
        (503, UnreachableError),
    ],
)
def test_fhir_server_takes_refuses_or_is_away(status: int, error: type[Exception] | None) -> None:
    handler = type("Handler", (FhirServer,), {"statuses": [status]})
    server = HTTPServer(("127.0.0.1", 0), handler)
    with listening(server), httpx.Client() as client:
        url = f"http://127.0.0.1:{server.server_port}"
        if error is None:
            post_fhir(client, url, b"{}")
        else:
            with pytest.raises(error, match=str(status)):
                post_fhir(client, url, b"{}")


def test_fhir_server_that_is_down_is_unreachable() -> None:
    with httpx.Client() as client, pytest.raises(UnreachableError):
        post_fhir(client, "http://127.0.0.1:1", b"{}")
