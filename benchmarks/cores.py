"""What a second core gives: answers a second of the service, and of its bare functions, on one core and on two.

    python -m benchmarks.cores [--rounds 8] [--requests 120] [--pages 24] [--registry models] [--model production]

"On one core" confines everything to core 0, service and clients alike; "on two" leaves both to both. So the clients'
share is paid on either side, and nothing has to be taken off by reckoning. Two services run, one confined and one not,
and take turns, round by round; a round's ratio has both sides in it. The bare functions, in this process and without
HTTP, run in one thread on one core and in two threads on two, and so show what the threads of one process gain; in two
processes on two cores they show what the machine itself gives.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import cv2

from benchmarks.closed_loop import closed_loop
from benchmarks.exchange import as_raw
from benchmarks.measuring import Spread, synthetic_pages, table
from benchmarks.server_process import ServerProcess
from benchmarks.service_process import service_process
from model_registry.registry import Registry
from service.classify import LoadedModel, classify
from service.models.loader import Catalog
from service.models.onnx import OnnxClassifier

__all__ = ["report"]

CLIENTS = 8
CORES = (0, 1)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--requests", type=int, default=120, help="of each way in a round")
    parser.add_argument("--pages", type=int, default=24, help="different pages, in turn")
    parser.add_argument("--registry", type=Path, default=Path("models"))
    parser.add_argument("--model", default="production")
    options = parser.parse_args()
    print(report(synthetic_pages(options.pages), options.rounds, options.requests, options.registry, options.model))


def report(pages: Sequence[bytes], rounds: int, requests: int, registry: Path, model: str) -> str:
    """Measure in turn and give the table, in Markdown. Needs two cores."""
    with (
        service_process(registry, model, cpus=CORES[:1]) as one,
        service_process(registry, model, cpus=CORES) as two,
        _bare_processes(pages, requests, registry, model) as in_processes,
    ):
        loaded, bodies = _loaded(registry, model), [as_raw(page) for page in pages]

        def served(service: ServerProcess) -> None:
            closed_loop(service.port, bodies, concurrency=CLIENTS, requests=requests)

        def bare(threads: int) -> None:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(lambda number: classify(pages[number % len(pages)], loaded), range(requests)))

        ways: dict[str, tuple[Callable[[], None], Callable[[], None]]] = {
            "the service": (lambda: served(one), lambda: served(two)),
            "bare functions, a thread a core": (lambda: bare(1), lambda: bare(2)),
            "bare functions, a process a core": (lambda: in_processes(1), lambda: in_processes(2)),
        }
        measured = [
            {name: (_rate_hz(alone, requests, 1), _rate_hz(both, requests, 2)) for name, (alone, both) in ways.items()}
            for _ in range(rounds + 1)
        ][1:]  # the first warms up
    rows = [
        (
            name,
            Spread.of(each[name][0] for each in measured),
            Spread.of(each[name][1] for each in measured),
            Spread.of(each[name][1] / each[name][0] for each in measured),
        )
        for name in ways
    ]
    return table(["way", "one core, pages/s", "two cores, pages/s", "two : one"], rows)


def _rate_hz(work: Callable[[], None], requests: int, cores: int) -> float:
    """How fast ``work`` goes; threads that it starts inherit where this one may run."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, CORES[:cores])
    try:
        started_s = time.perf_counter()
        work()
        return requests / (time.perf_counter() - started_s)
    finally:
        os.sched_setaffinity(0, allowed)


@contextmanager
def _bare_processes(
    pages: Sequence[bytes], requests: int, registry: Path, model: str
) -> Iterator[Callable[[int], None]]:
    """What has one process, or both, work on a share of the requests each, a core for each."""
    spawn, ends = get_context("spawn"), []
    for core in CORES:
        ours, theirs = spawn.Pipe()
        spawn.Process(target=_bare_process, args=(theirs, core, pages, registry, model), daemon=True).start()
        ends.append(ours)

    def work(processes: int) -> None:
        for end in ends[:processes]:
            end.send(requests // processes)
        for end in ends[:processes]:
            end.recv()

    work(len(CORES))
    yield work
    for end in ends:
        end.send(0)


def _bare_process(end: Connection, core: int, pages: Sequence[bytes], registry: Path, model: str) -> None:
    os.sched_setaffinity(0, [core])
    loaded = _loaded(registry, model)
    while requests := end.recv():
        for number in range(requests):
            classify(pages[number % len(pages)], loaded)
        end.send(requests)


def _loaded(registry: Path, model: str) -> LoadedModel:
    cv2.setNumThreads(1)
    bundle = Catalog(Registry(registry)).load(model)
    return LoadedModel(bundle.manifest, OnnxClassifier(bundle, wanted="cpu", threads=1))


if __name__ == "__main__":
    main()
