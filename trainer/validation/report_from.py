"""From which probability on a site's answers are reported: one threshold for all classes, or one for each kind."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer.classes import CLASS_NAMES
from trainer.thresholds import KIND_OF, PolicyGoals

__all__ = ["Candidates", "report_from", "report_from_by_kind"]

_Bools = NDArray[np.bool_]

_GRID = np.append(np.arange(50, 100) / 100, 1.0)
_ACCURACY_MARGIN, _MARGIN_BY_KIND, _PURITY_MARGIN = 0.003, 0.005, 0.003
"""Thresholds fit the pages that they are chosen on, three of them more closely than one: so much more is asked."""


class Candidates(NamedTuple):
    """Answers that no rule refers, one row each."""

    top: NDArray[np.int64]
    """Place of the most probable class."""
    probability: NDArray[np.float64]
    """Of that class."""
    right: _Bools
    missed: _Bools
    """Infarctions that are answered normal."""

    def where(self, rows: _Bools) -> "Candidates":
        """Give those whose ``rows`` are true."""
        return Candidates(self.top[rows], self.probability[rows], self.right[rows], self.missed[rows])


def report_from(candidates: Candidates, accuracy: float, most_missed: float) -> float | None:
    """Give the lowest threshold that leaves ``accuracy``, and no more infarctions missed than allowed; None: none does.

    Accuracy counts one more reported page, a wrong one: the finite-sample term of conformal risk control (Angelopoulos
    et al. 2022).
    """
    order = np.argsort(-candidates.probability, kind="stable")
    probability = candidates.probability[order]
    last = np.flatnonzero(np.diff(probability, append=-np.inf))
    right, missed = np.cumsum(candidates.right[order])[last], np.cumsum(candidates.missed[order])[last]
    keeps = (right >= (accuracy + _ACCURACY_MARGIN) * (last + 2)) & (missed <= most_missed)
    reaching = np.flatnonzero(keeps)
    return float(probability[last[reaching[-1]]]) if reaching.size else None


def report_from_by_kind(candidates: Candidates, accuracy: float, most_missed: float) -> dict[str, float] | None:
    """Give thresholds by class, equal within a kind, that report most and keep the goals; None: none do.

    Kinds are normal, infarction and other abnormality. Of reported normals, the share that `PolicyGoals` asks for is
    healthy.
    """
    kinds = KIND_OF[candidates.top]
    reaches = candidates.probability[:, np.newaxis] >= _GRID
    count, right = np.zeros((2, *(len(_GRID),) * 3))
    for kind in range(3):
        here = reaches & (kinds == kind)[:, np.newaxis]
        shape = [len(_GRID) if axis == kind else 1 for axis in range(3)]
        count += here.sum(axis=0).reshape(shape)
        right += (here & candidates.right[:, np.newaxis]).sum(axis=0).reshape(shape)
    normal = reaches & (kinds == KIND_OF[CLASS_NAMES.index("normal")])[:, np.newaxis]
    pure = (normal & candidates.right[:, np.newaxis]).sum(axis=0) >= (
        PolicyGoals.normal_purity + _PURITY_MARGIN
    ) * normal.sum(axis=0)
    safe = pure & ((normal & candidates.missed[:, np.newaxis]).sum(axis=0) <= most_missed)
    keeps = (right >= (accuracy + _MARGIN_BY_KIND) * (count + 1)) & safe  # normal is the last axis
    if not keeps.any():
        return None
    place = np.unravel_index(int(np.where(keeps, count, -1).argmax()), keeps.shape)
    return {name: float(_GRID[place[KIND_OF[index]]]) for index, name in enumerate(CLASS_NAMES)}
