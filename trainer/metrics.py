"""Probabilities and labels to figures."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from trainer.intervals import DRAWS, SEED, group_weights, percentiles, wilson

__all__ = [
    "SCALARS",
    "auroc",
    "classification_metrics",
    "coverage_curve",
    "ece",
    "log_losses",
    "page_metrics",
    "reliability",
    "reliability_points",
]

SCALARS = ("accuracy", "balanced_accuracy", "f1_macro", "auroc_macro", "brier", "log_loss", "ece")
"""The figures of `page_metrics` that are one number."""

_BINS = 15  # equal widths, as in Guo et al. 2017
_SMALLEST_PROBABILITY = 1e-7  # below what float32 can tell from 0 beside 1; keeps the log loss of a sure error finite

_Floats = NDArray[np.float64]


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
        "accuracy_ci95": wilson(int((labels == predicted).sum()), len(labels)),
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
            "recall_ci95": wilson(int(((labels == place) & (predicted == place)).sum()), int(support[place])),
            "f1": float(f1[place]),
            "rows": int(support[place]),
        }
        for place, name in enumerate(class_names)
    }


def page_metrics(
    labels: NDArray[np.int64],
    probabilities: NDArray[np.floating],
    groups: Sequence[str],
    class_names: Sequence[str],
    *,
    draws: int = DRAWS,
) -> dict[str, Any]:
    """Score calibrated page probabilities, each figure ``x`` with ``x_ci95`` over groups; plain JSON types.

    ``labels`` (pages,), places in ``class_names``; ``probabilities`` (pages, classes), 0 to 1; ``groups`` (pages,).
    Keys: `SCALARS`, ``rows``, ``groups``, ``confusion_matrix`` (rows the true class), ``ece_if_calibrated``,
    ``reliability``, ``coverage`` and ``classes``: by name recall, precision, F1 and AUROC (one against the rest), None
    where a class has no page. Draws without a page of the class are left out of such an interval; 0 draws give none.
    Where every page of a class is right, drawing again shows no spread and the interval has no width.

    ``brier`` is the sum over classes (Brier 1950), 0 to 2; ``log_loss`` is in nat. ``ece`` is the expected calibration
    error of the most probable class in 15 bins of equal width (Naeini et al. 2015; Guo et al. 2017). It cannot be
    negative, so few pages push it up, and drawing them again does so once more: its interval lies high.
    ``ece_if_calibrated`` is what these very probabilities would show on as many pages if each were true (Broecker and
    Smith 2007).
    """
    pages = np.ones((1, len(labels)))
    values = _figures(labels, probabilities, pages, len(class_names))
    drawn = _figures(labels, probabilities, group_weights(groups, draws), len(class_names))
    top = probabilities.max(axis=1)
    by_chance = ece(top - (np.random.default_rng(SEED).random((max(draws, 1), len(top))) < top), pages.sum(), top)
    return {
        "rows": len(labels),
        "groups": len(set(groups)),
        **{key: cell for name in SCALARS for key, cell in _cells(name, values[name], drawn[name]).items()},
        "ece_if_calibrated": float(by_chance.mean()),
        "ece_if_calibrated_ci95": percentiles(by_chance),
        "confusion_matrix": confusion_matrix(labels, probabilities.argmax(1), labels=range(len(class_names))).tolist(),
        "classes": {
            class_name: {"rows": int((labels == place).sum())}
            | {
                key: cell
                for name in ("recall", "precision", "f1", "auroc")
                for key, cell in _cells(name, values[name][:, place], drawn[name][:, place]).items()
            }
            for place, class_name in enumerate(class_names)
        },
        "reliability": reliability(labels, probabilities),
        "coverage": coverage_curve(labels, probabilities),
    }


def reliability(labels: NDArray[np.int64], probabilities: NDArray[np.floating]) -> list[dict[str, Any]]:
    """Points of the reliability diagram: the bins of ``ece`` that hold pages, ascending.

    Each with its number of ``pages``, their mean ``probability`` of the most probable class, their ``accuracy`` and
    Wilson's ``accuracy_ci95``.
    """
    return reliability_points(probabilities.argmax(axis=1) == labels, probabilities.max(axis=1))


def reliability_points(right: NDArray[np.bool_], probability: NDArray[np.floating]) -> list[dict[str, Any]]:
    """Give the same points of any event: whether it was so (pages,), and its probability (pages,)."""
    place = _bin(probability)
    return [
        {
            "pages": int(chosen.sum()),
            "probability": float(probability[chosen].mean()),
            "accuracy": float(right[chosen].mean()),
            "accuracy_ci95": wilson(int(right[chosen].sum()), int(chosen.sum())),
        }
        for chosen in (place == number for number in np.unique(place))
    ]


def coverage_curve(labels: NDArray[np.int64], probabilities: NDArray[np.floating]) -> dict[str, list[float]]:
    """Accuracy of the pages whose most probable class is at least as probable as a threshold, against their share.

    Lists ``threshold`` (descending, each distinct value once), ``coverage`` (ascending to 1) and ``accuracy``.
    """
    top, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    order = np.argsort(-top, kind="stable")
    last = np.flatnonzero(np.diff(top[order], append=-np.inf))  # pages that tie are reported together
    return {
        "threshold": top[order][last].tolist(),
        "coverage": ((last + 1) / len(top)).tolist(),
        "accuracy": (np.cumsum(right[order])[last] / (last + 1)).tolist(),
    }


def log_losses(labels: NDArray[np.int64], probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Give each row's log loss (rows,), in nat; no probability counts as less than 1e-7."""
    return np.asarray(-np.log(np.maximum(probabilities[np.arange(len(labels)), labels], _SMALLEST_PROBABILITY)))


