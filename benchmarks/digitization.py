"""How truly pages of other carts are read: drawn pages of held-out styles, and real pages with and without truth.

    python benchmarks/digitization.py SHARED/data [--pages 2] [--unseen SEED] [--quarters 1] [--stated 25 10]
        [--kinds export scan photo real pdf others]

Prints a table, one line a kind: pages, answers, refusals by what is missing, median and 10th percentile of the signal-
to-noise ratio of leads (level removed, after a shift of at most 40 ms), leads whose own truth fits best, answers whose
leads have another gain than the truth, the largest pitch error, the share of printed samples within 1.5 px of the curve
that was read (of the worst page, and how many leads of all reach 95 %), and the 95th percentile of CPU seconds a page.
PDFs are drawn at 200 dpi, as the service draws them. One thread works, as in the service.
"""

import argparse
import io
import lzma
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy reads it

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from digitize import Digitized, StatedScale, UndigitizedPageError, digitize
from digitize.names import NAMES
from digitize.sampling import RATE_HZ
from sources.disposable import Limits, run_disposable
from trainer.pages.camera import photographed, recompressed, scanned
from trainer.pages.renderer import draw_page
from trainer.pages.styles import HELD_OUT_STYLES, unseen_styles

SHIFT_S = 0.04
SCALE_OFF = 0.12
NEAR_PX, NEAR_SHARE = 1.5, 0.95
PDF_PROCESS = Path(__file__).parents[1] / "sources" / "pdf_process.py"
RECORDS = 300  # the last ones, none of which the name detector's patches show

Floats = NDArray[np.float64]
Gray = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Case:
    """A picture; the recording in millivolt at 500 Hz, what is printed of each lead; what is known of its pixels.

    Attributes:
        pitch_px: pixels in 5 mm.
        places_px: row and column of each printed sample of a lead, (samples, 2).
    """

    kind: str
    name: str
    gray: Gray
    truth_mv: Floats | None = None
    spans_s: dict[str, tuple[float, float]] = field(default_factory=dict)
    pitch_px: float | None = None
    places_px: dict[str, Floats] = field(default_factory=dict)


