"""One request over one kept connection, and what came of it.

It shares the cores with what it measures, so it takes as little of them as it can: less than `http.client`, which reads
heads as mail.
"""

import json
import socket
import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

__all__ = [
    "HEALTH",
    "HOST",
    "MOST_AT_ONCE",
    "OK",
    "TIMEOUT_S",
    "Body",
    "Connection",
    "Exchange",
    "Head",
    "as_form",
    "as_raw",
]

HOST = "127.0.0.1"
OK = 200
TIMEOUT_S = 120.0
MOST_AT_ONCE = 2**16
_BOUNDARY = "----benchmark"


@dataclass(frozen=True)
class Body:
    """A request's body, made once, and where it goes; without one, the request is a GET."""

    content: bytes
    content_type: str
    path: str = "/classify"

    @cached_property
    def request(self) -> bytes:
        """All that is sent."""
        line = f"{'POST' if self.content else 'GET'} {self.path} HTTP/1.1\r\nHost: {HOST}\r\n"
        about = f"Content-Type: {self.content_type}\r\nContent-Length: {len(self.content)}\r\n" if self.content else ""
        return f"{line}{about}\r\n".encode() + self.content


@dataclass(frozen=True)
class Exchange:
    """One request that was answered."""

    latency_ms: float
    """From the first byte that is sent to the last one that is received."""
    status: int
    content: bytes

    @property
    def answer(self) -> dict[str, Any]:
        """What it says, in JSON."""
        said: dict[str, Any] = json.loads(self.content)
        return said


HEALTH = Body(b"", "", "/health")


def as_raw(page: bytes) -> Body:
    """A body that is the page."""
    return Body(page, "image/jpeg")


def as_form(page: bytes) -> Body:
    """A form, as a browser sends it."""
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="page.jpg"\r\n\r\n'
    return Body(
        b"".join([head.encode(), page, f"\r\n--{_BOUNDARY}--\r\n".encode()]),
        f"multipart/form-data; boundary={_BOUNDARY}",
    )


class Head(NamedTuple):
    """What an answer's head says."""

    status: int
    size_bytes: int
    """Of the content."""
    closes: bool
    """Nothing may follow on this connection."""

    @classmethod
    def of(cls, head: bytes) -> "Head":
        """Read all before the empty line.

        Raises:
            ValueError: it has no Content-Length.
        """
        head = head.lower()
        size = head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
        return cls(int(head.split(b" ", 2)[1]), int(size), b"\r\nconnection: close" in head)


class Connection:
    """A connection to this machine, opened with its first request and kept."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def exchange(self, body: Body) -> Exchange:
        """Send a request and wait for all of its answer, whatever its status.

        Raises:
            OSError: there was none; the next request opens another connection.
            ValueError: it has no Content-Length.
        """
        started_s = time.perf_counter()
        if self._socket is None:
            self._socket = socket.create_connection((HOST, self._port), TIMEOUT_S)
        try:
            self._socket.sendall(body.request)
            head, content = _answer(self._socket)
        except (OSError, ValueError):
            self.close()
            raise
        if head.closes:
            self.close()
        return Exchange((time.perf_counter() - started_s) * 1000, head.status, content)

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _answer(connection: socket.socket) -> tuple[Head, bytes]:
    """An answer's head and its content."""
    received, end, content = b"", b"", b""
    while not end:
        received, end, content = (received + _received(connection)).partition(b"\r\n\r\n")
    head = Head.of(received)
    while len(content) < head.size_bytes:
        content += _received(connection)
    return head, content


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(MOST_AT_ONCE)
    if not data:
        raise ConnectionError("the answer ends half way")
    return data
