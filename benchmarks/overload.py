"""Twice as many requests as the service can answer, for a minute: what is answered, what is refused, what else suffers.

    python -m benchmarks.overload [--seconds 60] [--times 2.0] [--rounds 6] [--pages 24] [--registry models]
                                  [--model production]

Starts the service with its default settings and measures its capacity: answers a second to eight clients that each
send one page after the other. Then pages come at a constant rate of so many times that, whatever becomes of them
(`benchmarks.open_loop`). All the while a process beside asks for /health 20 times a second.

A machine that is shared does not have the same capacity a minute later. So both are measured once more, in turn, in
rounds of ten seconds: by the clock, and by the CPU time that the service itself got, which leaves the generator out.

Generator and service share the cores, and the generator sends twice as much as it did for the capacity; the row "CPUs
used" says what that takes, and what is left for others on the machine.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.closed_loop import closed_loop
from benchmarks.exchange import HEALTH, OK, Body, as_raw
from benchmarks.measuring import Spread, busy_cpu_s, synthetic_pages, table
from benchmarks.open_loop import NO_ANSWER, Load, open_loop
from benchmarks.server_process import ServerProcess
from benchmarks.service_process import service_process

__all__ = ["Overload", "Shares", "overload", "side_by_side"]

CLIENTS = 8
HEALTH_HZ = 20.0
DEADLINE_MS = 60_000
"""The service's default, `ECG_REQUEST_DEADLINE_S`."""
REFUSED = 503
ROUND_S = 10.0
_EARLY_SHARE = 1 / 6
"""Of the time, until memory is looked at for the first time: 10 s of a minute."""


@dataclass(frozen=True)
class Overload:
    """What became of the service."""

    capacity_hz: tuple[float, float]
    """Before and after."""
    load: Load
    health: Load
    memory_mib: tuple[float, float]
    """Of all its processes, at a sixth of the time and at its end."""
    service_cpus: float
    all_cpus: float

    @property
    def goodput(self) -> float:
        """Share of the capacity, the mean of both, that was answered."""
        return self.load.goodput_hz / (sum(self.capacity_hz) / 2)

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """What was measured, the value, and what is wanted."""
        load, health = self.load, self.health
        generator_cpus = load.cpu_s / load.duration_s
        yield "capacity before, after, requests/s", "{:.1f}, {:.1f}".format(*self.capacity_hz), ""
        yield "sent, requests/s", f"{len(load.arrivals) / load.duration_s:.1f}", ""
        yield "goodput, requests/s", f"{load.goodput_hz:.1f}", ""
        yield "goodput of capacity", f"{self.goodput:.0%}", "at least 95%"
        yield "answers", ", ".join(_answers(load)), "200 and 503 only"
        yield "latency of 200, p50, p95, p99, ms", _percentiles(load, OK), f"at most {DEADLINE_MS}"
        yield "latency of 503, p50, p95, p99, ms", _percentiles(load, REFUSED), ""
        yield "/health, p50, p95, p99, ms", _percentiles(health, OK), "p99 at most 50"
        yield "/health, answers", ", ".join(_answers(health)), "200 only"
        yield "resident at a sixth, at the end, MiB", "{:.0f}, {:.0f}".format(*self.memory_mib), "flat"
        others = self.all_cpus - self.service_cpus - generator_cpus
        yield (
            "CPUs used: service, generator, others",
            f"{self.service_cpus:.2f}, {generator_cpus:.2f}, {others:.2f}",
            "",
        )
        yield "sent late by, p99, ms", f"{load.lag_ms:.0f}", ""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--times", type=float, default=2.0, help="the capacity")
    parser.add_argument("--rounds", type=int, default=6, help="of both in turn, at least one")
    parser.add_argument("--pages", type=int, default=24, help="different pages, sent in turn")
    parser.add_argument("--registry", type=Path, default=Path("models"))
    parser.add_argument("--model", default="production")
    options = parser.parse_args()
    bodies = [as_raw(page) for page in synthetic_pages(options.pages)]
    with service_process(options.registry, options.model) as service:
        done = overload(service, bodies, times=options.times, seconds=options.seconds)
        shares = side_by_side(service, bodies, times=options.times, rounds=options.rounds)
    in_turn = (
        ("goodput of capacity, in turn, by the clock", f"{shares.by_clock}", "at least 0.95"),
        ("the same, by the service's CPU time", f"{shares.by_cpu}", ""),
    )
    print(table(["", "measured", "wanted"], [*done.rows(), *in_turn]))


