"""This version of the service against another one, in turn: cost, latency, memory, and what too many requests do.

    python -m benchmarks.versions CHECKOUT [--model crnn] [--rounds 4] [--seconds 10] [--pages 24]

CHECKOUT is a folder of the other version where `make serve` has run once. Each version serves ``--model`` from its own
``models/`` with default settings; one that both have compares the services, the default (``production``) what they
ship. In every round each is started anew, and measured: one client that sends pages one after the other; eight, for
its capacity; pages at 70 % of that; pages at 200 %, and /health beside them. Compare the ratios, of one round each.
"""

import argparse
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from benchmarks.closed_loop import closed_loop
from benchmarks.exchange import HEALTH, Body, as_raw
from benchmarks.measuring import Spread, synthetic_pages, table
from benchmarks.open_loop import Load, open_loop
from benchmarks.server_process import ServerProcess
from benchmarks.service_process import service_process

__all__ = ["report"]

CLIENTS = 8
HEALTH_HZ = 20.0


class Figures(NamedTuple):
    """One version in one round."""

    ready_s: float
    cpu_ms: float
    capacity_hz: float
    p99_ms: float
    goodput: float
    health_p99_ms: float
    memory_mib: float


NAMES = (
    "ready, s",
    "CPU ms a page",
    "capacity, pages/s",
    "p99 at 70 %, ms",
    "goodput at 200 % of capacity",
    "/health p99 at 200 %, ms",
    "memory at the end, MiB",
)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--model", default="production")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load")
    parser.add_argument("--pages", type=int, default=24, help="different pages, sent in turn")
    options = parser.parse_args()
    bodies = [as_raw(page) for page in synthetic_pages(options.pages)]
    print(report(options.checkout.resolve(), options.model, bodies, options.rounds, options.seconds))


def report(checkout: Path, model: str, bodies: Sequence[Body], rounds: int, seconds: float) -> str:
    """Measure both versions in so many rounds, each load for ``seconds``; gives the table, in Markdown."""
    statuses: tuple[set[int], set[int]] = (set(), set())
    measured = []
    for _ in range(rounds):
        both = []
        for folder, seen in zip((None, checkout), statuses, strict=True):
            with service_process((folder or Path()) / "models", model, checkout=folder) as service:
                both.append(_measured(service, bodies, seconds, seen))
        measured.append(both)
    rows = [
        (
            name,
            *(Spread.of([both[version][place] for both in measured]) for version in (0, 1)),
            Spread.of([both[0][place] / both[1][place] for both in measured]),
        )
        for place, name in enumerate(NAMES)
    ]
    seen_statuses = "Statuses at 200 %: {}; {}".format(*map(sorted, statuses))
    return f"{table(('', 'this version', 'the other', 'ratio'), rows)}\n\n{seen_statuses}"


def _measured(service: ServerProcess, bodies: Sequence[Body], seconds: float, statuses: set[int]) -> Figures:
    closed_loop(service.port, bodies, concurrency=CLIENTS, requests=2 * len(bodies))  # warms up
    before_s, requests = service.cpu_s(), 2 * len(bodies)
    closed_loop(service.port, bodies, concurrency=1, requests=requests)
    cpu_ms = (service.cpu_s() - before_s) * 1000 / requests
    capacities_hz = [_capacity_hz(service, bodies, seconds)]
    usual = open_loop(service.port, bodies, rate_hz=0.7 * capacities_hz[0], duration_s=seconds)
    with ProcessPoolExecutor(1, get_context("spawn")) as beside:
        beside.submit(time.sleep, 0).result()  # it has started
        health = beside.submit(_ask_health, service.port, seconds)
        overload = open_loop(service.port, bodies, rate_hz=2 * capacities_hz[0], duration_s=seconds)
        health_p99_ms = health.result().latency_ms(99)
    statuses.update(overload.statuses)
    capacities_hz.append(_capacity_hz(service, bodies, seconds))
    capacity_hz = sum(capacities_hz) / 2
    return Figures(
        service.ready_s,
        cpu_ms,
        capacity_hz,
        usual.latency_ms(99),
        overload.goodput_hz / capacity_hz,
        health_p99_ms,
        service.resident_mib(),
    )


def _capacity_hz(service: ServerProcess, bodies: Sequence[Body], seconds: float) -> float:
    started_s, done = time.perf_counter(), 0
    while time.perf_counter() - started_s < seconds:
        done += len(closed_loop(service.port, bodies, concurrency=CLIENTS, requests=10 * CLIENTS))
    return done / (time.perf_counter() - started_s)


def _ask_health(port: int, seconds: float) -> Load:
    return open_loop(port, [HEALTH], rate_hz=HEALTH_HZ, duration_s=seconds)


if __name__ == "__main__":
    main()
