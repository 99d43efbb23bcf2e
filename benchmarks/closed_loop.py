"""Clients that send one page after the other and wait for each answer. Know no model, and take little CPU."""

import json
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import cycle, islice
from typing import Any

__all__ = ["Body", "Exchange", "as_form", "as_raw", "closed_loop"]

TIMEOUT_S = 120.0
_BOUNDARY = "----benchmark"


@dataclass(frozen=True)
class Body:
    """A request's body, made once."""

    content: bytes
    content_type: str


@dataclass(frozen=True)
class Exchange:
    """One request that was answered."""

    latency_ms: float
    """From the first byte that is sent to the last one that is received."""
    answer: dict[str, Any]


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


def closed_loop(
    port: int, bodies: Sequence[Body], *, concurrency: int = 1, requests: int | None = None
) -> list[Exchange]:
    """Send ``requests`` of the bodies in turn (each once, if not said) over ``concurrency`` kept connections.

    Raises:
        RuntimeError: an answer that is not 200.
    """
    sent = list(islice(cycle(bodies), requests or len(bodies)))
    with ThreadPoolExecutor(concurrency) as clients:
        shares = [sent[first::concurrency] for first in range(concurrency)]
        return [exchange for some in clients.map(lambda share: _client(port, share), shares) for exchange in some]


def _client(port: int, bodies: Iterable[Body]) -> list[Exchange]:
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        return [_exchange(connection, body) for body in bodies]
    finally:
        connection.close()


def _exchange(connection: HTTPConnection, body: Body) -> Exchange:
    started_s = time.perf_counter()
    connection.request("POST", "/classify", body.content, {"Content-Type": body.content_type})
    response = connection.getresponse()
    content = response.read()
    latency_ms = (time.perf_counter() - started_s) * 1000
    if response.status != 200:  # noqa: PLR2004 - HTTP
        raise RuntimeError(f"{response.status}: {content.decode()}")
    return Exchange(latency_ms, json.loads(content))
