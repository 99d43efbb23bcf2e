"""How far measurements are off: on made-up hearts whose intervals are known, and on recordings of patients.

    python -m benchmarks.measurements [--hearts 200] [--ptbxl ptbxl-100hz.npz.xz --recordings 100]

Made-up hearts are measured twice: as recorded at 500 Hz, and as a printed, compressed and read page. Recordings of
PTB-XL have no measured intervals: NeuroKit2 (in an environment that has it: `pip install neurokit2`) gives the rate,
and the wavelet delineator of `benchmarks.wavelet` QRS and QT, whose own error on the made-up hearts is printed as well.
For each: how many were measured, the median error, the median and the 90th percentile of its amount.
"""

import argparse
import io
import lzma
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from benchmarks import wavelet
from shared_preproc.measurements import Measurements, measure
from shared_preproc.page import decode_page
from shared_preproc.pipeline import read_page
from shared_preproc.recording import Recording, page_recording
from shared_preproc.spec import TRACES_50_HZ
from synthetic.intervals import KnownHeart, draw_heart, print_recording, record_known_heart

PTBXL_HZ = 100.0
RECORDING_S, END_S = 10.0, 0.4
SEED = 22
_INTERVALS = ("qrs_ms", "qt_ms", "pr_ms")


class Errors(NamedTuple):
    """Errors of one measure; NaN where a value was not measured, or there is nothing to hold it against."""

    name: str
    errors: NDArray[np.float64]

    def row(self) -> str:
        """One line of a table in Markdown."""
        known = self.errors[np.isfinite(self.errors)]
        if not len(known):
            return f"| {self.name} | 0 of {len(self.errors)} | | | |"
        amounts = np.abs(known)
        spread = f"{np.median(amounts):.1f} | {np.percentile(amounts, 90):.1f}"
        return f"| {self.name} | {len(known)} of {len(self.errors)} | {np.median(known):+.1f} | {spread} |"


