"""From calibrated probabilities, out of fold, to the thresholds a bundle carries. Knows no network and no page.

Thresholds look better on the pages they were chosen on than they are: `trainer.referrals` judges them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_registry.policy import DecisionPolicy, OperatingPoint
from trainer.calibrate import Calibrated
from trainer.classes import CLASS_NAMES
from trainer.errors import RunError
from trainer.intervals import groups_of, share_ci95, wilson
from trainer.metrics import coverage_curve
from trainer.out_of_fold import OutOfFold

__all__ = ["REASONS", "PolicyGoals", "choose_policy", "fit_policy", "operating_points", "referrals"]

REASONS = ("uncertain", "possible_critical_class", "unusual_page")
"""Why a page is referred, a rule each."""

_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PolicyGoals:
    """What thresholds are chosen for."""

    accuracy: float = 0.98
    """Of reported pages."""
    critical_class: str = "myocardial_infarction"
    sensitivity: float = 0.85
    """To the critical class, at least, whatever it flags."""
    flagged: float = 0.10
    """Share of the other classes' pages that more sensitivity than that may flag."""
    distance_percentile: float = 99.5
    """Of the pages' own distances; those beyond are referred."""

    @property
    def critical(self) -> int:
        """Place of the critical class in `CLASS_NAMES`."""
        return CLASS_NAMES.index(self.critical_class)


def choose_policy(out_of_fold: OutOfFold, calibrated: Calibrated, goals: PolicyGoals | None = None) -> DecisionPolicy:
    """Choose the thresholds for the graph: `fit_policy` on every page.

    Raises:
        RunError: as `fit_policy`.
    """
    return fit_policy(
        out_of_fold.labels,
        calibrated.probabilities,
        out_of_fold.groups,
        out_of_fold.mean_distances,
        goals or PolicyGoals(),
    )


def fit_policy(
    labels: NDArray[np.int64],
    probabilities: _Floats,
    groups: Sequence[str],
    distances: _Floats | None,
    goals: PolicyGoals,
) -> DecisionPolicy:
    """Choose the thresholds that report most pages at the accuracy asked for.

    ``labels``, ``groups`` and ``distances`` are (pages,), ``probabilities`` (pages, classes), 0 to 1. The default
    sensitivity is the highest that flags at most ``goals.flagged`` of the other classes' pages, and never less than
    ``goals.sensitivity``. ``report_from`` is chosen last, among pages that nothing else refers.

    Raises:
        RunError: no page is of the critical class, or no threshold reaches the accuracy asked for.
    """
    points = operating_points(labels == goals.critical, probabilities[:, goals.critical])
    point = _default_point(points, goals)
    largest_distance = None if distances is None else float(np.percentile(distances, goals.distance_percentile))
    flagged = _flagged(probabilities, goals.critical, point.threshold)
    candidates = ~(flagged | _far(distances, largest_distance, len(labels)))
    report_from = _report_from(labels[candidates], probabilities[candidates], goals.accuracy)
    reported = candidates & (probabilities.max(axis=1) >= report_from)
    right = probabilities[reported].argmax(axis=1) == labels[reported]
    lowest, highest = share_ci95(right, groups_of(groups, reported)) or (0, 1)
    return DecisionPolicy(
        target_accuracy=goals.accuracy,
        report_from=report_from,
        accuracy=float(right.mean()),
        accuracy_ci95=(lowest, highest),
        coverage=float(reported.mean()),
        critical_class=goals.critical_class,
        default_sensitivity=point.sensitivity,
        operating_points=points,
        largest_distance=largest_distance,
    )


def operating_points(critical: NDArray[np.bool_], probability: _Floats) -> tuple[OperatingPoint, ...]:
    """Give a point for each sensitivity that a threshold reaches, ascending to 1.

    ``critical`` (pages,) says which pages are of the critical class, ``probability`` (pages,) how probable it was. Each
    threshold is a page's own probability, the highest that reaches its sensitivity. Intervals are Wilson's over pages:
    resampling few pages that are all flagged would claim certainty.

    Raises:
        RunError: no page is critical.
    """
    if not critical.any():
        raise RunError("no page is of the critical class, so that no threshold for it can be chosen; add such pages")
    own, others = probability[critical], probability[~critical]
    points = []
    for threshold in np.unique(own)[::-1]:
        hits = int((own >= threshold).sum())
        lowest, highest = wilson(hits, own.size) or (0, 1)
        flagged = float((others >= threshold).mean()) if others.size else 0.0
        points.append(
            OperatingPoint(
                threshold=threshold, sensitivity=hits / own.size, sensitivity_ci95=(lowest, highest), flagged=flagged
            )
        )
    return tuple(points)


def referrals(
    policy: DecisionPolicy, probabilities: _Floats, distances: _Floats | None
) -> dict[str, NDArray[np.bool_]]:
    """Say which pages (pages,) each rule refers, as the service does; a page that none refers is reported."""
    critical = CLASS_NAMES.index(policy.critical_class)
    threshold = policy.operating_point(policy.default_sensitivity).threshold
    by_rule = (
        probabilities.max(axis=1) < policy.report_from,
        _flagged(probabilities, critical, threshold),
        _far(distances, policy.largest_distance, len(probabilities)),
    )
    return dict(zip(REASONS, by_rule, strict=True))


def _default_point(points: Sequence[OperatingPoint], goals: PolicyGoals) -> OperatingPoint:
    enough = next(point for point in points if point.sensitivity >= min(goals.sensitivity, 1.0))
    affordable = [point for point in points if point.flagged <= goals.flagged]
    return max([enough, *affordable], key=lambda point: point.sensitivity)


def _report_from(labels: NDArray[np.int64], probabilities: _Floats, target: float) -> float:
    """Give the lowest threshold that leaves ``target`` accuracy, with one more reported page counted, a wrong one.

    That page is the finite-sample term of conformal risk control (Angelopoulos et al. 2022): it makes up for choosing
    on the pages that are counted, and a lucky few at the top decide nothing.
    """
    curve = coverage_curve(labels, probabilities)
    counts = [round(coverage * len(labels)) for coverage in curve["coverage"]]
    cautious = [
        round(accuracy * count) / (count + 1) for accuracy, count in zip(curve["accuracy"], counts, strict=True)
    ]
    reaching = [place for place, accuracy in enumerate(cautious) if accuracy >= target]
    if not reaching:
        raise RunError(
            f"with one wrong page more, the surest of {len(labels)} pages are right in {max(cautious, default=0):.3f}; "
            f"{target:.3f} was asked for; ask for less, or train a better network"
        )
    return curve["threshold"][reaching[-1]]


def _flagged(probabilities: _Floats, critical: int, threshold: float) -> NDArray[np.bool_]:
    """Give the pages where the critical class is possible, but another one is more probable."""
    flagged: NDArray[np.bool_] = (probabilities[:, critical] >= threshold) & (probabilities.argmax(axis=1) != critical)
    return flagged


def _far(distances: _Floats | None, largest: float | None, pages: int) -> NDArray[np.bool_]:
    if distances is None or largest is None:
        return np.zeros(pages, bool)
    far: NDArray[np.bool_] = distances > largest
    return far