@dataclass
class Score:
    """What was measured on the pages of one kind."""

    pages: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    ratios_db: list[float] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)
    off_scale: int = 0
    pitch_off: list[float] = field(default_factory=list)
    near: list[list[float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, case: Case, read: Digitized | UndigitizedPageError, seconds: float) -> None:
        """Count one page."""
        self.pages += 1
        self.seconds.append(seconds)
        if isinstance(read, UndigitizedPageError):
            self.refused[read.missing] += 1
            return
        if case.pitch_px:
            self.pitch_off.append(abs(float(np.sqrt(np.prod(read.scale.pitch_px))) / case.pitch_px - 1))
        if case.places_px:
            indices = map(NAMES.index, case.places_px)
            places = zip(case.places_px.values(), indices, strict=True)
            self.near.append([near_share(place, read.page_x[index], read.page_y[index]) for place, index in places])
        if case.truth_mv is None:
            return
        gains = []
        for index, lead in enumerate(NAMES):
            seen = read.signal_mv[index].astype(float)
            first, last = (round(second * RATE_HZ) for second in case.spans_s[lead])
            fits = []
            for other in case.truth_mv:
                printed = np.full(len(seen), np.nan)
                part = other[first:last][: max(0, len(seen) - first)]
                printed[first : first + len(part)] = part
                fits.append(fit(seen, printed))
            ratio_db, gain = fits[index]
            self.ratios_db.append(ratio_db)
            self.right.append(ratio_db >= max(fits)[0])
            gains.append(gain)
        self.off_scale += abs(float(np.median(gains)) - 1) > SCALE_OFF

    def line(self, kind: str) -> str:
        """One line of the table."""
        answered = self.pages - self.refused.total()
        refused = ", ".join(f"{missing} {count}" for missing, count in self.refused.most_common()) or "none"
        figures = ["-"] * 6
        if self.ratios_db:
            median, tenth = np.percentile(self.ratios_db, [50, 10])
            figures[:4] = [f"{median:.1f}", f"{tenth:.1f}", f"{np.mean(self.right):.1%}", str(self.off_scale)]
        if self.pitch_off:
            figures[4] = f"{max(self.pitch_off):.2%}"
        if self.near:
            leads = np.concatenate(self.near)
            worst = min(float(np.mean(shares)) for shares in self.near)
            figures[5] = f"{worst:.1%}; {(leads >= NEAR_SHARE).sum()}/{len(leads)}"
        slowest = f"{np.percentile(self.seconds, 95):.2f}"
        return " | ".join(["", kind, str(self.pages), str(answered), refused, *figures, slowest, ""]).strip()


def fit(seen: Floats, truth: Floats) -> tuple[float, float]:
    """Signal-to-noise ratio in dB over what both have, levels removed, and gain, at the best shift within `SHIFT_S`."""
    best, most = (-99.0, np.nan), round(SHIFT_S * RATE_HZ)
    for shift in range(-most, most + 1):
        first, last = max(0, shift), len(seen) + min(0, shift)
        moved, kept = seen[first - shift : last - shift], truth[first:last]
        both = np.isfinite(moved) & np.isfinite(kept)
        if 2 * both.sum() < np.isfinite(truth).sum() or not both.any():
            continue
        signal, other = kept[both] - kept[both].mean(), moved[both] - moved[both].mean()
        energy = np.square(signal).sum() + 1e-12
        ratio_db = 10 * np.log10(energy / (np.square(other - signal).sum() + 1e-12))
        best = max(best, (float(ratio_db), float((signal * other).sum() / energy)))
    return best


def near_share(place: Floats, page_x: NDArray[np.float32], page_y: NDArray[np.float32]) -> float:
    """Share of printed samples, given as row and column, that lie within `NEAR_PX` of the curve that was read."""
    known = np.isfinite(page_x)
    curve = np.stack([page_y[known], page_x[known]], axis=1).astype(np.float64)
    first, step = curve[:-1], np.diff(curve, axis=0)
    near = []
    for point in place:
        at = np.searchsorted(curve[:, 1], point[1])
        part = slice(max(0, at - _REACH), at + _REACH)
        along = ((point - first[part]) * step[part]).sum(axis=1) / np.maximum(np.square(step[part]).sum(axis=1), 1e-9)
        off = point - first[part] - np.clip(along, 0.0, 1.0)[:, np.newaxis] * step[part]
        near.append(bool(len(off)) and float(np.hypot(*off.T).min()) <= NEAR_PX)
    return float(np.mean(near))


_REACH = 8  # samples, which are a few pixels apart at most


def drawn(data: Path, pages: int, kinds: list[str], unseen: int | None = None) -> Iterator[Case]:
    """Pages of held-out styles, or of styles drawn with the seed ``unseen``, each with another recording."""
    packed = lzma.decompress((data / "ptbxl-100hz.npz.xz").read_bytes())
    signals_mv = np.load(io.BytesIO(packed))["signal_uv"][-RECORDS:] / 1000.0
    cameras = {"export": recompressed, "scan": scanned, "photo": photographed}
    count = pages * len(HELD_OUT_STYLES)
    styles = HELD_OUT_STYLES * pages if unseen is None else unseen_styles(count, unseen)
    for record, style in enumerate(styles):
        full_mv = resample_poly(signals_mv[record], 5, 1, axis=1)
        page = draw_page(style, full_mv, RATE_HZ, seed=record)
        for kind, camera in cameras.items():
            if kind in kinds:
                taken = camera(page, np.random.default_rng(record))
                pitch_px = 5 * page.px_per_mm * taken.gray.shape[1] / page.gray.shape[1] if kind == "export" else None
                yield Case(f"drawn {kind}", style.name, taken.gray, full_mv, page.spans_s, pitch_px)


def real(data: Path) -> Iterator[Case]:
    """Real pages: renders of ecg-image-kit and LUDB, a scan of one, and pages of other carts without truth."""
    for folder in ("export-eik", "export-ludb", "scan-eik"):
        for path in sorted((data / "any-page" / folder).glob("*.png")):
            truth = np.load(path.with_suffix(".npz"))
            full_mv = truth["uv"] / 1000.0
            full_mv = resample_poly(full_mv, 500 // int(truth["rate_hz"]), 1, axis=1)
            places = {lead: truth[f"yx_{lead}"].astype(float) for lead in NAMES if f"yx_{lead}" in truth}
            pitch_px = 39.37 if folder == "export-eik" else None
            yield Case(folder, path.name, _gray(path), full_mv, _COLUMNS_S, pitch_px, places)
    for path in sorted((data / "any-page" / "pages").iterdir()):
        yield Case("pages", path.name, _gray(path))


_COLUMNS_S = {lead: (2.5 * (place // 3), 2.5 * (place // 3) + 2.5) for place, lead in enumerate(NAMES)}


def pdfs(data: Path) -> Iterator[Case]:
    """Vector PDFs, drawn by the service's own process."""
    truth = np.load(data / "any-page" / "pdf-truth.npz")
    for path in sorted((data / "pdf").glob("*.pdf")):
        header, pixels = run_disposable(PDF_PROCESS, path.read_bytes(), "render", what="a PDF", limits=Limits(cpu_s=9))
        gray = np.frombuffer(pixels, np.uint8).reshape(header["gray"])
        # The PDFs join every fifth sample by straight lines.
        full_mv = truth[path.stem] / 1000.0
        every = np.arange(full_mv.shape[1])
        drawn_mv = np.array([np.interp(every, every[::5], lead[::5]) for lead in full_mv])
        yield Case("PDF", path.name, gray, drawn_mv, _COLUMNS_S)


def others(data: Path) -> Iterator[Case]:
    """Pictures of which most are fragments or photographs."""
    for path in sorted((data / "other-pages").iterdir()):
        yield Case("other-pages", path.name, _gray(path))


def _gray(path: Path) -> Gray:
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert picture is not None  # noqa: S101 - the data is complete
    return picture.astype(np.uint8)


def turned(case: Case, quarters: int) -> Case:
    """The picture turned counter-clockwise; what is known of its pixels is left out."""
    return replace(case, gray=np.ascontiguousarray(np.rot90(case.gray, quarters)), places_px={})


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--pages", type=int, default=2, help="of each held-out style")
    parser.add_argument("--unseen", type=int, metavar="SEED", help="draw styles instead of the held-out ones")
    parser.add_argument("--kinds", nargs="*", default=["export", "scan", "photo", "real", "pdf", "others"])
    parser.add_argument("--stated", nargs=2, type=float, metavar=("MM_S", "MM_MV"), help="scale that senders state")
    parser.add_argument("--quarters", type=int, default=0, help="turns of every picture by 90 degrees")
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    stated = StatedScale(*asked.stated) if asked.stated else StatedScale()
    cases = [drawn(asked.data, asked.pages, asked.kinds, asked.unseen)]
    sources = {"real": real, "pdf": pdfs, "others": others}
    cases += [source(asked.data) for kind, source in sources.items() if kind in asked.kinds]
    scores: dict[str, Score] = {}
    for upright in (case for source in cases for case in source):
        case = turned(upright, asked.quarters) if asked.quarters else upright
        started = time.process_time()
        read: Digitized | UndigitizedPageError
        try:
            read = digitize(case.gray, stated)
        except UndigitizedPageError as error:
            read = error
        score = scores.setdefault(case.kind, Score())
        before = len(score.ratios_db)
        score.add(case, read, time.process_time() - started)
        what = (
            f"refused: {read.missing}: {read.found}"
            if isinstance(read, UndigitizedPageError)
            else f"{read.layout} {np.median(score.ratios_db[before:] or [np.nan]):.1f} dB"
        )
        print(f"# {case.kind} {case.name}: {what}", flush=True)
    titles = (
        "kind | pages | answered | refused | median dB | 10th dB | leads right | wrong scale | pitch off | 1.5 px | "
    )
    titles += "p95 s"
    print(f"| {titles} |")
    print("|" + "---|" * (titles.count("|") + 1))
    for kind, score in scores.items():
        print(score.line(kind))


if __name__ == "__main__":
    main()