def auroc(positive: NDArray[np.bool_], probability: NDArray[np.floating], weights: _Floats) -> _Floats:
    """Give the chance that a positive page stands above another one (Hanley and McNeil 1982).

    Args:
        positive: bool (pages,).
        probability: (pages,).
        weights: (draws, pages) how often each page counts.

    Returns:
        (draws,); NaN where one side has no page.
    """
    order = np.argsort(probability, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(probability[order]) > 0))
    above, below = (np.add.reduceat((weights * side)[:, order], starts, axis=1) for side in (positive, ~positive))
    won = (above * (np.cumsum(below, axis=1) - below / 2)).sum(axis=1)
    return _ratio(won, above.sum(axis=1) * below.sum(axis=1), np.nan)


def ece(excess: _Floats, total: _Floats | float, top: NDArray[np.floating]) -> _Floats:
    """Give the expected calibration error, (draws,), in 15 bins of equal width.

    Args:
        excess: (draws, pages) probability less hit, times the page's weight.
        total: (draws,) pages, weighted.
        top: (pages,) the probability.
    """
    return np.asarray(np.abs(excess @ np.eye(_BINS)[_bin(top)]).sum(axis=1) / total)


def _figures(
    labels: NDArray[np.int64], probabilities: NDArray[np.floating], weights: _Floats, classes: int
) -> dict[str, _Floats]:
    """Each figure for each row of ``weights`` (draws, pages): (draws,), by class (draws, classes); NaN: unknown."""
    true, answered = np.eye(classes)[labels], np.eye(classes)[probabilities.argmax(axis=1)]
    support, claimed, hits = weights @ true, weights @ answered, weights @ (true * answered)
    recall, f1 = _ratio(hits, support, np.nan), _ratio(2 * hits, support + claimed, 0)
    aurocs = np.stack([auroc(labels == place, probabilities[:, place], weights) for place in range(classes)], axis=1)
    total, top = weights.sum(axis=1), probabilities.max(axis=1)
    return {
        "accuracy": hits.sum(axis=1) / total,
        "balanced_accuracy": _mean_of_known(recall),
        "f1_macro": f1.mean(axis=1),
        "auroc_macro": _mean_of_known(aurocs),
        "brier": weights @ ((probabilities - true) ** 2).sum(axis=1) / total,
        "log_loss": weights @ log_losses(labels, probabilities) / total,
        "ece": ece(weights * (top - (true * answered).sum(axis=1)), total, top),
        "recall": recall,
        "precision": _ratio(hits, claimed, 0),
        "f1": f1,
        "auroc": aurocs,
    }


def _bin(top: NDArray[np.floating]) -> NDArray[np.int64]:
    return np.asarray(np.clip(np.ceil(top * _BINS) - 1, 0, _BINS - 1), np.int64)  # open below, closed above


def _ratio(part: _Floats, whole: _Floats, empty: float) -> _Floats:
    return np.divide(part, whole, out=np.full_like(part, empty), where=whole > 0)


def _mean_of_known(values: _Floats) -> _Floats:
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0).sum(axis=1), known.sum(axis=1).astype(float), np.nan)


def _cells(name: str, value: _Floats, drawn: _Floats) -> dict[str, Any]:
    return {name: None if np.isnan(value[0]) else float(value[0]), f"{name}_ci95": percentiles(drawn)}
