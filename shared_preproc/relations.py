"""What leads of one page must satisfy together, whatever the heart, and by how much they miss it.

Limb leads are differences of three electrodes: II = I + III (Einthoven 1913), aVR + aVL + aVF = 0 (Goldberger 1942).
The rhythm strip repeats II or III; in the second page column, where the augmented leads stand, 3/2 II = aVF - aVR and
3/2 III = aVF - aVL follow. Leads that were exchanged or read wrongly break at least one.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_preproc.leads import Lead
from shared_preproc.traces import Trace

__all__ = ["Relation", "beat_coincidence", "lead_relations"]

_Signal = NDArray[np.float64]

_HELD = 2  # samples at either end of a lead that are held, not read: two to four columns belong to no box
# Beats that run through another lead's are read wrongly for a few samples: the worst tenth is left out.
_KEPT_SHARE = 0.9
_LEAST_MV = 0.05  # leads flatter than this agree with anything, as a pen is 0.04 mV wide
_CHEST_COLUMNS = (Lead.V1, Lead.V2, Lead.V3), (Lead.V4, Lead.V5, Lead.V6)  # the third and fourth page column


@dataclass(frozen=True)
class Relation:
    """One equation among leads: ``residual_mv`` is the RMS by which it is missed, the worst tenth left out."""

    equation: str
    leads: tuple[Lead, ...]
    residual_mv: float
    relative: float
    """Residual over the sum of the RMS of its terms: 0 where the equation holds, about 0.6 among unrelated curves."""


def lead_relations(traces: Mapping[Lead, Trace]) -> tuple[Relation, ...]:
    """The four equations between limb leads, augmented leads and rhythm strip, at the instants they share.

    The strip counts as the one of II and III that it repeats better; its printed name is not read.
    """
    first, second, third = (_signal(traces, lead) for lead in (Lead.I, Lead.II, Lead.III))
    right, left, foot = (_signal(traces, lead) for lead in (Lead.AVR, Lead.AVL, Lead.AVF))
    strip, next_strip = (_strip_column(traces, column) for column in (0, 1))
    repeats_second = _rms(strip - second) <= _rms(strip - third)
    repeated, repeated_mv = (Lead.II, second) if repeats_second else (Lead.III, third)
    opposite, opposite_mv = (Lead.AVR, right) if repeats_second else (Lead.AVL, left)
    strip_lead, goldberger = Lead.RHYTHM_STRIP, (opposite, Lead.AVF, Lead.RHYTHM_STRIP)
    return (
        _relation("II = I + III", (Lead.I, Lead.II, Lead.III), second, -first, -third),
        _relation("aVR + aVL + aVF = 0", (Lead.AVR, Lead.AVL, Lead.AVF), right, left, foot),
        _relation(f"rhythm strip = {repeated}", (repeated, strip_lead), strip, -repeated_mv),
        _relation(f"3/2 rhythm strip = aVF - {opposite}", goldberger, 1.5 * next_strip, -foot, opposite_mv),
    )


def beat_coincidence(traces: Mapping[Lead, Trace]) -> float:
    """How far the beats of V1 to V6 fall on those of the rhythm strip: mean correlation of stroke heights, -1 to 1."""
    strip, samples = _stroke_mv(traces[Lead.RHYTHM_STRIP]), len(traces[Lead.V1].signal_mv)
    correlations = []
    for column, leads in enumerate(_CHEST_COLUMNS, start=2):
        meanwhile = strip[column * samples : (column + 1) * samples]
        correlations += [_correlation(_stroke_mv(traces[lead]), meanwhile) for lead in leads]
    return sum(correlations) / len(correlations)


def _relation(equation: str, leads: tuple[Lead, ...], *terms_mv: _Signal) -> Relation:
    missed_mv = np.sort(np.abs(sum(terms_mv)))[: round(_KEPT_SHARE * len(terms_mv[0]))]
    residual_mv = _rms(missed_mv)
    return Relation(equation, leads, residual_mv, residual_mv / max(sum(map(_rms, terms_mv)), _LEAST_MV))


def _signal(traces: Mapping[Lead, Trace], lead: Lead) -> _Signal:
    return traces[lead].signal_mv[_HELD:-_HELD].astype(np.float64)


def _strip_column(traces: Mapping[Lead, Trace], column: int) -> _Signal:
    """The rhythm strip at the instants of `_signal` of a lead in this page column."""
    samples = len(traces[Lead.I].signal_mv)
    part = traces[Lead.RHYTHM_STRIP].signal_mv[column * samples : (column + 1) * samples]
    return part[_HELD:-_HELD].astype(np.float64)


def _stroke_mv(trace: Trace) -> _Signal:
    """Height of the stroke around each sample: tall where the curve is steep."""
    return (trace.top_mv - trace.bottom_mv).astype(np.float64)


def _correlation(one: _Signal, other: _Signal) -> float:
    one, other = one - _mean(one), other - _mean(other)
    scale = _rms(one) * _rms(other)
    return _mean(one * other) / scale if scale else 0.0


def _rms(signal: _Signal) -> float:
    return math.sqrt(_mean(np.square(signal)))


def _mean(signal: _Signal) -> float:
    return float(signal.sum() / len(signal))  # what `signal.mean()` is, in a third of its time
