"""Thresholds of a decision policy: those that report most answers and keep every goal."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model_registry.policy import DecisionPolicy, OperatingPoint, ReaderRules
from trainer.classes import CLASS_NAMES
from trainer.errors import RunError
from trainer.fuse import INFARCTIONS, NORMAL
from trainer.intervals import share_ci95, wilson
from trainer.rates import REFERENCE_RATE_BPM
from trainer.readers import ReaderAnswers

__all__ = [
    "NoThresholdsError",
    "PolicyGoals",
    "Said",
    "Thresholds",
    "View",
    "choose_policy",
    "flagged",
    "operating_points",
    "reported_pages",
    "rest_on_rate",
    "view_of",
]

_Floats = NDArray[np.float64]
_Bools = NDArray[np.bool_]

_REPORT_FROM = (0.5, 0.6, 0.7, 0.8)
_CLASS_NETWORK_FROM = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98)
_FINDINGS_NETWORK_FROM = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.83, 0.86, 0.88, 0.9, 0.92, 0.95)
"""From half on: a reader that gives an answer less does not agree with it."""
_SIGN_WHERE_NORMAL = (0.01, 0.015, 0.02, 0.03, 0.05, 0.08, 0.12)
_SIGN_WHERE_OTHER = (0.05, 0.1, 0.15)
"""Infarctions that are reported as something else are too few to choose on: nothing above is looked at."""


@dataclass(frozen=True)
class PolicyGoals:
    """What thresholds are chosen for, on answers that are reported."""

    accuracy: float = 0.98
    """Of the data set's pages."""
    outside_accuracy: float = 0.90
    """Of other recordings."""
    normal_purity: float = 0.945
    """Share of the healthy among recordings reported as normal."""
    infarction_as_normal: float = 0.01
    """Share of infarctions elsewhere that are reported as normal."""
    critical_class: str = "myocardial_infarction"
    sensitivity: float = 0.85
    """To the critical class, at least, whatever it flags."""
    flagged: float = 0.10
    """Share of the other classes' pages that more sensitivity than that may flag."""


class NoThresholdsError(RunError):
    """No thresholds keep the goals."""


class Said(NamedTuple):
    """Calibrated probabilities of the same pages."""

    fused: _Floats
    """(pages, classes)."""
    readers: _Floats
    """(pages, 2, classes) class network, findings network."""
    again: _Floats
    """(pages, classes) the fused answer to the same curves at the reference heart rate."""


class View(NamedTuple):
    """What the rules look at, (pages,) each."""

    top: _Floats
    """Probability of the answer."""
    kind: NDArray[np.intp]
    """Of the answer; see `_KIND_OF`."""
    by_class_network: _Floats
    """What the class network gives the answer."""
    by_findings_network: _Floats
    """What the findings network gives the answer's kind."""
    sign: _Floats
    """The most that a reader gives infarction."""
    stopped: _Bools
    """Referred by a rule without a threshold to choose."""
    right: _Bools


class _Counts(NamedTuple):
    """How many pages a choice of thresholds reports, (choices,) each."""

    inside: _Floats
    inside_right: _Floats
    outside: _Floats
    outside_judged: _Floats
    outside_right: _Floats

    def with_each(self, other: "_Counts") -> "_Counts":
        """Add every choice of ``other`` to every choice here: one axis more."""
        return _Counts(*(one[..., np.newaxis] + more for one, more in zip(self, other, strict=True)))


class Thresholds(NamedTuple):
    """One choice."""

    report_from: float
    class_network_from: float
    findings_network_from: tuple[float, float, float]
    """By kind."""
    sign_where_other: float
    sign_where_normal: float


