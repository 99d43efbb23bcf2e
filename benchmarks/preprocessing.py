"""What reading a page costs on the fast road, against the published method in scikit-image: CPU of the same pages.

    python -m benchmarks.preprocessing [--pages 16] [--rounds 3] [--markdown FILE]

Prints CPU milliseconds a page, median and quartiles over the rounds, and how many times as much the reference took in
the same round. The reference and "decode, masks" do the same: bytes of a JPEG to thirteen masks. The other lines
say what the service's other steps cost, which the reference does not have.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2

from benchmarks.measuring import Spread, cpu_ms_each, synthetic_pages, table
from shared_preproc.evidence import examine
from shared_preproc.page import Page, decode_page
from shared_preproc.pipeline import page_masks, read_page
from shared_preproc.quality import measure_quality
from shared_preproc.reference import reference_masks
from shared_preproc.spec import MASKS_150

__all__ = ["report"]

_SPEC = MASKS_150
_REFERENCE = "reference: decode, masks (scikit-image)"
_ROADS: dict[str, Callable[[bytes], object]] = {
    _REFERENCE: lambda data: reference_masks(data, _SPEC.layout),
    "decode": lambda data: decode_page(data, _SPEC.layout),
    "decode, masks": lambda data: page_masks(decode_page(data, _SPEC.layout), _SPEC),
    "decode, masks, curves": lambda data: read_page(decode_page(data, _SPEC.layout), _SPEC),
    "decode, masks, curves, examination": lambda data: _examined(decode_page(data, _SPEC.layout)),
}


def _examined(page: Page) -> object:
    reading = read_page(page, _SPEC)
    return examine(page, reading, _SPEC), measure_quality(reading, _SPEC)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--markdown", type=Path, help="write what is printed to this file, too")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    text = report(synthetic_pages(options.pages), options.rounds)
    print(text)
    if options.markdown:
        options.markdown.write_text(f"{text}\n")


def report(pages: list[bytes], rounds: int) -> str:
    """Measure every road in each round, one after the other, and give the table."""
    for road in _ROADS.values():
        road(pages[0])
    measured = [{name: cpu_ms_each(road, pages) for name, road in _ROADS.items()} for _ in range(rounds)]
    rows = [
        (
            name,
            Spread.of(spent_ms[name] for spent_ms in measured),
            Spread.of(spent_ms[_REFERENCE] / spent_ms[name] for spent_ms in measured),
        )
        for name in _ROADS
    ]
    return table(["road", "CPU ms a page", "reference : this"], rows)


if __name__ == "__main__":
    main()