def overload(
    service: ServerProcess, bodies: Sequence[Body], *, times: float, seconds: float, requests: int = 1000
) -> Overload:
    """Measure the capacity with so many requests, send ``times`` as many a second for some time, and measure again."""
    with ProcessPoolExecutor(1, get_context("spawn")) as beside, ThreadPoolExecutor(1) as threads:
        beside.submit(time.sleep, 0).result()  # it has started
        warm_hz = _answers_hz(service, bodies, requests // 4)

        def capacity_hz() -> float:
            asked = beside.submit(_ask_health, service.port, requests / warm_hz)
            hz = _answers_hz(service, bodies, requests)
            asked.result()  # or the next phase would begin without it
            return hz

        before_hz = capacity_hz()
        health = beside.submit(_ask_health, service.port, seconds)
        memory = threads.submit(_memory_mib, service, seconds)
        service_s, all_s = service.cpu_s(), busy_cpu_s()
        load = open_loop(service.port, bodies, rate_hz=times * before_hz, duration_s=seconds)
        service_s, all_s = service.cpu_s() - service_s, busy_cpu_s() - all_s
        ended_s = max(one.answered_s for one in load.arrivals)
        after_hz = capacity_hz()
    cpus = service_s / ended_s, all_s / ended_s
    return Overload((before_hz, after_hz), load, health.result(), memory.result(), *cpus)


class Shares(NamedTuple):
    """Goodput as a share of the capacity, over several rounds."""

    by_clock: Spread
    by_cpu: Spread
    """Answers for a second of the service's CPU time, of as many at capacity."""


def side_by_side(
    service: ServerProcess, bodies: Sequence[Body], *, times: float, rounds: int, round_s: float = ROUND_S
) -> Shares:
    """Measure the goodput so many times, each time between two measurements of the capacity."""
    hz = _answers_hz(service, bodies, len(bodies))
    capacities, goodputs = [_capacity(service, bodies, round(hz * round_s))], []
    for _ in range(rounds):
        before_s = service.cpu_s()
        load = open_loop(service.port, bodies, rate_hz=times * capacities[-1][0], duration_s=round_s)
        goodputs.append((load.goodput_hz, load.statuses[OK] / (service.cpu_s() - before_s)))
        capacities.append(_capacity(service, bodies, round(hz * round_s)))
    shares = np.array(goodputs) / [np.mean(both, axis=0) for both in pairwise(capacities)]
    return Shares(*map(Spread.of, shares.T))


def _capacity(service: ServerProcess, bodies: Sequence[Body], requests: int) -> tuple[float, float]:
    """Answers a second, and answers for a second of the service's CPU time."""
    before_s = service.cpu_s()
    return _answers_hz(service, bodies, requests), requests / (service.cpu_s() - before_s)


def _answers_hz(service: ServerProcess, bodies: Sequence[Body], requests: int) -> float:
    started_s = time.perf_counter()
    closed_loop(service.port, bodies, concurrency=CLIENTS, requests=requests)
    return requests / (time.perf_counter() - started_s)


def _ask_health(port: int, seconds: float) -> Load:
    return open_loop(port, [HEALTH], rate_hz=HEALTH_HZ, duration_s=seconds)


def _memory_mib(service: ServerProcess, seconds: float) -> tuple[float, float]:
    time.sleep(seconds * _EARLY_SHARE)
    early_mib = service.resident_mib()
    time.sleep(seconds * (1 - _EARLY_SHARE))
    return early_mib, service.resident_mib()


def _answers(load: Load) -> Iterator[str]:
    for status, count in sorted(load.statuses.items()):
        yield f"{count} x {'none' if status == NO_ANSWER else status}"


def _percentiles(load: Load, status: int) -> str:
    return ", ".join(f"{load.latency_ms(percent, status):.0f}" for percent in (50, 95, 99))


if __name__ == "__main__":
    main()
