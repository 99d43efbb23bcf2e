"""What one page costs in each bundle's graph: CPU time on one core, beside decoding and reading the same page.

    python benchmarks/inference_cost.py [--registry models] [--pages 50]

A line a bundle: size of the graph, median CPU ms of one page, and the ratio to what comes before it (decode and read).
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from model_registry.registry import Registry
from service.models.onnx import OnnxClassifier
from shared_preproc.page import decode_page
from shared_preproc.pipeline import PageReading, read_page
from shared_preproc.spec import PreprocSpec
from synthetic.pages import synth_jpeg
from trainer.classes import CLASS_NAMES

WARM_UP = 3


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--registry", type=Path, default=Path("models"))
    parser.add_argument("--pages", type=int, default=50)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    page = synth_jpeg(CLASS_NAMES[-1], seed=0)
    registry = Registry(options.registry)
    print(f"{'bundle':16}{'graph MB':>10}{'read ms':>10}{'graph ms':>10}{'ratio':>8}")
    for listed in registry.list().bundles:
        bundle = registry.load(listed.ref)
        spec, classifier = bundle.manifest.preprocessing, OnnxClassifier(bundle, wanted="cpu", threads=1)
        tensor = read(page, spec).tensor(spec)[np.newaxis]
        read_ms = cpu_ms(partial(read, page, spec), options.pages)
        graph_ms = cpu_ms(partial(classifier.run, tensor), options.pages)
        size_mb = len(bundle.model) / 1e6
        print(f"{listed.ref:16}{size_mb:10.2f}{read_ms:10.2f}{graph_ms:10.2f}{graph_ms / read_ms:8.2f}")


def read(page: bytes, spec: PreprocSpec) -> PageReading:
    """All that comes before the graph."""
    return read_page(decode_page(page, spec.layout), spec)


def cpu_ms(work: Callable[[], object], times: int) -> float:
    """Median CPU time of this thread, in milliseconds."""
    spent = []
    for number in range(times + WARM_UP):
        started_s = time.thread_time()
        work()
        if number >= WARM_UP:
            spent.append((time.thread_time() - started_s) * 1000)
    return median(spent)


if __name__ == "__main__":
    main()
