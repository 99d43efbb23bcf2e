"""How truly a printed signal is read back: real PTB-XL signals printed, compressed, binarized, traced and compared.

    python benchmarks/trace_fidelity.py ptbxl-100hz.npz.xz [--pages 100]

Prints, for each lead, the median over pages of the signal-to-error ratio (the error keeps its mean) and of the relative
error of the highest and the lowest point, and the CPU time of tracing a page.
"""

import argparse
import io
import lzma
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from shared_preproc.layout import EDAN_3X4_R1
from shared_preproc.leads import Lead
from shared_preproc.page import decode_page
from shared_preproc.pipeline import page_masks
from shared_preproc.spec import MASKS_150, TraceSpec
from shared_preproc.traces import Trace, page_traces
from synthetic.geometry import PageGeometry
from synthetic.pages import encode_jpeg
from synthetic.render import Header, Signals, render_page

RATE_HZ = 100.0
PRINTED_BAND_HZ = (0.67, 25.0)
TALL_MV = 1.5
JUDGED_PEAK_MV = 0.2
HEADER = Header("0", "Male", 60, datetime(2001, 1, 1))  # noqa: DTZ001 - a printed clock has no zone


def printed_signals(ptbxl: Path, pages: int, seed: int = 0) -> Iterator[Signals]:
    """Recordings drawn from PTB-XL, limited to the band that the cart prints."""
    signals_uv = np.load(io.BytesIO(lzma.decompress(ptbxl.read_bytes())))["signal_uv"]
    band = butter(2, PRINTED_BAND_HZ, btype="bandpass", fs=RATE_HZ, output="sos")
    for record in np.random.default_rng(seed).choice(len(signals_uv), pages, replace=False):
        yield Signals(sosfiltfilt(band, signals_uv[record] / 1000.0, axis=1), RATE_HZ)


def read_back(signals: Signals, spec: TraceSpec) -> tuple[dict[Lead, Trace], float]:
    """Traces of the printed page, and the CPU seconds that tracing took."""
    page = decode_page(encode_jpeg(render_page(signals, HEADER)), EDAN_3X4_R1)
    masks = page_masks(page, MASKS_150)
    started_s = time.process_time()
    return page_traces(masks, EDAN_3X4_R1, spec), time.process_time() - started_s


def truth_mv(signals: Signals, lead: Lead) -> NDArray[np.float64]:
    """What the box of ``lead`` shows, sample by sample."""
    start_s, stop_s = PageGeometry(EDAN_3X4_R1).span_s(lead)
    source = HEADER.rhythm_lead if lead is Lead.RHYTHM_STRIP else lead
    return signals.of(source)[round(start_s * RATE_HZ) : round(stop_s * RATE_HZ)]


def snr_db(true_mv: NDArray[np.float64], read_mv: NDArray[np.float32]) -> float:
    """Power of the signal over power of the error."""
    return float(10 * np.log10(np.square(true_mv).sum() / np.square(read_mv - true_mv).sum()))


def peak_errors(true_mv: NDArray[np.float64], read_mv: NDArray[np.float32]) -> list[float]:
    """Relative error of the highest and the lowest point, where they are high or low at all."""
    places = [place for place in (true_mv.argmax(), true_mv.argmin()) if abs(true_mv[place]) > JUDGED_PEAK_MV]
    return [float(read_mv[place] / true_mv[place] - 1) for place in places]


def row(name: str, leads: list[tuple[float, list[float]]]) -> str:
    """One line of the table."""
    snrs_db = [snr for snr, _ in leads]
    errors = np.abs([error for _, several in leads for error in several] or [np.nan])
    return (
        f"{name:14s}{len(leads):6d}{np.median(snrs_db):10.1f}{np.percentile(snrs_db, 10):10.1f}"
        f"{100 * np.median(errors):12.1f}{100 * np.percentile(errors, 90):10.1f}\n"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ptbxl", type=Path)
    parser.add_argument("--pages", type=int, default=100)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    spec = TraceSpec(rate_hz=RATE_HZ)
    found: dict[Lead, list[tuple[float, list[float]]]] = {lead: [] for lead in EDAN_3X4_R1.leads}
    tall: list[tuple[float, list[float]]] = []
    cpu_s: list[float] = []
    for signals in printed_signals(arguments.ptbxl, arguments.pages):
        traces, seconds = read_back(signals, spec)
        cpu_s.append(seconds)
        for lead, trace in traces.items():
            true_mv = truth_mv(signals, lead)
            found[lead].append((snr_db(true_mv, trace.signal_mv), peak_errors(true_mv, trace.signal_mv)))
            if np.abs(true_mv).max() > TALL_MV:
                tall.append(found[lead][-1])
    sys.stdout.write(f"{'lead':14s}{'n':>6s}{'SNR dB':>10s}{'10th':>10s}{'peak err %':>12s}{'90th':>10s}\n")
    for lead, results in found.items():
        sys.stdout.write(row(lead, results))
    sys.stdout.write(row("all", [result for results in found.values() for result in results]))
    if tall:
        sys.stdout.write(row(f"over {TALL_MV} mV", tall))
    sys.stdout.write(f"tracing a page: {1000 * np.median(cpu_s):.1f} ms of CPU (median)\n")


if __name__ == "__main__":
    main()
