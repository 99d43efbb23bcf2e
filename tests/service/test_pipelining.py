"""Requests that come before the one before them is answered, and connections that come all at once."""

import hashlib
import random
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.factories import page_jpeg
from tests.service.process import Process, environment, running
from tests.service.raw_http import (
    LAST,
    LENGTH,
    ONE_CHUNK,
    UPGRADE,
    answered,
    chunked,
    exchanged,
    get,
    post,
    statuses_of,
)
from tests.service.serving import wait_until


@pytest.fixture(scope="module")
def process(models_dir: Path) -> Iterator[Process]:
    with running(environment(models_dir)) as process:
        yield process


def test_pipelined_requests_are_answered_in_order(process: Process) -> None:
    """A body in chunks and one that is refused among them: what comes next begins where it ends."""
    page = page_jpeg()
    kinds = [
        post(b"Content-Length: %d\r\n" % len(page), b"X-Request-ID: #\r\n", body=page),
        get(b"X-Request-ID: #\r\n"),
        post(b"Transfer-Encoding: chunked\r\n", b"X-Request-ID: #\r\n", body=ONE_CHUNK),
        post(LENGTH, b"X-Request-ID: #\r\n", target=b"/classify?model=none"),
        post(b"Transfer-Encoding: chunked\r\n", b"X-Request-ID: #\r\n", body=ONE_CHUNK, target=b"/classify?model=none"),
    ]
    raw = b"".join(kinds[n % 5].replace(b": #", b": at-once-%d" % n) for n in range(20))
    answer = exchanged(process.url, raw + LAST)
    names = [b"at-once-%d" % n for n in range(20)]
    assert re.findall(rb"at-once-\d+", b"\n".join(re.findall(rb"(?i)x-request-id: .*", answer))) == names
    assert statuses_of(answer) == [200, 200, 415, 404, 404] * 4 + [200]
    wait_until(lambda: "at-once-19" in process.log)
    assert re.findall(r"request_id=(at-once-\d+)", process.log) == [name.decode() for name in names]


def test_requests_that_nobody_waits_for_take_little_memory(process: Process) -> None:
    """The first of each connection is a body that does not end, so that none of the others may begin."""
    before = process.memory_bytes("VmRSS")
    with ExitStack() as stack:
        for _ in range(20):
            connection = stack.enter_context(socket.create_connection((process.url.host, process.url.port or 0)))
            connection.settimeout(0.1)
            with suppress(TimeoutError):
                connection.sendall(post(LENGTH) + b"".join(get() for _ in range(100_000)))
        assert process.client.get("/health").is_success
        assert process.memory_bytes("VmHWM") - before < 8 * 2**20
    wait_until(lambda: process.client.get("/health").is_success)


def test_bodies_that_come_by_turns_are_not_mixed_up(process: Process) -> None:
    """All connections are read into one buffer."""
    pages = [page_jpeg() + random.Random(seed).randbytes(200_000) for seed in range(4)]  # noqa: S311 - no secret
    with ExitStack() as stack:
        connections = [
            stack.enter_context(socket.create_connection((process.url.host, process.url.port or 0), timeout=20))
            for _ in pages
        ]
        wholes = [
            chunked(b"%x\r\n%b\r\n0\r\n\r\n" % (len(page), page))
            if number % 2
            else post(b"Content-Length: %d\r\n" % len(page), body=page)
            for number, page in enumerate(pages)
        ]
        for start in range(0, max(map(len, wholes)), 10_007):
            for connection, whole in zip(connections, wholes, strict=True):
                connection.sendall(whole[start : start + 10_007])
        for connection, page in zip(connections, pages, strict=True):
            answer = b""
            while not answer.endswith(b"}"):
                answer += connection.recv(65536)
            assert hashlib.sha256(page).hexdigest().encode() in answer


def test_who_asks_for_another_protocol_writes_no_line_of_the_log(process: Process) -> None:
    before = process.log.count("\n")
    assert answered(process.url, get(UPGRADE, b"X-Request-ID: upgrade\r\n") * 3 + LAST) == [200] * 4
    wait_until(lambda: process.log.count("\n") >= before + 4)
    assert all("event=request " in line for line in process.log.splitlines()[before:])
