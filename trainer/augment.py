"""A page's curves, varied as a second recording of the same heart would vary.

Never flipped: upside down or backwards a heartbeat is another one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_preproc.spec import PreprocSpec

__all__ = ["Augmentation", "augment"]

Traces = NDArray[np.float32]


@dataclass(frozen=True)
class Augmentation:
    """How much a page is varied. Stronger values change nothing beyond chance (docs/evidence/experiments.md)."""

    page_gain: float = 0.15
    """Standard deviation of the logarithm of a factor common to all leads."""
    lead_gain: float = 0.08
    """The same of a factor of each lead."""
    offset_mv: float = 0.03
    """Standard deviation of a lead's shift from the zero line."""
    wander_mv: float = 0.04
    """Standard deviation of the amplitude of a slow wave (0.3 to 1.2 periods) under each lead."""
    lead_shift: float = 1 / 8
    """Leads are rolled together by up to this share of their length; the rhythm strip by any."""
    lead_loss: float = 0.1
    """Share of leads that are flat."""
    strip_loss: float = 0.05
    """Share of rhythm strips that are flat."""
    rate: float = 0.15
    """Standard deviation of the logarithm of a factor of the heart rate, so that the rate alone decides no class."""
    same_rate: float = 0.25
    """Share of pages that keep their rate."""


def augment(traces: Traces, spec: PreprocSpec, rng: np.random.Generator, amount: Augmentation) -> Traces:
    """Vary pages ``traces`` (pages, samples, 3), millivolt, as ``spec`` makes them; NaN where a faster copy ends."""
    counts = [spec.trace.samples(box, spec.layout) for _, box in spec.layout.lead_boxes]
    lead_count, samples = len(counts) - 1, counts[0]
    pages, channels = len(traces), traces.shape[-1]
    leads = traces[:, : lead_count * samples].reshape(pages, lead_count, samples, channels)
    strip = traces[:, np.newaxis, lead_count * samples :]
    reach = round(amount.lead_shift * samples)
    leads = _rolled(leads, rng.integers(-reach, reach + 1, size=(pages,)))
    strip = _rolled(strip, rng.integers(0, strip.shape[2], size=(pages,)))
    speeds = np.where(rng.random(pages) < amount.same_rate, 1.0, np.exp(rng.normal(0, amount.rate, pages)))
    leads, strip = _played(leads, speeds), _played(strip, speeds)
    page_gain = _factors(rng, amount.page_gain, (pages, 1, 1, 1))
    leads = leads * page_gain * _factors(rng, amount.lead_gain, (pages, lead_count, 1, 1))
    leads += rng.normal(0, amount.offset_mv, (pages, lead_count, 1, 1)).astype(np.float32)
    leads += _wander(rng, amount.wander_mv, (pages, lead_count), samples)
    strip = strip * page_gain
    leads[rng.random((pages, lead_count)) < amount.lead_loss] = 0
    strip[rng.random(pages) < amount.strip_loss] = 0
    return np.concatenate([leads.reshape(pages, -1, channels), strip[:, 0]], axis=1)


def _factors(rng: np.random.Generator, deviation: float, shape: tuple[int, ...]) -> NDArray[np.float32]:
    return np.exp(rng.normal(0, deviation, shape)).astype(np.float32)


def _rolled(curves: Traces, steps: NDArray[np.signedinteger]) -> Traces:
    """Roll curves (pages, curves, samples, 3) along time, each page by its own number of samples."""
    samples = curves.shape[2]
    places = (np.arange(samples) - steps[:, np.newaxis]) % samples
    return np.take_along_axis(curves, places[:, np.newaxis, :, np.newaxis], axis=2)


def _played(curves: Traces, speeds: NDArray[np.float64]) -> Traces:
    """Play curves (pages, curves, samples, 3) at each page's speed, as `resample_time` does for one."""
    samples = curves.shape[2]
    places = np.arange(samples) * speeds[:, np.newaxis]
    before = np.minimum(places.astype(np.intp), samples - 2)
    share = (places - before)[:, np.newaxis, :, np.newaxis].astype(np.float32)
    at = before[:, np.newaxis, :, np.newaxis]
    played = (1 - share) * np.take_along_axis(curves, at, axis=2) + share * np.take_along_axis(curves, at + 1, axis=2)
    return np.where((places <= samples - 1)[:, np.newaxis, :, np.newaxis], played, np.float32(np.nan))


def _wander(rng: np.random.Generator, amplitude_mv: float, shape: tuple[int, int], samples: int) -> Traces:
    """Baseline wander, as of breathing: (*shape, samples, 1), millivolt."""
    periods = rng.uniform(0.3, 1.2, (*shape, 1)) * (np.arange(samples) / samples) + rng.random((*shape, 1))
    amplitudes = rng.normal(0, amplitude_mv, (*shape, 1))
    return (amplitudes * np.sin(2 * np.pi * periods)).astype(np.float32)[..., np.newaxis]
