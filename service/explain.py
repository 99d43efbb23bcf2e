"""Find the evidence for a class on a page by occlusion along time (Zeiler and Fergus 2014, section 4.2).

docs/evidence/explanation.md gives the reasons for the numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_registry.policy import Leading
from service.models.onnx import Classifier
from service.workers import check_cancelled
from shared_preproc.leads import Lead
from shared_preproc.spec import MaskTensor, PreprocSpec
from shared_preproc.tensor import Tensor

__all__ = ["RATE_HZ", "LeadEvidence", "curve_lengths", "explain", "wiped"]

RATE_HZ = 4.0
"""Values a second; shorter windows would cut up a QRS complex (0.1 s)."""

_NEGLIGIBLE = 1e-3
"""Loss of log-odds, at most 0.00025 of a probability."""
_SMALLEST_PROBABILITY = 1e-7
"""Keeps log-odds finite."""


@dataclass(frozen=True)
class LeadEvidence:
    """One lead's contribution to a class."""

    weight: float
    """Share of all leads' losses, each wiped alone: 0 to 1."""
    rate_hz: float
    curve: tuple[float, ...]
    """Loss over time, as a share of the page's largest: 0 to 1."""


class _Window(NamedTuple):
    """A half-open part of one lead, in cells of 1 / `RATE_HZ` seconds."""

    place: int
    first: int
    end: int


@dataclass(frozen=True)
class _Scan:
    window_cells: int
    pages_at_once: int

    def windows(self, lengths: Sequence[int]) -> list[_Window]:
        """Cover leads of these lengths (cells)."""
        lasts = [length - self.window_cells for length in lengths]
        firsts = [(*range(0, last, self.window_cells), last) for last in lasts]
        return [_Window(place, first, first + self.window_cells) for place, some in enumerate(firsts) for first in some]


_TRACE_SCAN = _Scan(window_cells=1, pages_at_once=32)
# Ten times as slow, and 75 MB a page.
_MASK_SCAN = _Scan(window_cells=3, pages_at_once=2)


def explain(
    tensor: Tensor, spec: PreprocSpec, classifier: Classifier, class_place: int, leading: Leading = "fused"
) -> dict[Lead, LeadEvidence]:
    """Find the evidence for one class on one page, in the answers of ``leading``; leads in page order.

    If no part of the page matters, weights are equal and curves 0. `CancelledWorkError` if cancelled.
    """
    scan = _MASK_SCAN if isinstance(spec.tensor, MaskTensor) else _TRACE_SCAN
    lengths = list(curve_lengths(spec).values())
    leads = [_Window(place, 0, length) for place, length in enumerate(lengths)]
    windows = scan.windows(lengths)
    variants = [[], *([window] for window in leads + windows)]
    found = []
    for start in range(0, len(variants), scan.pages_at_once):
        check_cancelled()
        some = _variants(tensor, spec, variants[start : start + scan.pages_at_once])
        found.append(_log_odds(classifier.run(some).led_by(leading), class_place))
    intact, *rest = np.concatenate(found)
    lost = intact - np.array(rest)
    weights, curves = _weights(lost[: len(leads)]), _curves(windows, lost[len(leads) :], lengths)
    return {
        lead: LeadEvidence(weight, RATE_HZ, tuple(curve.tolist()))
        for lead, weight, curve in zip(spec.layout.leads, weights.tolist(), curves, strict=True)
    }


def curve_lengths(spec: PreprocSpec) -> dict[Lead, int]:
    """Return the length of each lead's curve in cells, in page order."""
    return {
        lead: round(spec.trace.samples(box, spec.layout) / spec.trace.rate_hz * RATE_HZ)
        for lead, box in spec.layout.lead_boxes
    }


def wiped(tensor: Tensor, spec: PreprocSpec, marks: Mapping[Lead, NDArray[np.bool_]]) -> Tensor:
    """Copy one page without its marked cells.

    A mask loses its ink. A curve becomes a straight line, or its median: a step could look like a wave.
    """
    windows = []
    for place, lead in enumerate(spec.layout.leads):
        edges = np.flatnonzero(np.diff(marks[lead].astype(np.int8), prepend=0, append=0)).tolist()
        windows += [_Window(place, first, end) for first, end in zip(edges[::2], edges[1::2], strict=True)]
    page: Tensor = _variants(tensor, spec, [windows])[0]
    return page


def _variants(tensor: Tensor, spec: PreprocSpec, variants: Sequence[Sequence[_Window]]) -> Tensor:
    """Copy one page without the windows of each variant: (variants, …)."""
    pages = np.repeat(tensor[np.newaxis], len(variants), axis=0)
    lengths = list(curve_lengths(spec).values())
    for page, windows in zip(pages, variants, strict=True):
        leads = _leads(page, spec)
        for place, first, end in windows:
            steps = len(leads[place]) / lengths[place]
            _wipe(leads[place], round(first * steps), round(end * steps))
    return pages


def _leads(page: Tensor, spec: PreprocSpec) -> list[Tensor]:
    """Return views of the leads, time first."""
    if isinstance(spec.tensor, MaskTensor):
        return [mask.T for mask in page]
    samples = [spec.trace.samples(box, spec.layout) for _, box in spec.layout.lead_boxes]
    return np.split(page, np.cumsum(samples)[:-1])


def _wipe(lead: Tensor, start: int, stop: int) -> None:
    """Wipe (columns, rows) of a mask, or (samples, 3) of a curve, in place."""
    if lead.dtype == np.uint8:
        lead[start:stop] = 0
    elif stop - start == len(lead):
        lead[:] = np.median(lead, axis=0)
    else:
        before = lead[start - 1] if start > 0 else lead[stop]
        after = lead[stop] if stop < len(lead) else before
        way = np.arange(1, stop - start + 1) / (stop - start + 1)
        lead[start:stop] = before + way[:, np.newaxis] * (after - before)


def _log_odds(pages: NDArray[np.float32], class_place: int) -> NDArray[np.float64]:
    """Return log-odds, (pages,); 1 - p would lose digits near p = 1."""
    probabilities = np.maximum(pages.astype(np.float64), _SMALLEST_PROBABILITY)
    others = np.delete(probabilities, class_place, axis=1).sum(axis=1)
    odds: NDArray[np.float64] = np.log(probabilities[:, class_place] / others)
    return odds


def _weights(lost: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each lead's share of the losses, (leads,)."""
    loss = np.maximum(lost, 0)
    return loss / loss.sum() if loss.max() > _NEGLIGIBLE else np.full(len(lost), 1 / len(lost))


def _curves(windows: Sequence[_Window], lost: NDArray[np.float64], lengths: Sequence[int]) -> list[NDArray[np.float64]]:
    """Return each cell's mean loss as a share of the largest."""
    sums = [np.zeros(length) for length in lengths]
    counts = [np.zeros(length) for length in lengths]
    for (place, first, end), loss in zip(windows, lost.tolist(), strict=True):
        sums[place][first:end] += loss
        counts[place][first:end] += 1
    curves = [np.maximum(total / count, 0) for total, count in zip(sums, counts, strict=True)]
    largest = max(float(curve.max()) for curve in curves)
    return [curve / largest if largest > _NEGLIGIBLE else np.zeros_like(curve) for curve in curves]
