"""The seam between the evaluation and what it evaluates."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trainer.page_set import PageSet

__all__ = ["Candidate", "Prediction", "Rows", "log_probabilities"]

Rows = NDArray[np.intp]

_LEAST_PROBABILITY = 1e-7
"""Below this a softmax in float32 is noise; a logarithm must stay finite."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """Log probabilities, not calibrated, of pages that the candidate was not fitted on."""

    page_logits: NDArray[np.float64]
    """(pages, classes)."""
    lead_logits: NDArray[np.float64] | None = None
    """(pages, leads, classes), page order."""
    logits_again: NDArray[np.float64] | None = None
    """(pages, classes) about the same curves at the reference heart rate."""
    history: NDArray[np.float64] | None = None
    """(epochs, 4) how it learned: `trainer.history.FIGURES` after each epoch; None where that was not watched."""


class Candidate(Protocol):
    """Something that can be fitted and asked, again and again, each time from nothing."""

    def fit_predict(self, pages: PageSet, fitted: Rows, asked: Rows, seed: int) -> Prediction:
        """Fit on the rows ``fitted`` of ``pages`` and answer for the rows ``asked``."""


def log_probabilities(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Finite logarithms of probabilities, whatever their shape."""
    return np.log(np.maximum(probabilities.astype(np.float64), _LEAST_PROBABILITY))
