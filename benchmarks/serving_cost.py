"""What a page costs in the service, against the same functions without HTTP and against the least that any way costs.

    python -m benchmarks.serving_cost [--requests 240] [--pages 24] [--registry models] [--model production]
                                      [--markdown FILE]

Starts the service with its default settings, a process of its own on loopback, and sends it many different synthetic
pages, one at a time: as the body of the request, and as a form. In the same rounds, in this process and one thread, the
same pages go through `service.classify.classify` (bare), and through nothing but a gray decode and a run of the graph
(floor). CPU is that of the process with all its threads, a page; a round is twelve pages each way, so that what else
the machine does meets all alike. Figures are the median over the rounds and the quartiles; compare the ratios, of one
round each.

Then: where the time of a request goes, and requests per second and latency of 1, 2, 4 and 8 clients that each send one
page after the other.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from statistics import fmean
from time import perf_counter, sleep

import numpy as np
import simplejpeg

from benchmarks.closed_loop import closed_loop
from benchmarks.exchange import Body, Exchange, as_form, as_raw
from benchmarks.measuring import Spread, cpu_ms_each, synthetic_pages, table
from benchmarks.server_process import ServerProcess
from benchmarks.service_process import service_process
from model_registry.registry import Registry
from service.classify import LoadedModel, classify
from service.host import tune_process
from service.models.loader import Catalog
from service.models.onnx import OnnxClassifier
from shared_preproc.pipeline import preprocess

__all__ = ["report"]

CONCURRENCIES = (1, 2, 4, 8)
STARTS = 3
PAGES_A_ROUND = 12
_SETTLE_S = 0.005
"""What a request leaves to do once it is answered, such as its line in the log, belongs to its cost."""
_STEPS = ("decode", "preprocess", "examine", "inference")
_RAW, _FORM, _BARE, _FLOOR = (
    "/classify, raw body",
    "/classify, form",
    "bare: classify() in a loop",
    "floor: decode, graph",
)


@dataclass(frozen=True)
class Round:
    """CPU milliseconds a page by way, and the exchanges over HTTP."""

    cpu_ms: dict[str, float]
    exchanges: list[Exchange]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=240, help="of each way, and at each concurrency")
    parser.add_argument("--pages", type=int, default=24, help="different pages, sent in turn")
    parser.add_argument("--registry", type=Path, default=Path("models"))
    parser.add_argument("--model", default="production")
    parser.add_argument("--markdown", type=Path, help="write what is printed to this file, too")
    options = parser.parse_args()
    tune_process()
    pages = synthetic_pages(options.pages)
    text = report(pages, options.requests, options.registry, options.model)
    print(text)
    if options.markdown:
        options.markdown.write_text(f"{text}\n")


def report(pages: Sequence[bytes], requests: int, registry: Path, model: str) -> str:
    """Measure everything and give the tables, in Markdown; ``requests`` is rounded up to whole rounds."""
    ready_s = [_ready_s(registry, model) for _ in range(STARTS - 1)]
    bundle = Catalog(Registry(registry)).load(model)
    with service_process(registry, model) as service:
        ready_s.append(service.ready_s)
        idle_mib = service.resident_mib()
        ways = _ways(service, pages, LoadedModel(bundle.manifest, OnnxClassifier(bundle, wanted="cpu", threads=1)))
        _measured(ways, pages)  # warms up
        rounds = [_measured(ways, some) for some in _shares(pages, requests)]
        loads = [_load(service, [as_raw(page) for page in pages], clients, requests) for clients in CONCURRENCIES]
        memory = (
            f"Memory of all its processes {idle_mib:.0f} MiB when ready, {service.resident_mib():.0f} MiB in the end"
        )
    return "\n\n".join(
        [
            f"{bundle.manifest.ref}; {len(pages)} pages, {len(rounds)} rounds",
            _costs(rounds),
            _stages([exchange for each in rounds for exchange in each.exchanges]),
            table(["clients", "requests/s", "CPU ms a page", "p50 ms", "p95 ms", "p99 ms"], loads),
            f"Start to ready: {Spread.of(ready_s)} s. {memory}.",
        ]
    )


def _ready_s(registry: Path, model: str) -> float:
    with service_process(registry, model) as service:
        return service.ready_s


def _shares(pages: Sequence[bytes], requests: int) -> Iterator[list[bytes]]:
    endless = cycle(pages)
    for _ in range(0, requests, PAGES_A_ROUND):
        yield list(islice(endless, PAGES_A_ROUND))


Way = Callable[[Sequence[bytes]], tuple[float, list[Exchange]]]
"""Takes pages along, and gives CPU milliseconds a page and, over HTTP, the exchanges."""


def _ways(service: ServerProcess, pages: Sequence[bytes], model: LoadedModel) -> dict[str, Way]:
    tensors = {page: preprocess(page, model.manifest.preprocessing)[np.newaxis] for page in pages}

    def floor(page: bytes) -> None:
        simplejpeg.decode_jpeg(page, colorspace="GRAY", strict=True)
        model.classifier.run(tensors[page])

    def sent(body: Callable[[bytes], Body]) -> Way:
        return lambda some: _sent(service, [body(page) for page in some])

    return {
        _RAW: sent(as_raw),
        _FORM: sent(as_form),
        _BARE: lambda some: (cpu_ms_each(lambda page: classify(page, model), some), []),
        _FLOOR: lambda some: (cpu_ms_each(floor, some), []),
    }


def _sent(
    service: ServerProcess, bodies: Sequence[Body], clients: int = 1, requests: int | None = None
) -> tuple[float, list[Exchange]]:
    before_s = service.cpu_s()
    exchanges = closed_loop(service.port, bodies, concurrency=clients, requests=requests)
    sleep(_SETTLE_S)
    return (service.cpu_s() - before_s) * 1000 / len(exchanges), exchanges


def _measured(ways: dict[str, Way], pages: Sequence[bytes]) -> Round:
    spent = {name: way(pages) for name, way in ways.items()}
    return Round({name: cpu_ms for name, (cpu_ms, _) in spent.items()}, spent[_RAW][1])


def _costs(rounds: Sequence[Round]) -> str:
    def cell(name: str, against: str | None = None) -> Spread:
        return Spread.of(each.cpu_ms[name] / (each.cpu_ms[against] if against else 1) for each in rounds)

    rows = [(name, cell(name), cell(name, _BARE), cell(name, _FLOOR)) for name in rounds[0].cpu_ms]
    return table(["way", "CPU ms a page", "of bare", "of floor"], rows)


def _stages(exchanges: Sequence[Exchange]) -> str:
    """Mean wall time of each step, as the answers tell it, and of what lies around it."""
    timings = {
        step: fmean(exchange.answer["timings_ms"][step] for exchange in exchanges) for step in (*_STEPS, "total")
    }
    latency_ms = fmean(exchange.latency_ms for exchange in exchanges)
    between_ms = timings["total"] - sum(timings[step] for step in _STEPS)
    parts = {
        **{step: timings[step] for step in _STEPS},
        "between the steps: hash, decision": between_ms,
        "around them: HTTP, threads, JSON, the client": latency_ms - timings["total"],
        "all, as one client sees it": latency_ms,
    }
    rows = [(name, f"{spent:.2f}", f"{spent / latency_ms:.0%}") for name, spent in parts.items()]
    return table(["step, raw body", "wall ms", "share"], rows)


def _load(service: ServerProcess, bodies: Sequence[Body], clients: int, requests: int) -> Sequence[object]:
    started_s = perf_counter()
    cpu_ms, exchanges = _sent(service, bodies, clients, requests)
    rate = len(exchanges) / (perf_counter() - started_s)
    percentiles = np.percentile([exchange.latency_ms for exchange in exchanges], [50, 95, 99])
    return clients, f"{rate:.1f}", f"{cpu_ms:.1f}", *(f"{value:.0f}" for value in percentiles)


if __name__ == "__main__":
    main()
