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

__all__ = ["INFARCTIONS", "NORMAL", "WITHOUT_AGE", "Fusion"]

NORMAL = CLASS_NAMES.index("normal")
INFARCTIONS = (CLASS_NAMES.index("history_of_mi"), CLASS_NAMES.index("myocardial_infarction"))

WITHOUT_AGE = np.eye(len(CLASS_NAMES))[
    [INFARCTIONS[1] if place in INFARCTIONS else place for place in range(len(CLASS_NAMES))]
]
"""(classes, classes) moves what an old infarction is given to the other class, which holds those of unknown age.

Few recordings tell the findings network how old an infarction is, so its answer does not say.
"""
_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Fusion:
    """How two answers become one; chosen as docs/evidence/experiments.md says."""

    cap: float = 2.5
    """The class network's log probabilities count as no lower than minus this."""
    normal_weight: float = 0.35
    """Of the findings network's log odds of normal."""
    infarction_weight: float = 0.3
    """Of its log odds of infarction."""

    def logits(self, by_class_network: _Floats, by_findings_network: _Floats) -> _Floats:
        """Join both readers: (pages, classes), not calibrated.

        Args:
            by_class_network: (pages, classes) log probabilities or logits, calibrated on the data set.
            by_findings_network: (pages, classes) logits.
        """
        fused = np.maximum(log_softmax(by_class_network, axis=1), -self.cap)
        by_findings = log_softmax(by_findings_network, axis=1)
        for axis, weight in (((NORMAL,), self.normal_weight), (INFARCTIONS, self.infarction_weight)):
            fused[:, axis] += weight * _log_odds(by_findings, axis)[:, np.newaxis]
        return fused


def _log_odds(log_probabilities: _Floats, classes: tuple[int, ...]) -> _Floats:
    """Log odds (pages,) of ``classes`` together against the others."""
    others = [place for place in range(log_probabilities.shape[1]) if place not in classes]
    within, without = (logsumexp(log_probabilities[:, places], axis=1) for places in (list(classes), others))
    return np.asarray(within - without)
