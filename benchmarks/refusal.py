"""What is refused, doubted and passed: report pages, pages spoiled in many ways, and pictures that are no such page.

    python benchmarks/refusal.py PAGES OTHER [--every 8] [--markdown FILE]

PAGES is the folder of class folders, OTHER one of pictures that are no such page. All pages are judged as they are,
every eighth re-encoded and spoiled.
Prints a table with a line for each kind, what was doubted, how far the worst real page of either half is from each
limit, and the CPU time beside that of decoding and reading.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

from shared_preproc.errors import NotAnEcgPageError, PreprocError, UnreadableLeadsError
from shared_preproc.evidence import EvidenceSpec, examine
from shared_preproc.form import measure_form
from shared_preproc.page import Gray, Page, decode_page
from shared_preproc.pipeline import PageReading, read_page
from shared_preproc.relations import beat_coincidence, lead_relations
from shared_preproc.spec import TRACES_50_HZ as SPEC
from synthetic.pages import synth_jpeg
from trainer.classes import CLASS_NAMES
from trainer.foreign import Picture, charts, drawn_curves, fitted, noises, photographs, spoiled

LAYOUT = SPEC.layout
SYNTHETIC_SEEDS = 25
JPEG_QUALITY = 90
CODES: dict[type[PreprocError], str] = {
    NotAnEcgPageError: "not_an_ecg_page",
    UnreadableLeadsError: "unreadable_leads",
}
Sample = tuple[str, str, bytes]
"""Family, kind within it, encoded picture."""


def jpeg(gray: Gray, quality: int = JPEG_QUALITY) -> bytes:
    """A picture as a JPEG file."""
    return cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def resized(gray: Gray, width_px: int, height_px: int) -> Gray:
    """A picture scaled to another size."""
    return cv2.resize(gray, (width_px, height_px), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def own_pages(pages: list[Path], every: int) -> Iterator[Sample]:
    """What must pass: real pages as they are and encoded anew, cropped or padded, and synthetic pages."""
    for file in pages:
        yield "real pages", "as they are", file.read_bytes()
    for file in pages[::every]:
        colour = np.asarray(cv2.imread(str(file)), np.uint8)
        gray = cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)
        for quality in (60, 75, 95):
            yield "real pages", f"JPEG of quality {quality}", jpeg(colour, quality)
        yield "real pages", "grayscale JPEG", jpeg(gray)
        yield "real pages", "PNG", cv2.imencode(".png", colour, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()
        yield "real pages", "cropped by 20 px right and below", jpeg(gray[:-20, :-20])
        yield "real pages", "padded by 20 px right and below", jpeg(np.pad(gray, (0, 20), constant_values=255))
        yield "scaled pages", "to 2233 x 1552 px", jpeg(resized(gray, 2233, 1552))
    for class_name in CLASS_NAMES:
        for seed in range(SYNTHETIC_SEEDS):
            yield "synthetic pages", class_name, synth_jpeg(class_name, seed)


def spoiled_pages(pages: list[Path], every: int) -> Iterator[Sample]:
    """Real and synthetic pages that must not pass."""
    for seed, file in enumerate(pages[::every]):
        for name, gray in spoiled(decode_page(file.read_bytes(), LAYOUT).gray, seed):
            yield "real pages, spoiled", name, jpeg(gray)
    for seed in range(len(pages) // every):
        yield "real pages, spoiled", "each lead of another page", jpeg(mixed(pages, seed))
    for seed, class_name in enumerate(CLASS_NAMES * 3):
        for name, gray in spoiled(decode_page(synth_jpeg(class_name, seed), LAYOUT).gray, seed):
            yield "synthetic pages, spoiled", name, jpeg(gray)


def mixed(pages: list[Path], seed: int) -> Gray:
    """One page's form with each box of another page."""
    chosen = np.random.default_rng(seed).choice(len(pages), len(LAYOUT.lead_boxes), replace=False)
    grays = [decode_page(pages[page].read_bytes(), LAYOUT).gray for page in chosen]
    page = grays[0].copy()
    for gray, (_, box) in zip(grays, LAYOUT.lead_boxes, strict=True):
        page[box.top : box.bottom, box.left : box.right] = gray[box.top : box.bottom, box.left : box.right]
    return page


def other_pictures(folder: Path) -> Iterator[Sample]:
    """Pages of other carts, and everything else."""
    for file in sorted(folder.iterdir()):
        picture = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        if picture is not None:
            yield from named("other carts' pages", fitted(picture.astype(np.uint8, copy=False)))
    for _, photograph in photographs():
        yield from named("photographs and drawings", fitted(photograph))
    for seed in range(3):
        yield from named("blank and noise", noises(seed))
        yield from named("charts", charts(seed))
        yield from named("the form with other curves", drawn_curves(seed))


