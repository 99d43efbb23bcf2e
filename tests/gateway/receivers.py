"""Receivers of results, on loopback: HL7 over MLLP with faults, and FHIR."""

import socket
import socketserver
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

__all__ = ["FAULTS", "FhirServer", "Hl7Receiver", "listening"]

FAULTS = ["AE", "AR", "silence", "half-close", "hang-up", "CE", "CR", "no-msa", "other-id", "none"]


class Hl7Receiver(socketserver.ThreadingTCPServer):
    """The first delivery of message `idN` meets the Nth fault, the next is accepted; other messages meet none."""

    allow_reuse_address, daemon_threads = True, True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.deliveries: Counter[str] = Counter()
        self.accepted: list[str] = []
        self.messages: list[str] = []
        self.lock, self.over = threading.Lock(), threading.Event()

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.server_address[:2]
        return str(host), int(port)


class Conversation(socketserver.BaseRequestHandler):
    server: Hl7Receiver

    def handle(self) -> None:
        data = b""
        while not data.endswith(b"\x1c\r"):
            data += self.request.recv(4096)
        control_id = data.split(b"|")[9].decode()
        with self.server.lock:
            self.server.deliveries[control_id] += 1
            first = self.server.deliveries[control_id] == 1
        fault = FAULTS[int(control_id[2:])] if first and control_id[:2] == "id" else "none"
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
                self.server.messages.append(data.decode())
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


class FhirServer(HTTPServer):
    """Answers with these statuses, and keeps what it takes."""

    def __init__(self, *statuses: int) -> None:
        super().__init__(("127.0.0.1", 0), _FhirHandler)
        self.statuses, self.taken = list(statuses), list[str]()

    @property
    def url(self) -> str:
        """Its base address."""
        return f"http://127.0.0.1:{self.server_port}"


class _FhirHandler(BaseHTTPRequestHandler):
    server: FhirServer

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.statuses.pop(0)
        if status < 300:
            self.server.taken.append(content.decode())
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Be silent."""
