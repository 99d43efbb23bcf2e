"""What a decision policy gives, on pages its thresholds were not chosen on as well. Knows no network and no page."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.calibrate import Calibrated, fit_calibration
from trainer.errors import RunError
from trainer.intervals import groups_of, share_ci95, wilson
from trainer.out_of_fold import OutOfFold
from trainer.policy import REASONS, PolicyGoals, choose_policy, fit_policy, referrals

__all__ = ["cross_fitted_referrals", "policy_figures", "reported_pages"]


def cross_fitted_referrals(
    out_of_fold: OutOfFold, calibrated: Calibrated, goals: PolicyGoals | None = None
) -> dict[str, NDArray[np.bool_]]:
    """Say which pages (pages,) each rule refers, each fold by what was chosen on the other folds of the first repeat.

    That holds for temperature and bias as well. Where the others give no threshold, all of the fold is uncertain.
    """
    logits, labels, distances = out_of_fold.mean_logits, out_of_fold.labels, out_of_fold.mean_distances
    referred = {reason: np.zeros(len(labels), bool) for reason in REASONS}
    for fold in np.unique(out_of_fold.folds[0]):
        held_out = out_of_fold.folds[0] == fold
        calibration = fit_calibration(logits[~held_out], labels[~held_out], biased=calibrated.biased)
        try:
            policy = fit_policy(
                labels[~held_out],
                calibration.probabilities(logits[~held_out]),
                groups_of(out_of_fold.groups, ~held_out),
                None if distances is None else distances[~held_out],
                goals or PolicyGoals(),
            )
        except RunError:
            referred["uncertain"][held_out] = True
            continue
        here = None if distances is None else distances[held_out]
        for reason, pages in referrals(policy, calibrated.cross_fitted[held_out], here).items():
            referred[reason][held_out] = pages
    return referred


def reported_pages(referred: Mapping[str, NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Give the pages (pages,) that no rule refers."""
    referred_at_all: NDArray[np.bool_] = np.any(list(referred.values()), axis=0)
    return ~referred_at_all


def policy_figures(out_of_fold: OutOfFold, calibrated: Calibrated, goals: PolicyGoals | None = None) -> dict[str, Any]:
    """What a policy gives: ``as_fitted`` on the pages it was chosen on, ``cross_fitted`` on folds it was not.

    Each with the number of ``reported`` pages, their ``accuracy``, ``coverage``, ``critical_caught`` (the share of
    critical pages that are not reported as another class), and the pages ``referred`` by reason. Plain JSON types.

    Raises:
        RunError: as `fit_policy`.
    """
    goals = goals or PolicyGoals()
    policy = choose_policy(out_of_fold, calibrated, goals)
    fitted = referrals(policy, calibrated.probabilities, out_of_fold.mean_distances)
    crossed = cross_fitted_referrals(out_of_fold, calibrated, goals)
    return {
        "as_fitted": _figures(out_of_fold, calibrated.probabilities, fitted, goals),
        "cross_fitted": _figures(out_of_fold, calibrated.cross_fitted, crossed, goals),
    }


def _figures(
    out_of_fold: OutOfFold,
    probabilities: NDArray[np.float64],
    referred: Mapping[str, NDArray[np.bool_]],
    goals: PolicyGoals,
) -> dict[str, Any]:
    labels, groups = out_of_fold.labels, out_of_fold.groups
    reported = reported_pages(referred)
    right, critical = probabilities.argmax(axis=1) == labels, labels == goals.critical
    caught = (right | ~reported)[critical]
    return {
        "reported": int(reported.sum()),
        "accuracy": float(right[reported].mean()) if reported.any() else None,
        "accuracy_ci95": share_ci95(right[reported], groups_of(groups, reported)),
        "coverage": float(reported.mean()),
        "coverage_ci95": share_ci95(reported, groups),
        "critical_caught": float(caught.mean()),
        "critical_caught_ci95": wilson(int(caught.sum()), caught.size),
        "referred": {reason: int(pages.sum()) for reason, pages in referred.items()},
    }
