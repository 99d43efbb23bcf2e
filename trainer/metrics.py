"""Probabilities and labels to figures. Knows no file and no model."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

__all__ = ["classification_metrics"]


def classification_metrics(
    labels: NDArray[np.int64], probabilities: NDArray[np.floating], class_names: Sequence[str]
) -> dict[str, Any]:
    """Score the most probable class of each row; plain JSON types.

    ``labels`` (rows,) are places in ``class_names``, ``probabilities`` (rows, classes). Precision, recall and F1 are
    weighted by class frequency as the published method reports them; ``f1_macro`` is not. A class without rows counts
    as zero in ``f1_macro`` and not at all in ``balanced_accuracy``. Intervals are Wilson's (1927), 95 %, which takes
    rows as independent: for lead images, 13 of which share a page, they are too narrow.
    """
    predicted = probabilities.argmax(axis=1)
    weighted = precision_recall_fscore_support(labels, predicted, average="weighted", zero_division=0)
    by_class = _by_class(labels, predicted, class_names)
    return {
        "rows": len(labels),
        "accuracy": float(accuracy_score(labels, predicted)),
        "accuracy_ci95": _wilson(int((labels == predicted).sum()), len(labels)),
        "balanced_accuracy": fmean(row["recall"] for row in by_class.values() if row["rows"]),
        "precision": float(weighted[0]),
        "recall": float(weighted[1]),
        "f1": float(weighted[2]),
        "f1_macro": fmean(row["f1"] for row in by_class.values()),
        "confusion_matrix": confusion_matrix(labels, predicted, labels=range(len(class_names))).tolist(),
        "classes": by_class,
    }


def _by_class(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], class_names: Sequence[str]
) -> dict[str, dict[str, Any]]:
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, predicted, labels=range(len(class_names)), zero_division=0
    )
    return {
        name: {
            "precision": float(precision[place]),
            "recall": float(recall[place]),
            "recall_ci95": _wilson(int(((labels == place) & (predicted == place)).sum()), int(support[place])),
            "f1": float(f1[place]),
            "rows": int(support[place]),
        }
        for place, name in enumerate(class_names)
    }


def _wilson(successes: int, trials: int) -> list[float] | None:
    """95 % interval of a share; None without trials, where nothing is known."""
    if not trials:
        return None
    interval = binomtest(successes, trials).proportion_ci(confidence_level=0.95, method="wilson")
    return [float(interval.low), float(interval.high)]
