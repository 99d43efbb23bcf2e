"""Which steps of a page run side by side in the threads of one process, and which hold the interpreter's lock.

    python -m benchmarks.thread_scaling [--seconds 0.7] [--pages 8] [--registry models] [--model production]

Each step works on pages for so long in one thread, then in two; twice as many means that nothing stood in the way, once
as many that the lock let only one of them work. Steps that hold it are what keeps a second core from helping.
"""

import argparse
import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from benchmarks.measuring import synthetic_pages, table
from model_registry.registry import Registry
from service.classify import LoadedModel, classify
from service.models.loader import Catalog
from service.models.onnx import OnnxClassifier
from shared_preproc.evidence import examine
from shared_preproc.page import decode_page
from shared_preproc.pipeline import page_masks, read_page
from shared_preproc.traces import page_traces

__all__ = ["report"]

Step = Callable[[int], object]
"""Takes the number of a page."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=0.7, help="for each step, in one thread and in two")
    parser.add_argument("--pages", type=int, default=8, help="different pages, in turn")
    parser.add_argument("--registry", type=Path, default=Path("models"))
    parser.add_argument("--model", default="production")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    bundle = Catalog(Registry(options.registry)).load(options.model)
    model = LoadedModel(bundle.manifest, OnnxClassifier(bundle, wanted="cpu", threads=1))
    print(report(synthetic_pages(options.pages), model, options.seconds))


def report(pages: Sequence[bytes], model: LoadedModel, seconds: float) -> str:
    """Measure each step, and all of them together, and give the table, in Markdown."""
    rows = []
    for name, step in _steps(pages, model):
        step(0)
        one_hz, two_hz = (_rate_hz(step, len(pages), threads, seconds) for threads in (1, 2))
        rows.append((name, f"{1000 / one_hz:.2f}", f"{two_hz / one_hz:.2f}"))
    return table(["step", "ms a page, one thread", "two threads : one"], rows)


def _steps(pages: Sequence[bytes], model: LoadedModel) -> Iterator[tuple[str, Step]]:
    spec = model.manifest.preprocessing
    decoded = [decode_page(page, spec.layout) for page in pages]
    readings = [read_page(page, spec) for page in decoded]
    tensors = [reading.tensor(spec)[np.newaxis] for reading in readings]
    yield "decode", lambda number: decode_page(pages[number], spec.layout)
    yield "masks", lambda number: page_masks(decoded[number], spec)
    yield "curves", lambda number: page_traces(readings[number].masks, spec.layout, spec.trace)
    yield "examination", lambda number: examine(decoded[number], readings[number], spec)
    yield "graph", lambda number: model.classifier.run(tensors[number])
    yield "hash", lambda number: hashlib.sha256(pages[number]).hexdigest()
    yield "all: classify()", lambda number: classify(pages[number], model)


def _rate_hz(step: Step, pages: int, threads: int, seconds: float) -> float:
    """How many times a second all threads together do it."""
    end_s = time.perf_counter() + seconds

    def repeat(_: int) -> int:
        done = 0
        while time.perf_counter() < end_s:
            step(done % pages)
            done += 1
        return done

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(repeat, range(threads))) / seconds


if __name__ == "__main__":
    main()
