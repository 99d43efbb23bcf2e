"""What a page takes in the published application, against the service: wall time from upload to the page's class.

    python -m benchmarks.published [--rounds 6] [--pages 4] [--registry models] [--model production]

The published road is rebuilt from its description: the page to thirteen masks in scikit-image (`reference_masks`), each
shrunk to 150 x 150, and Keras' `predict` of the published CNN for one lead after the other; the sum of their
probabilities gives the class. Its weights are random, which changes nothing about the time; what the application
draws on the screen is left out. TensorFlow has its default threads. The service has one client, which waits for each
answer. Rounds take turns with the same pages; compare the ratio, whose sides are of one round.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.closed_loop import closed_loop
from benchmarks.exchange import as_raw
from benchmarks.measuring import Spread, synthetic_pages, table
from benchmarks.service_process import service_process
from shared_preproc.reference import reference_masks
from shared_preproc.spec import MASKS_150
from shared_preproc.tensor import mask_tensor
from trainer.classes import CLASS_NAMES
from trainer.models import build

__all__ = ["published_road", "report"]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--pages", type=int, default=4, help="different pages in a round")
    parser.add_argument("--registry", type=Path, default=Path("models"))
    parser.add_argument("--model", default="production")
    options = parser.parse_args()
    print(report(synthetic_pages(options.pages), options.rounds, options.registry, options.model))


def report(pages: Sequence[bytes], rounds: int, registry: Path, model: str) -> str:
    """Measure both ways in each round and give the table, in Markdown."""
    road, bodies = published_road(), [as_raw(page) for page in pages]
    with service_process(registry, model) as service:
        ways: dict[str, Callable[[], object]] = {
            "published: scikit-image, 13 x predict": lambda: [road(page) for page in pages],
            "/classify, one client": lambda: closed_loop(service.port, bodies),
        }
        measured = [{name: _wall_s(way) * 1000 / len(pages) for name, way in ways.items()} for _ in range(rounds + 1)][
            1:
        ]  # the first warms up
    published, _ = ways
    rows = [
        (
            name,
            Spread.of(each[name] for each in measured),
            Spread.of(each[published] / each[name] for each in measured),
        )
        for name in ways
    ]
    return table(["road", "wall ms a page", "published : this"], rows)


def published_road() -> Callable[[bytes], str]:
    """What gives a page's class the published way, as far as time goes: of an untrained network."""
    _, height_px, width_px = MASKS_150.tensor_shape
    network = build("cnn", height_px, width_px, len(CLASS_NAMES))

    def classify_page(page: bytes) -> str:
        leads = mask_tensor(reference_masks(page, MASKS_150.layout), MASKS_150)
        each = [network.predict(lead[np.newaxis, ..., np.newaxis], verbose=0) for lead in leads]
        return CLASS_NAMES[int(np.sum(each, axis=0).argmax())]

    return classify_page


def _wall_s(work: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    work()
    return time.perf_counter() - started_s


if __name__ == "__main__":
    main()
