"""What a model gains from pages that share a run of its graph, on the provider at hand: pages a second by batch size.

    python -m benchmarks.batching [--model production] [--provider auto] [--threads 1] [--batches 1 2 4 8 16 32]
                                  [--rounds 5] [--seconds 0.4] [--registry models]

Each round gives every batch size so many seconds in turn, and holds it against one page a run in the same round. The
table says where `ECG_BATCH_PAGES` stops paying; what a page costs on the CPU before the graph is not in it.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measuring import Spread, table
from model_registry.bundle import Bundle
from model_registry.golden import golden_tensor
from model_registry.registry import Registry
from service.models.loader import Catalog
from service.models.onnx import Classifier, onnx_opener
from shared_preproc.tensor import Tensor

__all__ = ["report"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="production")
    parser.add_argument("--provider", choices=("auto", "cuda", "cpu"), default="auto")
    parser.add_argument("--threads", type=int, default=1, help="of one run, on the CPU")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.4, help="for each batch size in each round")
    parser.add_argument("--registry", type=Path, default=Path("models"))
    options = parser.parse_args()
    bundle = Catalog(Registry(options.registry)).load(options.model)
    classifier = onnx_opener(options.provider, options.threads)(bundle)
    print(report(bundle, classifier, options.batches, options.rounds, options.seconds))


def report(bundle: Bundle, classifier: Classifier, batches: Sequence[int], rounds: int, seconds: float) -> str:
    """Measure each batch size, and give the table, in Markdown."""
    pages = golden_tensor(bundle.manifest.preprocessing, seed=0, pages=max(batches))
    for batch in (1, *batches):
        classifier.run(pages[:batch])
    measured = [_round_hz(classifier, pages, batches, seconds) for _ in range(rounds)]
    rows = []
    for place, batch in enumerate(batches):
        rate_hz = Spread.of(rates_hz[place] for _, rates_hz in measured)
        ratio = Spread.of(rates_hz[place] / alone_hz for alone_hz, rates_hz in measured)
        rows.append((batch, f"{1000 * batch / rate_hz.median:.2f}", f"{rate_hz.median:.0f}", ratio))
    head = ["pages in a run", "ms a run", "pages a second", "pages a second : one page a run"]
    return f"{bundle.manifest.ref} on {classifier.provider}\n\n{table(head, rows)}"


def _round_hz(
    classifier: Classifier, pages: Tensor, batches: Sequence[int], seconds: float
) -> tuple[float, list[float]]:
    """Pages a second, one a run and with each batch size."""
    return _rate_hz(classifier, pages[:1], seconds), [_rate_hz(classifier, pages[:size], seconds) for size in batches]


def _rate_hz(classifier: Classifier, pages: Tensor, seconds: float) -> float:
    started_s, runs = time.perf_counter(), 0
    while (elapsed_s := time.perf_counter() - started_s) < seconds:
        classifier.run(pages)
        runs += 1
    return runs * len(pages) / elapsed_s


if __name__ == "__main__":
    main()
