"""Requests as bytes, and the statuses that come back for them."""

import re
import socket
from collections.abc import Iterable
from contextlib import suppress

import httpx

__all__ = [
    "HOST",
    "LAST",
    "LENGTH",
    "ONE_CHUNK",
    "UPGRADE",
    "answered",
    "chunked",
    "exchanged",
    "get",
    "post",
    "statuses_of",
    "whole_answer",
]

HOST = b"Host: localhost\r\n"
LENGTH = b"Content-Length: 5\r\n"
ONE_CHUNK = b"5\r\nabcde\r\n0\r\n\r\n"
LAST = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
"""It ends the connection, so that it can be read to its end."""
UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"


def get(*fields: bytes, line: bytes = b"GET /health/live HTTP/1.1") -> bytes:
    """A request's head with one Host and these fields, each with its end of line."""
    return b"%b\r\n%b%b\r\n" % (line, HOST, b"".join(fields))


def post(*fields: bytes, body: bytes = b"abcde", target: bytes = b"/classify") -> bytes:
    """A request that is answered by 415 if its body is what the test thinks, and by 422 if there is none."""
    return get(*fields, line=b"POST %b HTTP/1.1" % target) + body


def chunked(body: bytes) -> bytes:
    """The same, of these chunks."""
    return post(b"Transfer-Encoding: chunked\r\n", body=body)


def answered(url: httpx.URL, raw: bytes, *, size: int | None = None) -> list[int]:
    """The statuses of what comes back; sent ``size`` bytes at a time."""
    return statuses_of(exchanged(url, raw, size=size))


def statuses_of(answer: bytes) -> list[int]:
    """Those of all answers in it."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


def exchanged(url: httpx.URL, raw: bytes, *, size: int | None = None) -> bytes:
    """What comes back, to the end of the connection; sent ``size`` bytes at a time."""
    answer = b""
    with socket.create_connection((url.host, url.port or 0), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(ConnectionError):  # what is refused is not read to its end
            for piece in _pieces(raw, size or len(raw)):
                connection.sendall(piece)
        with suppress(ConnectionError):
            while data := connection.recv(65536):
                answer += data
    return answer


def _pieces(raw: bytes, size: int) -> Iterable[bytes]:
    return (raw[start : start + size] for start in range(0, len(raw), size))


def whole_answer(connection: socket.socket) -> bytes:
    """One answer in JSON; the connection goes on."""
    answer = b""
    while not answer.endswith(b"}"):
        more = connection.recv(65536)
        assert more, "closed before the answer was whole"
        answer += more
    return answer
