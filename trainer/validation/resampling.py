"""Figures with 95 % intervals over patients: whole patients are drawn again, the same way for every figure."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.intervals import DRAWS, group_weights, groups_of, percentiles, wilson
from trainer.metrics import auroc, ece

__all__ = ["Resampling"]

_AT_ONCE = 250  # draws in memory together

_Bools = NDArray[np.bool_]
_Floats = NDArray[np.floating]


class Resampling:
    """One set of draws of patients (percentile bootstrap), shared by every figure of the same recordings.

    Each figure is a plain dictionary: the value, ``…_ci95``, and the counts behind it. An unknown value is None.
    """

    def __init__(self, patients: Sequence[str], draws: int = DRAWS) -> None:
        """Draw ``patients``, one entry a recording, ``draws`` times."""
        self._patients = patients
        self._weights = group_weights(patients, draws).astype(np.float32)

    def share(self, hits: _Bools, among: _Bools) -> dict[str, Any]:
        """Give ``count`` of ``of`` recordings and their ``share``; both arguments are (recordings,).

        All or none: Wilson's interval with a patient as one trial, since drawing again would claim certainty.
        """
        count, total = int((hits & among).sum()), int(among.sum())
        cell = {"count": count, "of": total, "share": count / total if total else None}
        if count in {0, total}:
            trials = len(set(groups_of(self._patients, among)))
            return cell | {"share_ci95": wilson(trials if count else 0, trials)}
        weights = self._weights[:, among]
        return cell | {"share_ci95": percentiles(_quotient(weights @ hits[among], weights.sum(axis=1)))}

    def auroc(self, positive: _Bools, negative: _Bools, score: _Floats) -> dict[str, Any]:
        """Give the chance that a positive recording scores above a negative one; all arguments are (recordings,)."""
        among = positive | negative
        labels, scores = positive[among], np.asarray(score[among], np.float64)
        value = auroc(labels, scores, np.ones((1, len(labels))))[0] if labels.any() and not labels.all() else np.nan
        drawn = [auroc(labels, scores, weights) for weights in self._chunks(among)] if not np.isnan(value) else []
        return {
            "auroc": None if np.isnan(value) else float(value),
            "auroc_ci95": percentiles(np.concatenate(drawn)) if drawn else None,
            "positive": int(positive.sum()),
            "negative": int((negative & ~positive).sum()),
        }

    def ece(self, hits: _Bools, probability: _Floats, among: _Bools) -> dict[str, Any]:
        """Give the expected calibration error of an event with ``probability``, in 15 bins of equal width."""
        if not among.any():
            return {"ece": None, "ece_ci95": None}
        excess, top = (probability - hits)[among].astype(np.float64), probability[among]
        drawn = [ece(weights * excess, weights.sum(axis=1), top) for weights in self._chunks(among)]
        value = ece(excess[np.newaxis], float(len(top)), top)
        return {"ece": float(value[0]), "ece_ci95": percentiles(np.concatenate(drawn))}

    def lower(self, one: _Floats, other: _Floats) -> bool:
        """Say whether the mean of ``one`` is below that of ``other``, with the whole interval of the difference."""
        total = self._weights.sum(axis=1)
        interval = percentiles((self._weights @ (one - other)) / total)
        return interval is not None and interval[1] < 0

    def _chunks(self, among: _Bools) -> list[NDArray[np.float64]]:
        chosen = self._weights[:, among]
        parts = (chosen[start : start + _AT_ONCE] for start in range(0, len(chosen), _AT_ONCE))
        known = [part[part.sum(axis=1) > 0].astype(np.float64) for part in parts]
        return [part for part in known if len(part)]


def _quotient(part: _Floats, whole: _Floats) -> NDArray[np.float64]:
    part64 = np.asarray(part, np.float64)
    return np.asarray(np.divide(part64, whole, out=np.full(len(part64), np.nan), where=whole > 0))
