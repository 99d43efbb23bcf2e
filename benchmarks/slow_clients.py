"""What slow clients cost honest ones: ``python -m benchmarks.slow_clients [--clients 200] [--seconds 5] [--rounds 3]``.

Each slow client sends a byte of its body every tenth of a second, and begins anew when it is shut out. In every round
an honest one sends whole pages, one after the other, first alone and then beside them. Needs Linux's /proc.
"""

import argparse
import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from threading import Event

import numpy as np
from numpy.typing import NDArray

from benchmarks.exchange import HOST
from benchmarks.measuring import Spread, synthetic_pages, table
from benchmarks.service_process import service_process

__all__ = ["latencies_ms", "slow_clients"]

HALF_A_BODY = b"POST /classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nhalf"
PAUSE_S = 0.1


def latencies_ms(port: int, pages: Sequence[bytes], seconds: float) -> list[float]:
    """Latencies of whole pages, sent one after the other over one connection for so long.

    Raises:
        RuntimeError: one is not answered with 200.
    """
    latencies: list[float] = []
    end_s = time.monotonic() + seconds
    connection = HTTPConnection(HOST, port, timeout=60)
    while time.monotonic() < end_s:
        started_s = time.perf_counter()
        connection.request("POST", "/classify", pages[len(latencies) % len(pages)])
        with connection.getresponse() as response:
            response.read()
            if response.status != 200:  # noqa: PLR2004 - HTTP
                raise RuntimeError(f"an honest client is answered with {response.status}")
        latencies.append((time.perf_counter() - started_s) * 1000)
    connection.close()
    return latencies


@contextmanager
def slow_clients(port: int, count: int) -> Iterator[None]:
    """So many, until the end of the block."""
    stop = Event()
    with ThreadPoolExecutor(1) as threads:
        trickling = threads.submit(_trickle, port, count, stop)
        try:
            time.sleep(2)  # for all to have begun, and to be old enough to be given up for others
            yield
        finally:
            stop.set()
        trickling.result()


def _trickle(port: int, count: int, stop: Event) -> None:
    connections = [_begun(port) for _ in range(count)]
    while not stop.wait(PAUSE_S):
        for place, connection in enumerate(connections):
            try:
                connection.sendall(b"x")
            except OSError:
                connection.close()
                connections[place] = _begun(port)
    for connection in connections:
        connection.close()


def _begun(port: int) -> socket.socket:
    connection = socket.create_connection((HOST, port), timeout=20)
    connection.sendall(HALF_A_BODY)
    return connection


def main() -> None:
    """Measure, and print a table and its ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", type=Path, default=Path("models"))
    options = parser.parse_args()
    pages = synthetic_pages(4)
    rounds = []
    with service_process(options.models, "production") as service:
        latencies_ms(service.port, pages, 1.0)
        for _ in range(options.rounds):
            alone = np.percentile(latencies_ms(service.port, pages, options.seconds), [50, 99])
            with slow_clients(service.port, options.clients):
                beside = np.percentile(latencies_ms(service.port, pages, options.seconds), [50, 99])
            rounds.append((alone, beside))
    rows = [
        (name, *(Spread.of([one[way][place] for one in rounds]) for way in (0, 1)), _ratio(rounds, place))
        for place, name in enumerate(("p50 ms", "p99 ms"))
    ]
    print(table(("honest client", "alone", f"beside {options.clients} slow ones", "ratio"), rows))


def _ratio(rounds: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]], place: int) -> Spread:
    return Spread.of([beside[place] / alone[place] for alone, beside in rounds])


if __name__ == "__main__":
    main()
