"""Late fusion of the class network and the findings network, on two axes.

The class network knows the data set's labels and is sure of itself on patients it has never seen, so its say is
capped. The findings network moves normal against the rest, and infarction against the rest; which infarction it is
stays with the class network. Why so, and what else was tried: docs/decisions/0010-two-readers.md.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp

from trainer.classes import CLASS_NAMES

__all__ = ["INFARCTIONS", "NORMAL", "Fusion"]

NORMAL = CLASS_NAMES.index("normal")
INFARCTIONS = (CLASS_NAMES.index("history_of_mi"), CLASS_NAMES.index("myocardial_infarction"))

_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Fusion:
    """How two answers become one; chosen on deals of pages that no figure is given on."""

    cap: float = 1.5
    """The class network's log probabilities count as no lower than minus this."""
    weight: float = 0.3
    """Of the findings network's log odds on either axis."""

    def logits(self, class_logits: _Floats, findings_logits: _Floats) -> _Floats:
        """Join both readers' logits, each (pages, classes): (pages, classes), not calibrated."""
        fused = np.maximum(log_softmax(class_logits, axis=1), -self.cap)
        by_findings = log_softmax(findings_logits, axis=1)
        for axis in ((NORMAL,), INFARCTIONS):
            fused[:, axis] += self.weight * _log_odds(by_findings, axis)[:, np.newaxis]
        return fused


def _log_odds(log_probabilities: _Floats, classes: tuple[int, ...]) -> _Floats:
    """Log odds (pages,) of ``classes`` together against the others."""
    others = [place for place in range(log_probabilities.shape[1]) if place not in classes]
    within, without = (logsumexp(log_probabilities[:, places], axis=1) for places in (list(classes), others))
    return np.asarray(within - without)
