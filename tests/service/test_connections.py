"""More connections than there may be: the idle ones make room, and whoever asks is answered."""

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from service.http import Connections
from tests.factories import page_jpeg
from tests.service.process import environment, running
from tests.service.scrape import Scrape
from tests.service.serving import wait_until

PAGE = page_jpeg()
HALF_A_HEAD = b"GET /health HTTP/1.1\r\nHost: loc"
ANSWERED = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
CHUNKED_WRONGLY = b"POST /classify HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n"
FEW_FILES = 512
WITH_FEW_FILES = f"""
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_NOFILE, ({FEW_FILES}, {FEW_FILES}))
sys.argv = ["service"]
runpy.run_module("service", run_name="__main__", alter_sys=True)
"""


@contextmanager
def connections(url: httpx.URL, count: int, sending: bytes) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        opened = []
        for _ in range(count):
            connection = stack.enter_context(socket.create_connection((url.host, url.port or 0), timeout=20))
            connection.sendall(sending)
            opened.append(connection)
        yield opened


def fresh_answers(url: httpx.URL, count: int) -> list[int]:
    """Statuses of pages that are sent over a new connection each."""
    statuses = []
    for _ in range(count):
        with httpx.Client(base_url=url, timeout=5) as client:
            statuses.append(client.post("/classify", content=PAGE).status_code)
    return statuses


def gets_in(url: httpx.URL) -> bool:
    try:
        return fresh_answers(url, 1) == [200]
    except httpx.TransportError:
        return False


def scrape_of_its_own(url: httpx.URL) -> Scrape:
    """The metrics over a new connection: an idle one may be given up while it is being used again."""
    with httpx.Client(base_url=url, timeout=5) as client:
        return Scrape(client)


@pytest.mark.parametrize("sending", [pytest.param(b"", marks=pytest.mark.campaign), HALF_A_HEAD, ANSWERED])
def test_idle_connections_keep_nobody_out(sending: bytes, models_dir: Path) -> None:
    with running(environment(models_dir, ECG_MAX_CONNECTIONS="50")) as process:
        with connections(process.url, 200, sending):
            assert fresh_answers(process.url, 5) == [200] * 5
            scrape = Scrape(process.client)
            assert scrape.value("ecg_connections") <= 50
            assert scrape.value("ecg_connections_given_up_total") >= 150
        wait_until(lambda: Scrape(process.client).value("ecg_connections") <= 2)
        assert "level=error" not in process.log


def test_connections_leave_files_under_a_low_limit(models_dir: Path) -> None:
    with (
        running(environment(models_dir), ("-c", WITH_FEW_FILES)) as process,
        connections(process.url, 2 * FEW_FILES, ANSWERED),
    ):
        assert fresh_answers(process.url, 5) == [200] * 5
        wait_until(lambda: scrape_of_its_own(process.url).value("ecg_connections") == FEW_FILES // 2)
        assert "level=error" not in process.log


def test_the_limit_on_open_files_is_raised_as_far_as_it_may_be(models_dir: Path) -> None:
    program = WITH_FEW_FILES.replace(f"({FEW_FILES}, {FEW_FILES})", f"(128, {FEW_FILES})")
    with running(environment(models_dir, ECG_MAX_CONNECTIONS="200"), ("-c", program)) as process:
        with connections(process.url, 300, ANSWERED):
            wait_until(lambda: scrape_of_its_own(process.url).value("ecg_connections") == 200)
        assert scrape_of_its_own(process.url).value("process_max_fds") == 400


def test_a_client_that_does_not_read_its_answers_does_not_stay(models_dir: Path) -> None:
    with running(environment(models_dir, ECG_BODY_TIMEOUT_S="0.5")) as process, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect((process.url.host, process.url.port))
        deaf.settimeout(0.2)
        with pytest.raises(TimeoutError):  # the service reads no more requests while answers wait
            deaf.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1_000_000)
        assert scrape_of_its_own(process.url).value("ecg_connections") == 3
        wait_until(lambda: scrape_of_its_own(process.url).value("ecg_connections") == 2)
        assert "level=error" not in process.log


def test_client_that_reads_no_refusal_is_evicted(models_dir: Path) -> None:
    """Less waits for it than asyncio holds before it says so."""
    with running(environment(models_dir, ECG_BODY_TIMEOUT_S="0.5")) as process, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        deaf.connect((process.url.host, process.url.port))
        for _ in range(3):
            deaf.sendall(ANSWERED * 50)
            time.sleep(0.015)
        deaf.sendall(CHUNKED_WRONGLY)
        wait_until(lambda: scrape_of_its_own(process.url).value("ecg_connections") == 2)
        assert "level=error" not in process.log


def test_connections_that_are_gone_or_idle_take_little_memory(models_dir: Path) -> None:
    refused = b"POST /classify?model=none HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n" + bytes(60_000)
    with running(environment(models_dir)) as process:

        def grown_bytes(request: bytes, count: int, *, is_reset: bool) -> int:
            before_bytes = process.memory_bytes("VmRSS")
            with ExitStack() as stack:
                for _ in range(count):
                    connection = socket.create_connection((process.url.host, process.url.port), timeout=10)
                    connection.sendall(request)
                    assert connection.recv(65536)
                    if is_reset:
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        connection.close()
                    else:
                        stack.enter_context(connection)
                return process.memory_bytes("VmRSS") - before_bytes

        grown_bytes(refused, 100, is_reset=True)  # warms up
        assert grown_bytes(ANSWERED, 1000, is_reset=True) < 1000 * 3000
        assert grown_bytes(refused, 300, is_reset=False) < 300 * 30_000


class Asking:
    """A connection."""

    def __init__(self, *, is_waiting: bool = True) -> None:
        self.is_waiting = is_waiting
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True


def test_the_one_that_was_answered_longest_ago_goes_first() -> None:
    room = Connections(3)
    old, answered, busy, last = Asking(), Asking(), Asking(is_waiting=False), Asking()
    for one in (answered, busy, old):
        room.enter(one)
    room.answered(answered)
    room.enter(last)
    assert [one.is_closed for one in (old, answered, busy, last)] == [True, False, False, False]
    room.answered(old)
    assert room.count == 3


def test_where_all_others_are_being_answered_the_new_one_goes() -> None:
    room, busy, new = Connections(1), Asking(is_waiting=False), Asking()
    room.enter(busy)
    room.enter(new)
    assert (busy.is_closed, new.is_closed, room.count, room.given_up_count) == (False, True, 1, 1)


def test_clients_that_read_no_answers_keep_nobody_out(models_dir: Path) -> None:
    """Each asks twenty times for a file and reads nothing."""
    with running(environment(models_dir, ECG_MAX_CONNECTIONS="50")) as process, ExitStack() as stack:
        for _ in range(100):
            deaf = stack.enter_context(socket.socket())
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            deaf.connect((process.url.host, process.url.port))
            deaf.sendall(b"GET /web/sample.jpg HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)
        # A second after the last of their first answers is ready, which is when a loaded machine gets to it.
        wait_until(lambda: gets_in(process.url), pause_s=0.2)
        assert fresh_answers(process.url, 5) == [200] * 5
