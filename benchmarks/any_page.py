"""How report pages are read that were scaled, cropped, turned, scanned or photographed, against the cart's export.

    python -m benchmarks.any_page PAGES [--pages 100] [--width 1.0] [--others FOLDER] [--markdown FILE]

PAGES is the folder of class folders. Each page is distorted in ten ways with a seed of its own; ``--width`` says how
much of each parameter's range is drawn. Prints a line for each way: pages answered, answered with the export's class,
reported with another class, referred by a doubt about the page, the median and 10th percentile of the traces' signal
to noise ratio over leads, and CPU time of the whole answer. FOLDER holds pictures of other
carts, none of which may be reported.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.distortions import KINDS, distorted
from benchmarks.measuring import table
from model_registry.registry import Registry
from service.classify import ClassificationResult, LoadedModel, classify
from service.examination import examined_page
from service.models.onnx import OnnxClassifier
from service.telemetry.trace import Clock
from shared_preproc.errors import PreprocError
from shared_preproc.leads import Lead
from shared_preproc.spec import TRACES_50_HZ, TraceSpec, TraceTensor
from shared_preproc.traces import Trace

__all__ = ["report"]

_RATE_HZ = 500.0
_SPEC = replace(TRACES_50_HZ, tensor=TraceTensor(TraceSpec(rate_hz=_RATE_HZ)))
_SHIFT_S = 0.04  # most that a lead may be shifted in time before it is compared
_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1]
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 95]
_LOSSLESS = frozenset({"on a screen"})


@dataclass
class Tally:
    """What became of the pages of one kind."""

    pages: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    doubts: Counter[str] = field(default_factory=Counter)
    decibels: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    def row(self, kind: str) -> tuple[object, ...]:
        """One line of the table."""
        answered, same = self.outcomes["answered"], self.outcomes["same class"]
        low, middle = np.percentile(self.decibels, [10, 50]) if self.decibels else (np.nan, np.nan)
        doubted = ", ".join(f"{code} {count}" for code, count in self.doubts.most_common())
        return (
            kind,
            f"{answered / self.pages:.0%}",
            f"{same / max(answered, 1):.0%}",
            self.outcomes["reported otherwise"],
            self.outcomes["reported"],
            f"{middle:.1f} ({low:.1f})",
            f"{np.median(self.cpu_ms):.0f}",
            doubted,
        )


_HEAD = ("kind", "answered", "same class", "reported with another", "reported", "dB (10 %)", "CPU ms", "doubts")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", type=Path)
    parser.add_argument("--pages", dest="count", type=int, default=100)
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--others", type=Path, nargs="*", default=[])
    parser.add_argument("--registry", type=Path, default=Path("models"))
    parser.add_argument("--model", default="fusion/5")
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    bundle = Registry(options.registry).load(options.model)
    model = LoadedModel(bundle.manifest, OnnxClassifier(bundle, wanted="cpu", threads=1))
    files = sorted(options.pages.glob("*/*.jpg"))
    chosen = [files[place] for place in np.linspace(0, len(files) - 1, options.count).astype(int)]
    lines = [report(chosen, model, options.kinds, options.seed, options.width)]
    lines += [others(folder, model) for folder in options.others]
    text = "\n\n".join(lines)
    print(text)
    if options.markdown:
        options.markdown.write_text(f"{text}\n")


def report(files: list[Path], model: LoadedModel, kinds: list[str], seed: int, width: float) -> str:
    """Distort and read every page in every way."""
    tallies = {kind: Tally() for kind in ("as exported", *kinds)}
    for number, file in enumerate(files):
        data = file.read_bytes()
        export, own = classify(data, model), _traces(data)
        colour = np.asarray(cv2.imread(str(file)), np.uint8)
        for kind, tally in tallies.items():
            picture = data if kind == "as exported" else _encoded(distorted(colour, kind, seed + number, width), kind)
            _judge(picture, model, export, own, tally)
        print(f"{number + 1} of {len(files)} pages", file=sys.stderr)
    return table(_HEAD, [tally.row(kind) for kind, tally in tallies.items()])


def _judge(
    picture: bytes, model: LoadedModel, export: ClassificationResult, own: dict[Lead, Trace], tally: Tally
) -> None:
    tally.pages += 1
    started_s = time.process_time()
    try:
        answer = classify(picture, model)
    except PreprocError as error:
        tally.doubts[type(error).__name__] += 1
        return
    finally:
        tally.cpu_ms.append((time.process_time() - started_s) * 1000)
    same = _top(answer) == _top(export)
    reported = answer.decision.status == "reported"
    tally.outcomes.update({"answered": 1, "same class": same, "reported": reported})
    tally.outcomes["reported otherwise"] += reported and not same
    before = {reason.code for reason in export.decision.reasons}
    tally.doubts.update({reason.code for reason in answer.decision.reasons} - before)
    tally.decibels += [_decibels(own[lead], trace) for lead, trace in _traces(picture).items()]


def _top(answer: ClassificationResult) -> str:
    return max(answer.page, key=answer.page.__getitem__)


def _traces(data: bytes) -> dict[Lead, Trace]:
    return examined_page(data, _SPEC, Clock(), judging=False).reading.traces


def _decibels(own: Trace, other: Trace) -> float:
    """Signal to noise ratio of one lead's curve, levels included, after the best shift in time."""
    most = round(_SHIFT_S * _RATE_HZ)
    return max(_compared(own.signal_mv, other.signal_mv, shift) for shift in range(-most, most + 1, 2))


def _compared(own_mv: NDArray[np.float32], other_mv: NDArray[np.float32], shift: int) -> float:
    samples = len(own_mv)
    signal = own_mv[max(shift, 0) : samples + min(shift, 0)].astype(np.float64)
    noise = signal - other_mv[max(-shift, 0) : samples - max(shift, 0)]
    return float(10 * np.log10(np.square(signal - signal.mean()).sum() / max(np.square(noise).sum(), 1e-9)))


def _encoded(picture: NDArray[np.uint8], kind: str) -> bytes:
    suffix, how = (".png", _PNG) if kind in _LOSSLESS else (".jpg", _JPEG)
    return cv2.imencode(suffix, picture, how)[1].tobytes()


def others(folder: Path, model: LoadedModel) -> str:
    """What becomes of pictures that are no page of this layout."""
    outcomes = Counter(_outcome(file, model) for file in _pictures(folder))
    return table(("outcome", "pictures"), sorted(outcomes.items()))


def _pictures(folder: Path) -> Iterator[Path]:
    yield from (file for file in sorted(folder.rglob("*.*")) if file.suffix in {".png", ".jpg"})


def _outcome(file: Path, model: LoadedModel) -> str:
    try:
        return classify(file.read_bytes(), model).decision.status
    except PreprocError as error:
        return type(error).__name__


if __name__ == "__main__":
    main()
