"""Whether a page's answer survives re-encoding: the same pages saved again, through the service's own functions.

    python benchmarks/reencoding.py PAGES [--registry models] [--model production]

PAGES holds JPEG report pages in any depth of folders. Each is classified as it is, then saved again as JPEG of four
qualities, in gray and as PNG, and with its metadata cut out. Prints for each re-encoding the largest change of a page
probability (median, 95th percentile and maximum over the pages), the share of pages that get another class, and the
share that become something else: reported, referred or refused. A page that is refused either time has no probabilities
to compare. Ends with status 1 where a median exceeds 0.05 or more than 1 % of the pages get another class.
"""

import argparse
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from model_registry.registry import Registry
from service.classify import ClassProbabilities, LoadedModel, classify
from service.models.loader import Catalog
from service.models.onnx import OnnxClassifier
from shared_preproc.errors import PreprocError

__all__ = ["REENCODINGS", "Answer", "Change", "answer", "largest_change", "without_metadata"]

MEDIAN_LIMIT = 0.05
FLIP_LIMIT = 0.01

_MARKER_LENGTH = 2
_START_OF_SCAN = 0xDA
# ITU-T T.81, table B.1, and T.872: APP0 (JFIF) and APP14 (Adobe) say how the samples are coloured, so they stay.
_METADATA = {*range(0xE1, 0xF0), 0xFE} - {0xEE}


@dataclass(frozen=True)
class Answer:
    """What became of a page, and its probabilities unless it was refused."""

    outcome: str
    probabilities: ClassProbabilities | None


@dataclass(frozen=True)
class Change:
    """What re-encoding one page changed; ``probability`` and ``flipped`` are None where either answer is a refusal."""

    probability: float | None
    flipped: bool | None
    outcome_changed: bool


def saved_as(image_format: str, mode: str = "RGB", **options: object) -> Callable[[bytes], bytes]:
    """A re-encoding: decode, convert to ``mode`` and save; nothing but the pixels is kept."""

    def reencode(data: bytes) -> bytes:
        buffer = io.BytesIO()
        Image.open(io.BytesIO(data)).convert(mode).save(buffer, image_format, **options)
        return buffer.getvalue()

    return reencode


def without_metadata(jpeg: bytes) -> bytes:
    """A JPEG without EXIF, XMP, ICC profile, comments and the like; its coded picture is not touched."""
    kept, start = [jpeg[:_MARKER_LENGTH]], _MARKER_LENGTH
    while (marker := jpeg[start + 1]) != _START_OF_SCAN:
        end = start + _MARKER_LENGTH + int.from_bytes(jpeg[start + 2 : start + 4])
        if marker not in _METADATA:
            kept.append(jpeg[start:end])
        start = end
    return b"".join([*kept, jpeg[start:]])


REENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "JPEG, quality 60": saved_as("JPEG", quality=60),
    "JPEG, quality 75": saved_as("JPEG", quality=75),
    "JPEG, quality 85": saved_as("JPEG", quality=85),
    "JPEG, quality 95": saved_as("JPEG", quality=95),
    "gray JPEG, quality 95": saved_as("JPEG", "L", quality=95),
    "PNG": saved_as("PNG", compress_level=1),
    "metadata stripped": without_metadata,
}


def answer(data: bytes, model: LoadedModel) -> Answer:
    """Classify a page as the service does."""
    try:
        result = classify(data, model)
    except PreprocError:
        return Answer("refused", None)
    return Answer(result.decision.status, result.page)


def largest_change(before: Answer, after: Answer) -> Change:
    """Compare the answers to a page and to its re-encoding."""
    outcome_changed = before.outcome != after.outcome
    if before.probabilities is None or after.probabilities is None:
        return Change(None, None, outcome_changed)
    old, new = np.array(list(before.probabilities.values())), np.array(list(after.probabilities.values()))
    return Change(float(np.abs(new - old).max()), bool(old.argmax() != new.argmax()), outcome_changed)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", metavar="PAGES", type=Path)
    parser.add_argument("--registry", type=Path, default=Path("models"))
    parser.add_argument("--model", default="production")
    options = parser.parse_args()
    bundle = Catalog(Registry(options.registry)).load(options.model)
    model = LoadedModel(bundle.manifest, OnnxClassifier(bundle, wanted="cpu", threads=1))
    pages = sorted(path for path in options.pages.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg"})
    changes: dict[str, list[Change]] = {name: [] for name in REENCODINGS}
    for page in pages:
        data = page.read_bytes()
        before = answer(data, model)
        for name, reencode in REENCODINGS.items():
            changes[name].append(largest_change(before, answer(reencode(data), model)))
    print(f"{bundle.manifest.ref}, {len(pages)} pages; largest change of a page probability")
    print(f"{'re-encoding':24s}{'compared':>9s}{'median':>9s}{'95th':>9s}{'max':>9s}{'flips':>8s}{'outcome':>9s}")
    kept = [report(name, some) for name, some in changes.items()]
    sys.exit(0 if all(kept) else 1)


def report(name: str, changes: list[Change]) -> bool:
    """Print one line of the table; say whether it keeps the limits."""
    moved = [change.probability for change in changes if change.probability is not None]
    flips = float(np.mean([change.flipped for change in changes if change.flipped is not None]))
    median, high, largest = np.percentile(moved, [50, 95, 100])
    outcome = float(np.mean([change.outcome_changed for change in changes]))
    print(f"{name:24s}{len(moved):9d}{median:9.4f}{high:9.4f}{largest:9.4f}{flips:8.2%}{outcome:9.2%}", flush=True)
    return bool(median <= MEDIAN_LIMIT and flips <= FLIP_LIMIT)


if __name__ == "__main__":
    main()
