"""From logits to probabilities that mean what they say.

A figure on calibrated probabilities is always given on cross-fitted ones: each page's calibration was fitted without
its fold. Bias moves the classes towards their shares in these pages: where they are otherwise, so is the right bias.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, logsumexp, softmax

from trainer.classes import CLASS_NAMES
from trainer.intervals import mean_ci95
from trainer.metrics import SCALARS, log_losses, page_metrics
from trainer.out_of_fold import OutOfFold

__all__ = ["Calibrated", "Calibration", "calibrate", "fit_calibration", "fit_temperature", "single_network_metrics"]

_TEMPERATURES = (0.05, 20.0)
_LARGEST_BIAS = 5.0  # a class 150 times as frequent; keeps one without pages, whose best bias is without end, finite
_CALIBRATION_FIGURES = ("ece", "brier", "log_loss")

_Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Calibration:
    """Probabilities are the softmax of ``logits / temperature + bias``."""

    temperature: float
    bias: _Floats
    """(classes,), mean 0."""

    def logits(self, logits: _Floats) -> _Floats:
        """Calibrate ``logits`` (pages, classes), before the softmax."""
        return np.asarray(logits / self.temperature + self.bias)

    def probabilities(self, logits: _Floats) -> _Floats:
        """Calibrate ``logits`` (pages, classes); gives (pages, classes), 0 to 1, each row summing to 1."""
        return np.asarray(softmax(self.logits(logits), axis=-1))


@dataclass(frozen=True, eq=False)
class Calibrated:
    """The mean of the repeats, calibrated."""

    calibration: Calibration
    """Fitted on every page: what goes into the graph."""
    probabilities: _Floats
    """(pages, classes) by `calibration`: what thresholds for the graph are chosen on."""
    cross_fitted: _Floats
    """(pages, classes) by calibrations that did not see the page's fold: what figures are given on."""
    biased: bool
    """Whether class bias was worth fitting beside the temperature."""
    facts: dict[str, Any]
    """For the manifest and the card; plain JSON types."""


def fit_temperature(logits: _Floats, labels: NDArray[np.int64]) -> float:
    """Find the temperature (0.05 to 20) of lowest log loss; ``logits`` (pages, classes), ``labels`` (pages,).

    Guo et al. 2017, "On calibration of modern neural networks". Where every page is right, the loss falls without end
    and the lower bound is given.
    """
    return fit_calibration(logits, np.eye(logits.shape[1], dtype=bool)[labels], biased=False).temperature


def fit_calibration(
    logits: _Floats, right: NDArray[np.bool_], *, biased: bool | Sequence[bool], weights: _Floats | None = None
) -> Calibration:
    """Find the temperature and the bias (within 5) of each class that is ``biased``, of lowest log loss.

    Args:
        logits: (pages, classes).
        right: (pages, classes) which classes are a right answer; a page with several counts by their sum.
        biased: for which classes to fit a bias; True: for all.
        weights: (pages,) how much each page counts; ``None``: the same.
    """
    pages, classes = logits.shape
    share = np.full(pages, 1 / pages) if weights is None else weights / weights.sum()

    def loss(parameters: _Floats) -> tuple[float, _Floats]:
        log_probabilities = log_softmax(parameters[0] * logits + parameters[1:], axis=1)
        of_right = logsumexp(np.where(right, log_probabilities, -np.inf), axis=1)
        within = np.where(right, np.exp(log_probabilities - of_right[:, np.newaxis]), 0)
        excess = (np.exp(log_probabilities) - within) * share[:, np.newaxis]
        gradient = np.concatenate([[(excess * logits).sum()], excess.sum(axis=0)])
        return -float((share * of_right).sum()), gradient

    inverse = (1 / _TEMPERATURES[1], 1 / _TEMPERATURES[0])
    reaches = np.where(np.broadcast_to(biased, classes), _LARGEST_BIAS, 0.0)
    start = np.array([1.0, *np.zeros(classes)])
    found = minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[inverse, *zip(-reaches, reaches, strict=True)],
        options={"ftol": 1e-12, "gtol": 1e-8},
    )
    return Calibration(1 / float(found.x[0]), found.x[1:] - found.x[1:].mean())


def calibrate(out_of_fold: OutOfFold) -> Calibrated:
    """Calibrate the mean of the repeats.

    Class bias is kept only where it lowers the cross-fitted log loss by more than chance: the 95 % interval over groups
    of the difference lies below 0. Folds are those of the first repeat.
    """
    logits, labels, groups = out_of_fold.mean_logits, out_of_fold.labels, out_of_fold.groups
    plain = Calibration(1.0, np.zeros(logits.shape[1])).probabilities(logits)
    by_method = {biased: _cross_fit(logits, labels, out_of_fold.folds[0], biased) for biased in (False, True)}
    change = log_losses(labels, by_method[True]) - log_losses(labels, by_method[False])
    change_ci95 = mean_ci95(change, groups)
    biased = change_ci95 is not None and change_ci95[1] < 0
    calibration = fit_calibration(logits, _one_hot(labels, logits), biased=biased)
    facts = {
        "method": "temperature and class bias" if biased else "temperature",
        "temperature": calibration.temperature,
        "bias": calibration.bias.tolist(),
        "bias_changes_log_loss": float(change.mean()),
        "bias_changes_log_loss_ci95": change_ci95,
        "before": _figures(out_of_fold, plain),
        "after": _figures(out_of_fold, by_method[biased]),
    }
    return Calibrated(calibration, calibration.probabilities(logits), by_method[biased], biased, facts)


def single_network_metrics(out_of_fold: OutOfFold, *, biased: bool) -> dict[str, float]:
    """Each of `SCALARS`, the mean over repeats of what one network reaches by itself, calibrated across its folds."""
    repeats = [
        page_metrics(
            out_of_fold.labels,
            _cross_fit(logits, out_of_fold.labels, folds, biased),
            out_of_fold.groups,
            CLASS_NAMES,
            draws=0,
        )
        for logits, folds in zip(out_of_fold.page_logits, out_of_fold.folds, strict=True)
    ]
    return {name: fmean(repeat[name] for repeat in repeats) for name in SCALARS}


def _cross_fit(logits: _Floats, labels: NDArray[np.int64], folds: NDArray[np.int64], biased: bool) -> _Floats:
    """Probabilities (pages, classes): each fold's by a calibration fitted on the others."""
    probabilities = np.empty_like(logits)
    for fold in np.unique(folds):
        held_out = folds == fold
        fitted = fit_calibration(logits[~held_out], _one_hot(labels, logits)[~held_out], biased=biased)
        probabilities[held_out] = fitted.probabilities(logits[held_out])
    return probabilities


def _one_hot(labels: NDArray[np.int64], logits: _Floats) -> NDArray[np.bool_]:
    return np.eye(logits.shape[1], dtype=bool)[labels]


def _figures(out_of_fold: OutOfFold, probabilities: _Floats) -> dict[str, Any]:
    metrics = page_metrics(out_of_fold.labels, probabilities, out_of_fold.groups, CLASS_NAMES)
    names = [name for figure in _CALIBRATION_FIGURES for name in (figure, f"{figure}_ci95")]
    return {name: metrics[name] for name in [*names, "ece_if_calibrated"]}
