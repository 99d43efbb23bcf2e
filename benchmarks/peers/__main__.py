"""The service against BentoML and LitServe, each hosting the service's own functions with the service's own bundle.

    python -m benchmarks.peers [--requests 240] [--seconds 10] [--pages 24] [--cache .cache/peers]

Each peer has an environment of its own, made on first use with ONNX Runtime, OpenCV and the others in the versions that
this process has. Each has as many worker processes as there are CPUs, one thread for each step, and takes a form as
browsers send it; all answer with the same JSON. One host runs at a time. First, clients that wait for each answer; the
most that eight got a second is the host's capacity. Then a constant rate (`benchmarks.open_loop`): shares of the
SERVICE's capacity, the same requests a second for all, and, where it is less, the same shares of the host's own.
Memory is that of all its processes, what they share counted once. "Others" is what else the machine was busy with.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.closed_loop import closed_loop
from benchmarks.exchange import HOST, OK, Body, as_form
from benchmarks.measuring import busy_cpu_s, synthetic_pages, table
from benchmarks.open_loop import Load, open_loop
from benchmarks.peers.environments import environment_of
from benchmarks.peers.hosted import MODEL, MODELS_DIR, PORT, WORKERS
from benchmarks.server_process import ServerProcess, free_port, server_process
from benchmarks.service_process import service_process
from service.host import available_cpus

__all__ = ["report"]

CONCURRENCIES = (1, 2, 4, 8)
SHARES = (0.5, 0.7, 0.9, 1.1)
OURS = "service"
_HEAD = ("host", "load", "answers/s", "p50 ms", "p95 ms", "p99 ms", "not 200", "memory MiB", "others, CPUs")


@dataclass(frozen=True)
class Line:
    """One host under one load."""

    host: str
    load: str
    rate_hz: float
    percentiles_ms: tuple[float, float, float]
    refused: int
    memory_mib: float
    others_cpus: float

    def cells(self) -> Sequence[object]:
        """As a row of the table."""
        latencies = [f"{value:.0f}" for value in self.percentiles_ms]
        measured = self.refused, f"{self.memory_mib:.0f}", f"{self.others_cpus:.2f}"
        return self.host, self.load, f"{self.rate_hz:.1f}", *latencies, *measured


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=240, help="at each number of clients")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each constant rate")
    parser.add_argument("--pages", type=int, default=24, help="different pages, sent in turn")
    parser.add_argument("--registry", type=Path, default=Path("models"))
    parser.add_argument("--model", default="production")
    parser.add_argument("--cache", type=Path, default=Path(".cache/peers"), help="where the environments are kept")
    options = parser.parse_args()
    hosts = {
        OURS: service_process(options.registry, options.model),
        **{peer: start(peer, options.registry, options.model, options.cache) for peer in _STARTS},
    }
    print(report(hosts, synthetic_pages(options.pages), options.requests, options.seconds))


def start(peer: str, registry: Path, model: str, cache: Path) -> AbstractContextManager[ServerProcess]:
    """Start a peer on a free port; it ends with the block."""
    port, programs = free_port(), environment_of(peer, cache.absolute())
    told = {PORT: port, WORKERS: available_cpus(), MODELS_DIR: registry.absolute(), MODEL: model}
    environment = {
        **os.environ,
        **{name: str(value) for name, value in told.items()},
        "PYTHONPATH": str(Path.cwd()),
        "BENTOML_HOME": str(cache.absolute() / "bentoml-home"),
        "BENTOML_DO_NOT_TRACK": "true",
    }
    arguments, ready_path = _STARTS[peer]
    command = [str(programs / arguments[0]), *(argument.format(host=HOST, port=port) for argument in arguments[1:])]
    return server_process(command, environment, port=port, ready_path=ready_path)


_STARTS: dict[str, tuple[Sequence[str], str]] = {
    "bentoml": (
        ("bentoml", "serve", "benchmarks.peers.bentoml_host:Classifier", "--host", "{host}", "--port", "{port}"),
        "/readyz",
    ),
    "litserve": (("python", "-m", "benchmarks.peers.litserve_host"), "/health"),
}


def report(
    hosts: dict[str, AbstractContextManager[ServerProcess]], pages: Sequence[bytes], requests: int, seconds: float
) -> str:
    """Measure one host after the other, the service first, and give the tables, in Markdown."""
    bodies, lines, reference_hz = [as_form(page) for page in pages], [], 0.0
    for name, host in hosts.items():
        with host as server:
            closed_loop(server.port, bodies, concurrency=available_cpus())  # warms up every process
            closed = [_closed(name, server, bodies, clients, requests) for clients in CONCURRENCIES]
            capacity_hz = closed[-1].rate_hz
            reference_hz = reference_hz or capacity_hz
            rates = [(f"{share:.0%} of the service's", share * reference_hz) for share in SHARES]
            if capacity_hz < reference_hz:
                rates += [(f"{share:.0%} of its own", share * capacity_hz) for share in SHARES]
            lines += closed + [
                _measured(name, server, load, partial(open_loop, server.port, bodies, rate_hz=hz, duration_s=seconds))
                for load, hz in rates
            ]
    return "\n\n".join([table(_HEAD, (line.cells() for line in lines)), table(_RATIO_HEAD, _ratios(lines))])


_RATIO_HEAD = ("load", "peer", "answers/s, ours : theirs", "p99, ours : theirs")


def _ratios(lines: Sequence[Line]) -> Iterator[Sequence[str]]:
    ours = {line.load: line for line in lines if line.host == OURS}
    for line in lines:
        if line.host != OURS and line.load in ours:
            own = ours[line.load]
            tails = own.percentiles_ms[-1] / line.percentiles_ms[-1]
            rates = f"{own.rate_hz / line.rate_hz:.2f}" if line.rate_hz else "it answered none in time"
            yield line.load, line.host, rates, f"{tails:.2f}"


def _closed(name: str, server: ServerProcess, bodies: Sequence[Body], clients: int, requests: int) -> Line:
    def send() -> Load:
        began_s, before_s = time.perf_counter(), time.process_time()
        exchanges = closed_loop(server.port, bodies, concurrency=clients, requests=requests)
        return Load.of_exchanges(exchanges, time.perf_counter() - began_s, time.process_time() - before_s)

    return _measured(name, server, f"{clients} clients", send)


def _measured(name: str, server: ServerProcess, load: str, send: Callable[[], Load]) -> Line:
    began_s, server_s, all_s = time.perf_counter(), server.cpu_s(), busy_cpu_s()
    sent = send()
    spent_s = time.perf_counter() - began_s
    others = (busy_cpu_s() - all_s - (server.cpu_s() - server_s) - sent.cpu_s) / spent_s
    p50, p95, p99 = (sent.latency_ms(percent) for percent in (50, 95, 99))
    refused = sum(count for status, count in sent.statuses.items() if status != OK)
    return Line(name, load, sent.goodput_hz, (p50, p95, p99), refused, server.resident_mib(), others)


if __name__ == "__main__":
    main()
