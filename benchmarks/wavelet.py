"""Delineate single leads by wavelets, as a published method that `benchmarks.measurements` compares with.

Martinez, Almeida, Olmos, Rocha and Laguna (2004), "A wavelet-based ECG delineator: evaluation on standard databases",
IEEE Trans. Biomed. Eng. 51(4): a quadratic spline wavelet at 250 Hz; QRS at scale 4, T waves at scale 16; thresholds
are the paper's. Leads are joined as in Laguna, Jane and Caminal (1994): the outermost mark that three others support.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["RATE_HZ", "delineate"]

Floats = NDArray[np.float64]

RATE_HZ = 250.0
_SMOOTH, _DIFFERENCE = np.array([1, 3, 3, 1]) / 8, np.array([2.0, -2.0])
_QRS_SCALE, _T_SCALE = 2, 4  # powers of two

_QRS_FROM_S, _QRS_UNTIL_S = 0.08, 0.12  # around the R peak
_FIRST, _LAST = 0.12, 0.15  # of the largest modulus: what counts as a wave of the QRS
_ONSET, _END = {1: 0.05, -1: 0.07}, {1: 0.125, -1: 0.71}  # of the outermost modulus, by its sign

_T_FROM_S = 0.12  # after the R peak
_T_RMS, _T_LAST = 0.25, 0.4

_SUPPORT = 3
_WITHIN_S = 0.006


def delineate(leads_mv: Floats, peaks: NDArray[np.intp]) -> tuple[float, float]:
    """QRS duration and QT in milliseconds: medians over the beats at ``peaks``; NaN where too few leads agree.

    Args:
        leads_mv: (leads, samples) at `RATE_HZ`.
        peaks: samples of R peaks, the same for all leads.
    """
    fine, coarse = (np.stack([_transform(lead, scale) for lead in leads_mv]) for scale in (_QRS_SCALE, _T_SCALE))
    qrs_s, qt_s = [], []
    for peak, following in pairwise(peaks.tolist()):
        marks = [_qrs(lead, peak) for lead in fine]
        onset = _joined([on for on, _ in marks], _WITHIN_S, earliest=True)
        end = _joined([end for _, end in marks], _WITHIN_S, earliest=False)
        t_ends = [_t_end(lead, peak, following) for lead in coarse]
        qrs_s.append((end - onset) / RATE_HZ)
        qt_s.append((_joined(t_ends, _WITHIN_S, earliest=False) - onset) / RATE_HZ)
    return _median_ms(qrs_s), _median_ms(qt_s)


def _median_ms(values_s: list[float]) -> float:
    known = [value for value in values_s if np.isfinite(value)]
    return 1000 * float(np.median(known)) if known else np.nan


def _transform(signal_mv: Floats, scale: int) -> Floats:
    """Wavelet transform at scale 2 ** scale, without its delay."""
    smooth, delay = signal_mv, 0.0
    for power in range(scale):
        kernel = _DIFFERENCE if power == scale - 1 else _SMOOTH
        spread = np.zeros((len(kernel) - 1) * 2**power + 1)
        spread[:: 2**power] = kernel
        smooth = np.convolve(smooth, spread)
        delay += (len(spread) - 1) / 2
    return smooth[int(delay) :][: len(signal_mv)]


def _maxima(wavelet: Floats, start: int, stop: int) -> NDArray[np.intp]:
    """Places of the modulus maxima between two samples."""
    size = np.abs(wavelet)
    places = np.arange(max(start, 1), min(stop, len(wavelet) - 1))
    return places[(size[places] >= size[places - 1]) & (size[places] > size[places + 1])]


def _qrs(wavelet: Floats, peak: int) -> tuple[float, float]:
    places = _maxima(wavelet, peak - round(_QRS_FROM_S * RATE_HZ), peak + round(_QRS_UNTIL_S * RATE_HZ))
    if not len(places):
        return np.nan, np.nan
    sizes = np.abs(wavelet[places])
    first = places[sizes > _FIRST * sizes.max()][0]
    last = places[sizes > _LAST * sizes.max()][-1]
    return _fallen(wavelet, first, -1, _ONSET), _fallen(wavelet, last, 1, _END)


def _fallen(wavelet: Floats, at: int, step: int, share: dict[int, float]) -> float:
    """Where, from a modulus maximum outwards, the modulus is below its share, or turns."""
    size = np.abs(wavelet)
    threshold = share[1 if wavelet[at] > 0 else -1] * size[at]
    while 0 < at < len(size) - 1:
        at += step
        if size[at] < threshold or size[at + step * (0 < at < len(size) - 1)] > size[at]:
            return float(at)
    return np.nan


def _t_end(wavelet: Floats, peak: int, following: int) -> float:
    start = peak + round(_T_FROM_S * RATE_HZ)
    stop = peak + round(0.7 * (following - peak))
    places = _maxima(wavelet, start, stop)
    places = places[np.abs(wavelet[places]) > _T_RMS * np.sqrt((wavelet[peak:following] ** 2).mean())]
    if not len(places):
        return np.nan
    sizes = np.abs(wavelet[places])
    last = places[sizes > _T_LAST * sizes.max()][-1]
    return _fallen(wavelet, last, 1, {1: _T_LAST, -1: _T_LAST})


def _joined(marks: list[float], within_s: float, *, earliest: bool) -> float:
    """The outermost mark that enough others lie near."""
    known = np.sort([mark for mark in marks if np.isfinite(mark)])
    for mark in known if earliest else known[::-1]:
        if (np.abs(known - mark) <= within_s * RATE_HZ).sum() > _SUPPORT:
            return float(mark)
    return np.nan