def choose_policy(answers: ReaderAnswers, said: Said, goals: PolicyGoals) -> DecisionPolicy:
    """Choose the thresholds that report most, on the data set's pages and elsewhere, and keep every goal.

    Each goal is asked with one more reported page counted, a wrong one: the finite-sample term of conformal risk
    control (Angelopoulos et al. 2022), which makes up for choosing on the pages that are counted.

    Raises:
        NoThresholdsError: none keep them.
        RunError: no page is of the critical class.
    """
    critical = CLASS_NAMES.index(goals.critical_class)
    inside, labels = answers.inside, answers.labels
    points = operating_points(labels.classes[inside, critical], said.fused[inside, critical])
    point = _default_point(points, goals)
    rules = ReaderRules(
        normal_class=CLASS_NAMES[NORMAL],
        infarction_classes=tuple(CLASS_NAMES[place] for place in INFARCTIONS),
        class_network_from=0,
        findings_network_from={},
        infarction_sign_from={},
        reference_rate_bpm=REFERENCE_RATE_BPM,
    )
    stopped = flagged(said.fused, goals, point) | rest_on_rate(answers, said, rules)
    view = view_of(answers, said, stopped)
    chosen = _best(view, answers, goals)
    reported = reported_pages(view, chosen) & inside
    return DecisionPolicy(
        target_accuracy=goals.accuracy,
        report_from=chosen.report_from,
        accuracy=float(view.right[reported].mean()),
        accuracy_ci95=tuple(share_ci95(view.right[reported], answers.groups[reported].tolist()) or (0, 1)),
        coverage=float(reported[inside].mean()),
        critical_class=goals.critical_class,
        default_sensitivity=point.sensitivity,
        operating_points=points,
        readers=rules.model_copy(
            update={
                "class_network_from": chosen.class_network_from,
                "findings_network_from": {
                    name: chosen.findings_network_from[_KIND_OF[place]] for place, name in enumerate(CLASS_NAMES)
                },
                "infarction_sign_from": {
                    name: (chosen.sign_where_normal if place == NORMAL else chosen.sign_where_other)
                    for place, name in enumerate(CLASS_NAMES)
                    if place not in INFARCTIONS
                },
            }
        ),
    )


def view_of(answers: ReaderAnswers, said: Said, stopped: _Bools) -> View:
    """Look at answers as the rules do; ``stopped`` (pages,) are referred whatever the thresholds."""
    fused, readers = said.fused, said.readers
    rows, top = np.arange(len(fused)), fused.argmax(axis=1)
    return View(
        top=fused[rows, top],
        kind=_KIND_OF[top],
        by_class_network=readers[rows, 0, top],
        by_findings_network=_kinds(readers[:, 1])[rows, _KIND_OF[top]],
        sign=readers[:, :, INFARCTIONS].sum(axis=2).max(axis=1),
        stopped=stopped,
        right=answers.labels.classes[rows, top],
    )


def flagged(fused: _Floats, goals: PolicyGoals, point: OperatingPoint) -> _Bools:
    """Give pages (pages,) that are flagged for the critical class though another one is more probable."""
    critical = CLASS_NAMES.index(goals.critical_class)
    return np.asarray((fused[:, critical] >= point.threshold) & (fused.argmax(axis=1) != critical))


def rest_on_rate(answers: ReaderAnswers, said: Said, rules: ReaderRules) -> _Bools:
    """Give pages (pages,) whose answer is of another kind at the reference rate."""
    top, (low, high) = said.fused.argmax(axis=1), rules.rate_band_bpm
    in_band = (answers.heart_rates_bpm >= low) & (answers.heart_rates_bpm <= high) & (top != NORMAL)
    return np.asarray(in_band & (_KIND_OF[said.again.argmax(axis=1)] != _KIND_OF[top]))


def reported_pages(view: View, chosen: Thresholds) -> _Bools:
    """Give the pages (pages,) that are reported."""
    least = np.array(chosen.findings_network_from)[view.kind]
    most = np.array([chosen.sign_where_other, np.inf, chosen.sign_where_normal])[view.kind]
    return np.asarray(_base(view, chosen) & (view.by_findings_network >= least) & (view.sign < most))


def _base(view: View, chosen: Thresholds) -> _Bools:
    return np.asarray(
        ~view.stopped & (view.top >= chosen.report_from) & (view.by_class_network >= chosen.class_network_from)
    )