def main() -> None:
    """Print a table for each source."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hearts", type=int, default=200)
    parser.add_argument("--ptbxl", type=Path)
    parser.add_argument("--recordings", type=int, default=100)
    arguments = parser.parse_args()
    hearts = [known_heart(seed) for seed in range(arguments.hearts)]
    truths = [truth for truth, _, _ in hearts]
    rates = np.array([60 * (len(peaks) - 1) / (peaks[-1] - peaks[0]) for _, _, peaks in hearts])
    print_table("made-up hearts, 500 Hz", of_hearts(truths, rates, (measure(heart) for _, heart, _ in hearts)))
    print_table("the same, printed and read", of_hearts(truths, rates, (measure_page(heart) for _, heart, _ in hearts)))
    known = np.array([[truth.qrs_ms, truth.qt_ms] for truth in truths]).T
    by_wavelets = np.array([delineated(heart, measure(heart)) for _, heart, _ in hearts]).T
    print_table(
        "the same at 500 Hz, by wavelets",
        [Errors(name, found - true) for name, found, true in zip(_INTERVALS, by_wavelets, known, strict=False)],
    )
    if arguments.ptbxl:
        print_table("PTB-XL against the references", of_recordings(recordings(arguments.ptbxl, arguments.recordings)))


def known_heart(seed: int) -> tuple[KnownHeart, Recording, NDArray[np.float64]]:
    """One heart, its recording and the seconds of its R peaks."""
    heart = draw_heart(np.random.default_rng([SEED, seed]))
    return heart, *record_known_heart(heart, np.random.default_rng([SEED, seed, 1]))


def measure_page(recording: Recording) -> Measurements:
    """Print a recording, read the page, and measure what was read."""
    spec = TRACES_50_HZ
    reading = read_page(decode_page(print_recording(recording), spec.layout), spec)
    curves = page_recording(reading.traces, spec.layout, spec.trace)
    return Measurements() if curves is None else measure(curves, printed=True)


def of_hearts(
    truths: list[KnownHeart], rates: NDArray[np.float64], measured: Iterable[Measurements]
) -> Iterator[Errors]:
    """Errors of every measure against what was drawn."""
    found = list(measured)
    yield Errors("rate, 1/min", numbers(one.heart_rate_bpm for one in found) - rates)
    for name in _INTERVALS:
        true = numbers(getattr(truth, name) for truth in truths)
        there = np.isfinite(true)
        yield Errors(name, (numbers(getattr(one, name) for one in found) - true)[there])
    axis = numbers(one.axis_deg for one in found) - numbers(truth.axis_deg for truth in truths)
    yield Errors("axis_deg", (axis + 180) % 360 - 180)
    levels = np.concatenate([numbers(one.st_mv) - truth.st_mv for one, truth in zip(found, truths, strict=True)])
    yield Errors("st_mv, 0.001 mV", 1000 * levels)
    fibrillating = [one for one, truth in zip(found, truths, strict=True) if truth.pr_ms is None]
    print(
        f"\nfibrillating: {len(fibrillating)}; called irregular: {sum(one.regular is False for one in fibrillating)}; ",
        end="",
    )
    print(f"with a PR interval all the same: {sum(one.pr_ms is not None for one in fibrillating)}")


def recordings(ptbxl: Path, count: int) -> Iterator[Recording]:
    """Recordings drawn at random."""
    signals_uv = np.load(io.BytesIO(lzma.decompress(ptbxl.read_bytes())))["signal_uv"]
    for record in np.random.default_rng(SEED).choice(len(signals_uv), count, replace=False):
        yield Recording(signals_uv[record] / 1000.0, PTBXL_HZ)


def of_recordings(recordings: Iterable[Recording]) -> Iterator[Errors]:
    """Differences to the references."""
    differences = []
    for recording in recordings:
        found = measure(recording)
        qrs_ms, qt_ms = delineated(recording, found)
        differences.append(
            numbers([inner_rate([beat.r_s for beat in found.beats]), found.qrs_ms, found.qt_ms])
            - [reference_rate(recording), qrs_ms, qt_ms]
        )
    for name, values in zip(("rate, 1/min", *_INTERVALS), np.array(differences).T, strict=False):
        yield Errors(name, values)


def delineated(recording: Recording, found: Measurements) -> tuple[float, float]:
    """QRS and QT in milliseconds, by wavelets, at the beats that were found."""
    signal_mv = resample_poly(recording.signal_mv, round(wavelet.RATE_HZ), round(recording.rate_hz), axis=1)
    peaks = np.array([round(beat.r_s * wavelet.RATE_HZ) for beat in found.beats], np.intp)
    return wavelet.delineate(signal_mv, peaks)


def reference_rate(recording: Recording) -> float:
    """Beats a minute by NeuroKit2's default detector, the median of the leads; NaN where it is not installed."""
    try:
        import neurokit2  # type: ignore[import-not-found]  # noqa: PLC0415 - not one of our dependencies
    except ImportError:
        return np.nan
    rates = []
    for lead_mv in recording.signal_mv:
        clean = neurokit2.ecg_clean(lead_mv, sampling_rate=recording.rate_hz)
        _, found = neurokit2.ecg_peaks(clean, sampling_rate=recording.rate_hz)
        rates.append(inner_rate(np.asarray(found["ECG_R_Peaks"]) / recording.rate_hz))
    return float(np.nanmedian(rates))


def inner_rate(peaks_s: Sequence[float] | NDArray[np.float64]) -> float:
    """Beats a minute, without the ends of the ten seconds, where NeuroKit2's filters ring."""
    inside = [peak_s for peak_s in peaks_s if END_S < peak_s < RECORDING_S - END_S]
    return 60 * (len(inside) - 1) / (inside[-1] - inside[0]) if len(inside) > 1 else np.nan


def numbers(values: Iterable[float | None]) -> NDArray[np.float64]:
    """Values, with NaN for None."""
    return np.array([np.nan if value is None else value for value in values], np.float64)


def print_table(title: str, rows: Iterable[Errors]) -> None:
    """Print one table in Markdown."""
    lines = [row.row() for row in rows]
    print(f"\n| {title} | measured | median error | median amount | 90 % within |\n|---|---|---|---|---|")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
