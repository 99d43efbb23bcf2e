"""A recording as one of many carts might print it: the findings network is trained on these views.

A view has a frequency band, an arrangement of the columns in time, a rhythm strip or none, and what a second recording
of the same heart would change. What is not printed is NaN.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from shared_preproc.recording import RECORDED_LEADS, Recording
from shared_preproc.spec import TRACES_50_HZ

__all__ = ["BANDS_HZ", "RATE_HZ", "ViewSettings", "band_passed", "draw_views"]

BANDS_HZ: tuple[tuple[float, float], ...] = ((0.67, 25.0), (0.05, 40.0), (0.15, 40.0), (0.5, 25.0), (0.5, 40.0))
"""Filters that carts print with; the first is the EDAN cart's."""
RATE_HZ = 100.0
"""Of the recordings that views are drawn from."""

Signals = NDArray[np.float32]

_SPEC = TRACES_50_HZ
_SAMPLES, *_, _STRIP_SAMPLES = (_SPEC.trace.samples(box, _SPEC.layout) for _, box in _SPEC.layout.lead_boxes)
_STEP = round(RATE_HZ / _SPEC.trace.rate_hz)
_COLUMN = round(_SPEC.trace.column_s * RATE_HZ)
_PAGE_ORDER = np.array([RECORDED_LEADS.index(lead) for lead in _SPEC.layout.leads[:-1]])
_COLUMN_OF = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3])  # page column of each row of `RECORDED_LEADS`

# Voltage of 8 independent leads (I II V1-V6) from the heart's vector x, y, z (Dower et al. 1980, J Electrocardiol 13),
# and back (Edenbrandt and Pahlm 1988, J Electrocardiol 21).
_DOWER = np.array(
    [
        [0.632, -0.235, 0.059],
        [0.235, 1.066, -0.132],
        [-0.515, 0.157, -0.917],
        [0.044, 0.164, -1.387],
        [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601],
        [1.125, 0.127, -0.086],
        [0.831, 0.076, 0.230],
    ]
)
_INVERSE_DOWER = np.array(
    [
        [0.156, -0.010, -0.172, -0.074, 0.122, 0.231, 0.239, 0.194],
        [-0.227, 0.887, 0.057, -0.019, -0.106, -0.022, 0.041, 0.048],
        [0.022, 0.102, -0.229, -0.310, -0.246, -0.063, 0.055, 0.108],
    ]
)
_TO_TWELVE = np.zeros((12, 8))
_TO_TWELVE[:6, :2] = np.array([(1, 0), (0, 1), (-1, 1), (-0.5, -0.5), (1, -0.5), (-0.5, 1)])
_TO_TWELVE[6:, 2:] = np.eye(6)
_TO_EIGHT = np.zeros((8, 12))
_TO_EIGHT[[0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 6, 7, 8, 9, 10, 11]] = 1


@dataclass(frozen=True)
class ViewSettings:
    """How much views differ."""

    band_shares: tuple[float, ...] = (0.4, 0.15, 0.15, 0.15, 0.15)
    """How often each of `BANDS_HZ` is drawn."""
    arrangement_shares: tuple[float, float, float] = (0.4, 0.3, 0.3)
    """Columns one after the other, all leads at once, each lead at its own time."""
    strip_shares: tuple[float, float, float, float, float] = (0.6, 0.06, 0.07, 0.07, 0.2)
    """Rhythm strip of II, V1, III, V5, or none."""
    short_leads: float = 0.1
    """Share of pages whose leads end early."""
    short_strip: float = 0.15
    missing_lead: float = 0.06
    """Share of leads that are not printed."""
    flat_lead: float = 0.04
    turn_deg: float = 0.0
    """Standard deviation of the turn of the heart's vector about each axis: another chest, other electrode places."""
    page_gain: float = 0.2
    """Standard deviation of the logarithm of a factor common to all leads."""
    lead_gain: float = 0.1
    """The same of a factor of each lead."""
    offset_mv: float = 0.03
    wander_mv: float = 0.05
    noise_mv: float = 0.008
    """Two thirds of a pixel."""


_STRIP_LEADS = np.array([1, 6, 2, 10, -1])  # rows of `RECORDED_LEADS`; -1: none


def band_passed(signal_mv: Signals) -> Signals:
    """Filter recordings (records, 12, samples) at `RATE_HZ` by each of `BANDS_HZ`: (bands, records, 12, samples)."""
    flat = signal_mv.reshape(-1, 12, signal_mv.shape[-1])
    return np.stack(
        [[Recording(one.astype(float), RATE_HZ).band_passed(*band).signal_mv for one in flat] for band in BANDS_HZ]
    ).astype(np.float32)