def _best(view: View, answers: ReaderAnswers, goals: PolicyGoals) -> Thresholds:
    """Look through every combination. Kinds of answers are counted apart, and their counts added.

    Raises:
        NoThresholdsError: none keeps the goals.
    """
    best, thresholds = 0.0, None
    pages = answers.inside.sum(), (~answers.inside).sum()
    for report_from, class_from in product(_REPORT_FROM, _CLASS_NETWORK_FROM):
        base = _base(view, Thresholds(report_from, class_from, (0, 0, 0), 1, 1))
        normals = [
            choice
            for choice in product(_FINDINGS_NETWORK_FROM, _SIGN_WHERE_NORMAL)
            if _safe(base & _of_kind(view, _NORMAL_KIND, choice), answers, goals)
        ]
        if not normals:
            continue
        others = [*product(_FINDINGS_NETWORK_FROM, _SIGN_WHERE_OTHER)]
        infarctions = [(least, np.inf) for least in _FINDINGS_NETWORK_FROM]
        by_kind = [
            _count(answers, view, [base & _of_kind(view, kind, choice) for choice in choices])
            for kind, choices in ((_OTHER_KIND, others), (_INFARCTION_KIND, infarctions), (_NORMAL_KIND, normals))
        ]
        counts = by_kind[0].with_each(by_kind[1]).with_each(by_kind[2])
        keeps = (counts.inside_right >= goals.accuracy * (counts.inside + 1)) & (
            counts.outside_right >= goals.outside_accuracy * (counts.outside_judged + 1)
        )
        coverage = np.where(keeps, (counts.inside / pages[0] + counts.outside / max(pages[1], 1)) / 2, 0)
        place = np.unravel_index(int(coverage.argmax()), coverage.shape)
        if coverage[place] > best:
            best = float(coverage[place])
            other, infarction, normal = others[place[0]], infarctions[place[1]], normals[place[2]]
            least = other[0], infarction[0], normal[0]
            thresholds = Thresholds(report_from, class_from, least, other[1], normal[1])
    if thresholds is None:
        raise NoThresholdsError(
            f"no thresholds reach an accuracy of {goals.accuracy:.3f} on the data set's pages and "
            f"{goals.outside_accuracy:.3f} elsewhere; ask for less, or train better networks"
        )
    return thresholds


def _of_kind(view: View, kind: int, choice: tuple[float, float]) -> _Bools:
    """Give the answers (pages,) of one kind that the findings network supports, without a sign of infarction."""
    least, sign = choice
    return np.asarray((view.kind == kind) & (view.by_findings_network >= least) & (view.sign < sign))


def _safe(as_normal: _Bools, answers: ReaderAnswers, goals: PolicyGoals) -> bool:
    """Say whether what is reported as normal elsewhere is pure enough, and misses few enough infarctions."""
    labels, elsewhere = answers.labels, ~answers.inside & answers.labels.judged
    as_normal = as_normal & elsewhere
    missed = np.count_nonzero(as_normal & labels.infarction) + 1
    pure = np.count_nonzero(as_normal & labels.normal) >= goals.normal_purity * (np.count_nonzero(as_normal) + 1)
    return bool(pure and missed <= goals.infarction_as_normal * np.count_nonzero(elsewhere & labels.infarction))


def _count(answers: ReaderAnswers, view: View, choices: Sequence[_Bools]) -> _Counts:
    masks, inside, judged = np.stack(choices).astype(float), answers.inside, answers.labels.judged
    weights = (inside, inside & view.right, ~inside, ~inside & judged, ~inside & judged & view.right)
    return _Counts(*(masks @ weight for weight in weights))


_OTHER_KIND, _INFARCTION_KIND, _NORMAL_KIND = range(3)
_KIND_OF = np.array(
    [
        _INFARCTION_KIND if place in INFARCTIONS else _NORMAL_KIND if place == NORMAL else _OTHER_KIND
        for place in range(len(CLASS_NAMES))
    ]
)
"""Kind of each class."""


def _kinds(probabilities: _Floats) -> _Floats:
    """Sum probabilities (..., classes) by kind: (..., 3)."""
    return np.stack([probabilities[..., kind == _KIND_OF].sum(axis=-1) for kind in range(3)], axis=-1)


def operating_points(critical: _Bools, probability: _Floats) -> tuple[OperatingPoint, ...]:
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


def _default_point(points: Sequence[OperatingPoint], goals: PolicyGoals) -> OperatingPoint:
    enough = next(point for point in points if point.sensitivity >= min(goals.sensitivity, 1.0))
    affordable = [point for point in points if point.flagged <= goals.flagged]
    return max([enough, *affordable], key=lambda point: point.sensitivity)
