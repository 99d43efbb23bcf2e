import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Event, Thread

import pytest

from benchmarks import open_loop as module
from benchmarks.exchange import HEALTH, HOST, Body
from benchmarks.open_loop import NO_ANSWER, open_loop

LARGE = Body(bytes(12_000_000), "image/jpeg")
"""More than both ends have buffers for."""
OK_HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n%b\r\nbusy"

Answer = Callable[[StreamRequestHandler, int], bool]
"""Given a request whose head is read and the size of its body: answer it, and say whether another may follow."""


@contextmanager
def serving(answer: Answer) -> Iterator[tuple[int, list[str]]]:
    """A server with a thread a connection; gives its port, and the connections as they come."""
    connections: list[str] = []

    class Handler(StreamRequestHandler):
        timeout = 5

        def handle(self) -> None:
            connections.append(str(self.client_address))
            while (size_bytes := body_bytes(self.rfile)) is not None and answer(self, size_bytes):
                pass

    with ThreadingTCPServer((HOST, 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield server.server_address[1], connections
        finally:
            server.shutdown()
            thread.join(10)


def body_bytes(incoming: BufferedIOBase) -> int | None:
    """Read a request's head; none at the end of the connection."""
    size_bytes, line = 0, incoming.readline()
    if not line:
        return None
    assert line.endswith(b" HTTP/1.1\r\n")
    while (line := incoming.readline()) != b"\r\n":
        name, _, value = line.partition(b":")
        size_bytes = int(value) if name == b"Content-Length" else size_bytes
    return size_bytes


def at_once(handler: StreamRequestHandler, size_bytes: int) -> bool:
    handler.rfile.read(size_bytes)
    handler.wfile.write(OK_HEAD + b"done")
    return True


def test_one_connection_serves_requests_that_do_not_overlap() -> None:
    with serving(at_once) as (port, connections):
        load = open_loop(port, [HEALTH, Body(bytes(600_000), "image/jpeg")], rate_hz=20, duration_s=0.3)
    assert load.statuses == {200: 6}
    assert len(connections) == 1


def test_a_body_that_no_buffer_holds_is_sent_to_its_end() -> None:
    with serving(at_once) as (port, _):
        assert open_loop(port, [LARGE], rate_hz=5, duration_s=0.4).statuses == {200: 2}


def test_early_answer_counts_and_the_body_is_sent_to_its_end() -> None:
    def refuse_early(handler: StreamRequestHandler, size_bytes: int) -> bool:
        handler.wfile.write(REFUSAL % b"")
        time.sleep(0.2)
        return len(handler.rfile.read(size_bytes)) == size_bytes

    with serving(refuse_early) as (port, connections):
        load = open_loop(port, [LARGE, HEALTH], rate_hz=2, duration_s=1)
    assert load.statuses == {503: 2}
    assert load.arrivals[0].latency_ms < 150
    assert len(connections) == 1


def test_request_due_during_a_send_uses_another_connection() -> None:
    sent = Event()

    def refuse_early(handler: StreamRequestHandler, size_bytes: int) -> bool:
        handler.wfile.write(REFUSAL % b"")
        return size_bytes == 0 or sent.wait(0.5)

    with serving(refuse_early) as (port, connections):
        assert open_loop(port, [LARGE, HEALTH], rate_hz=10, duration_s=0.2).statuses == {503: 2}
        sent.set()
    assert len(connections) == 2


def test_answer_counts_if_the_server_closes_early() -> None:
    def refuse_and_close(handler: StreamRequestHandler, _: int) -> bool:
        handler.wfile.write(REFUSAL % b"Connection: close\r\n")
        return False

    with serving(refuse_and_close) as (port, connections):
        load = open_loop(port, [LARGE], rate_hz=20, duration_s=0.2)
    assert load.statuses == {503: 4}
    assert len(connections) == 4


def test_an_answer_may_come_in_pieces() -> None:
    def by_bytes(handler: StreamRequestHandler, _: int) -> bool:
        for byte in OK_HEAD + b"done":
            handler.wfile.write(bytes([byte]))
            time.sleep(0.002)
        return True

    with serving(by_bytes) as (port, _):
        load = open_loop(port, [HEALTH], rate_hz=20, duration_s=0.1)
    assert load.statuses == {200: 2}
    assert load.latency_ms(50) > 2 * len(OK_HEAD)


def test_server_closing_half_way_counts_as_no_answer() -> None:
    numbers = iter(range(4))

    def half(handler: StreamRequestHandler, _: int) -> bool:
        whole = next(numbers) % 2
        handler.wfile.write(OK_HEAD + (b"done" if whole else b"do"))
        return bool(whole)

    with serving(half) as (port, _):
        load = open_loop(port, [HEALTH], rate_hz=20, duration_s=0.2)
    assert [one.status for one in load.arrivals] == [NO_ANSWER, 200, NO_ANSWER, 200]


def test_a_request_that_is_never_answered_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT_S", 0.2)
    ended = Event()
    with serving(lambda *_: ended.wait(2) and False) as (port, _):
        load = open_loop(port, [HEALTH, LARGE], rate_hz=20, duration_s=0.2)
        ended.set()
    assert load.statuses == {NO_ANSWER: 4}
    assert all(0.2 <= one.answered_s - one.sent_s < 0.3 for one in load.arrivals)


def test_the_clock_runs_from_when_a_request_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CONNECTIONS", 1)

    def slowly(handler: StreamRequestHandler, size_bytes: int) -> bool:
        time.sleep(0.1)
        return at_once(handler, size_bytes)

    with serving(slowly) as (port, connections):
        load = open_loop(port, [HEALTH], rate_hz=100, duration_s=0.04)
    assert load.statuses == {200: 4}
    assert len(connections) == 1
    for number, one in enumerate(load.arrivals):
        assert one.latency_ms >= 100 * (number + 1) - 10 * number
        assert (one.answered_s - one.sent_s) * 1000 < one.latency_ms + 1
    assert load.lag_ms > 200


def test_a_connection_that_was_idle_for_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT_S", 0.0)
    with serving(at_once) as (port, connections):
        assert open_loop(port, [HEALTH], rate_hz=20, duration_s=0.2).statuses == {200: 4}
    assert len(connections) == 4


def test_an_answer_without_a_length_ends_the_run() -> None:
    def endless(handler: StreamRequestHandler, _: int) -> bool:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        return False

    with serving(endless) as (port, _), pytest.raises(ValueError, match="invalid literal"):
        open_loop(port, [HEALTH], rate_hz=20, duration_s=0.1)
