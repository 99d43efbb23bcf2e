"""One request over one kept connection, and what came of it. Knows no model and no load; takes little CPU."""

import json
import time
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

__all__ = ["HEALTH", "HOST", "OK", "Body", "Exchange", "as_form", "as_raw", "connect", "exchange"]

HOST = "127.0.0.1"
OK = 200
TIMEOUT_S = 120.0
_BOUNDARY = "----benchmark"


@dataclass(frozen=True)
class Body:
    """A request's body, made once, and where it goes; without one, the request is a GET."""

    content: bytes
    content_type: str
    path: str = "/classify"


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


def connect(port: int) -> HTTPConnection:
    """A connection to this machine, opened with its first request."""
    return HTTPConnection(HOST, port, timeout=TIMEOUT_S)


def exchange(connection: HTTPConnection, body: Body) -> Exchange:
    """Send a request and wait for all of its answer, whatever its status.

    Raises:
        OSError, HTTPException: there was none; the connection is of no more use.
    """
    started_s = time.perf_counter()
    if body.content:
        connection.request("POST", body.path, body.content, {"Content-Type": body.content_type})
    else:
        connection.request("GET", body.path)
    response = connection.getresponse()
    content = response.read()
    return Exchange((time.perf_counter() - started_s) * 1000, response.status, content)