def named(family: str, pictures: Iterable[Picture]) -> Iterator[Sample]:
    """Pictures as samples of one family."""
    for name, gray in pictures:
        yield family, name, jpeg(gray)


LIMITS = EvidenceSpec()
MARGINS: dict[str, float] = {  # what is measured, and its limit; where less is better, both are negated
    "frame, share": LIMITS.frame_share,
    "worst pulse, share": LIMITS.pulse_share,
    "worst separator, share": LIMITS.separator_share,
    "worst lead name, share": LIMITS.name_share,
    "least coverage": LIMITS.coverage,
    "least ink": LIMITS.ink_share[0],
    "most ink": -LIMITS.ink_share[1],
    "worst relation, relative": -LIMITS.relative_residual,
    "coincidence of beats": LIMITS.coincidence,
}


def measured(page: Page, reading: PageReading) -> tuple[float, ...]:
    """The quantities of `MARGINS` on one page."""
    form = measure_form(page.gray, LAYOUT, LIMITS.form)
    ink = [np.count_nonzero(mask) / mask.size for mask in reading.masks.values()]
    return (
        form.frame,
        min(form.pulses),
        min(form.separators),
        min(form.names.values()),
        min(trace.coverage for trace in reading.traces.values()),
        min(ink),
        -max(ink),
        -max(relation.relative for relation in lead_relations(reading.traces)),
        beat_coincidence(reading.traces),
    )


class Tally:
    """Counts by family and kind, the real pages' distances from the limits, and the CPU seconds of both steps."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], Counter[str]] = {}
        self.doubts: Counter[str] = Counter()
        self.read_s: list[float] = []
        self.examine_s: list[float] = []
        self.measured: list[tuple[float, ...]] = []

    def judge(self, sample: Sample) -> None:
        """Decode, read and examine one picture."""
        family, kind, data = sample
        started_s = time.thread_time()
        page = decode_page(data, LAYOUT)
        reading = read_page(page, SPEC)
        read_s = time.thread_time()
        try:
            doubts = examine(page, reading, SPEC)
            outcome = "doubted" if doubts else "passed"
        except PreprocError as error:
            doubts, outcome = (), CODES[type(error)]
        if kind == "as they are":  # the cost is that of the pages a service sees
            self.read_s.append(read_s - started_s)
            self.examine_s.append(time.thread_time() - read_s)
            self.measured.append(measured(page, reading))
        self.counts.setdefault((family, kind), Counter())[outcome] += 1
        self.doubts.update({f"{family}: {doubt.code}": 1 for doubt in doubts})

    def lines(self) -> Iterator[str]:
        """The tables, as markdown."""
        outcomes = (*CODES.values(), "doubted", "passed")
        yield "| | | pictures | " + " | ".join(outcomes) + " |"
        yield "|---|---|" + "---|" * (len(outcomes) + 1)
        for (family, kind), counts in self.counts.items():
            cells = " | ".join(str(counts[outcome]) for outcome in outcomes)
            yield f"| {family} | {kind} | {counts.total()} | {cells} |"
        yield ""
        yield "Doubts by family and code:"
        yield ""
        yield from (f"- {code} {count}" for code, count in sorted(self.doubts.items()))
        yield ""
        yield "| worst real page | of every other one | of the rest | limit |"
        yield "|---|---|---|---|"
        halves = np.array(self.measured[::2]).min(axis=0), np.array(self.measured[1::2]).min(axis=0)
        for name, one, other, limit in zip(MARGINS, *halves, MARGINS.values(), strict=True):
            yield f"| {name} | {abs(one):.3f} | {abs(other):.3f} | {abs(limit):.3f} |"
        yield ""
        read_ms, examine_ms = (1000 * float(np.median(seconds)) for seconds in (self.read_s, self.examine_s))
        yield f"CPU time, median of the real pages: decode and read {read_ms:.1f} ms, examine {examine_ms:.1f} ms."


def main() -> None:
    """Judge everything and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", type=Path)
    parser.add_argument("other_pages", type=Path)
    parser.add_argument("--every", type=int, default=8)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    pages = sorted(options.pages.glob("*/*.jpg"))
    tally = Tally()
    for samples in (
        own_pages(pages, options.every),
        spoiled_pages(pages, options.every),
        other_pictures(options.other_pages),
    ):
        for sample in samples:
            tally.judge(sample)
    text = "\n".join(tally.lines()) + "\n"
    sys.stdout.write(text)
    if options.markdown:
        options.markdown.write_text(text)


if __name__ == "__main__":
    main()