def draw_views(banded_mv: Signals, rows: NDArray[np.intp], rng: np.random.Generator, amount: ViewSettings) -> Signals:
    """Draw one view of each of ``rows``: float32 (rows, 2000, 3), millivolt, NaN where nothing is printed.

    ``banded_mv`` (bands, records, 12, samples) is what `band_passed` gave; 10 s are needed, NaN where not recorded.
    """
    pages = len(rows)
    signal_mv = banded_mv[rng.choice(len(banded_mv), pages, p=amount.band_shares), rows]
    if amount.turn_deg:
        signal_mv = np.matmul(_turns(rng, pages, amount), signal_mv)
    leads = _windows(signal_mv, _starts(rng, pages, amount), _SAMPLES)
    which = _STRIP_LEADS[rng.choice(len(_STRIP_LEADS), pages, p=amount.strip_shares)]
    strip = _windows(signal_mv[np.arange(pages), which], np.zeros(pages, int), _STRIP_SAMPLES)

    page_gain = _factors(rng, amount.page_gain, (pages, 1, 1, 1))
    leads = leads * page_gain * _factors(rng, amount.lead_gain, (pages, 12, 1, 1))
    leads += rng.normal(0, amount.offset_mv, (pages, 12, 1, 1)).astype(np.float32)
    leads += _wander(rng, amount.wander_mv, (pages, 12))
    leads += np.float32(amount.noise_mv) * rng.standard_normal(leads.shape, dtype=np.float32)
    leads[rng.random((pages, 12)) < amount.flat_lead] = 0
    strip = strip * page_gain[:, 0]
    strip += np.float32(amount.noise_mv) * rng.standard_normal(strip.shape, dtype=np.float32)

    ends = np.where(rng.random(pages) < amount.short_leads, rng.integers(_SAMPLES // 2, _SAMPLES, pages), _SAMPLES)
    leads = np.where((np.arange(_SAMPLES) < ends[:, np.newaxis])[:, np.newaxis, :, np.newaxis], leads, np.nan)
    leads[rng.random((pages, 12)) < amount.missing_lead] = np.nan
    half = rng.integers(_STRIP_SAMPLES // 2, _STRIP_SAMPLES, pages)
    ends = np.where(rng.random(pages) < amount.short_strip, half, _STRIP_SAMPLES)
    strip = np.where((np.arange(_STRIP_SAMPLES) < ends[:, np.newaxis])[..., np.newaxis], strip, np.nan)
    strip[which < 0] = np.nan
    return np.concatenate([leads[:, _PAGE_ORDER].reshape(pages, -1, 3), strip], axis=1).astype(np.float32, copy=False)


def _starts(rng: np.random.Generator, pages: int, amount: ViewSettings) -> NDArray[np.intp]:
    """First sample of each lead: (pages, 12)."""
    latest = 4 * _COLUMN - _STEP * _SAMPLES + 1
    turned, jitter = rng.integers(0, 4, (pages, 1)), rng.integers(-40, 41, (pages, 1))
    staggered = (_COLUMN_OF + turned) % 4 * _COLUMN + jitter
    together = np.repeat(rng.integers(0, latest + 1, (pages, 1)), 12, axis=1)
    apart = rng.integers(0, latest + 1, (pages, 12))
    chosen = rng.choice(3, (pages, 1), p=amount.arrangement_shares)
    return np.asarray(np.clip(np.choose(chosen, [staggered, together, apart]), 0, latest))


def _windows(signal_mv: Signals, starts: NDArray[np.intp], samples: int) -> Signals:
    """Signal and its extremes until the neighbouring samples, at the tensor's rate: (..., samples, 3)."""
    at = starts[..., np.newaxis] + np.arange(-_STEP, _STEP * samples + 1)
    fine = np.take_along_axis(signal_mv, np.clip(at, 0, signal_mv.shape[-1] - 1), axis=-1)
    shifted = [fine[..., by : by + _STEP * samples : _STEP] for by in range(2 * _STEP + 1)]
    return np.stack([shifted[_STEP], np.maximum.reduce(shifted), np.minimum.reduce(shifted)], axis=-1)


def _turns(rng: np.random.Generator, pages: int, amount: ViewSettings) -> Signals:
    """What turns the heart's vector, as matrices of the twelve leads: (pages, 12, 12)."""
    turns = Rotation.from_rotvec(np.deg2rad(rng.normal(0, amount.turn_deg, (pages, 3)))).as_matrix()
    stretched = turns * _factors(rng, amount.lead_gain, (pages, 3, 1))
    eight = np.eye(8) + _DOWER @ (stretched - np.eye(3)) @ _INVERSE_DOWER
    return np.asarray(_TO_TWELVE @ eight @ _TO_EIGHT, np.float32)


def _factors(rng: np.random.Generator, deviation: float, shape: tuple[int, ...]) -> Signals:
    return np.exp(rng.normal(0, deviation, shape)).astype(np.float32)


def _wander(rng: np.random.Generator, amplitude_mv: float, shape: tuple[int, int]) -> Signals:
    """Baseline wander, as of breathing: (*shape, samples, 1), millivolt."""
    periods = rng.uniform(0.3, 1.2, (*shape, 1)) * (np.arange(_SAMPLES) / _SAMPLES) + rng.random((*shape, 1))
    amplitudes = rng.normal(0, amplitude_mv, (*shape, 1))
    return (amplitudes * np.sin(2 * np.pi * periods)).astype(np.float32)[..., np.newaxis]
