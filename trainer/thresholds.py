"""Thresholds of a decision policy: those that report most answers and keep every goal."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress, product
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
    "KIND_OF",
    "NoThresholdsError",
    "PolicyGoals",
    "Said",
    "Thresholds",
    "View",
    "choose_policy",
    "default_point",
    "flagged",
    "operating_points",
    "reported_pages",
    "rest_on_rate",
    "view_of",
]

_Floats = NDArray[np.float64]
_Bools = NDArray[np.bool_]

_HALF = 0.5
"""An answer, and what a reader gives it, are at least this probable: with less, all other classes outweigh it."""
_CLASS_NETWORK_FROM = (0.8, 0.9, 0.95)
_FINDINGS_NETWORK_FROM = (_HALF, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
_FINDINGS_NETWORK_FROM_NORMAL = (0.8, 0.83, 0.85, 0.87, 0.89, 0.9, 0.91, 0.92, 0.93, 0.94)
_SIGN_WHERE_NORMAL = (0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1)
_SIGN_WHERE_OTHER = (0.08,)  # a fast, wide infarction shows no more to either network: docs/evidence/experiments.md
"""Infarctions that are reported as something else are too few to choose on: nothing above is looked at."""


@dataclass(frozen=True)
class PolicyGoals:
    """What thresholds are chosen for, on answers that are reported."""

    accuracy: float = 0.98
    """Of the data set's pages."""
    outside_accuracy: float = 0.90
    """Of other recordings."""
    normal_purity: float = 0.94
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

    kind: NDArray[np.intp]
    """Of the answer; see `KIND_OF`."""
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
    """One choice for one kind of answer."""

    class_network_from: float
    findings_network_from: float
    sign_from: float
    """Infinite: a sign of infarction is no reason."""


def choose_policy(answers: ReaderAnswers, said: Said, goals: PolicyGoals) -> DecisionPolicy:
    """Choose the thresholds that report most, on the data set's pages and elsewhere, and keep every goal.

    Both accuracies are asked with one more reported page counted, a wrong one: the finite-sample term of conformal risk
    control (Angelopoulos et al. 2022), which makes up for choosing on the pages that are counted.

    Raises:
        NoThresholdsError: none keep them, or no page is of the critical class.
    """
    critical = CLASS_NAMES.index(goals.critical_class)
    inside, labels = answers.inside, answers.labels
    points = operating_points(labels.classes[inside, critical], said.fused[inside, critical])
    point = default_point(points, goals)
    rules = ReaderRules(
        normal_class=CLASS_NAMES[NORMAL],
        infarction_classes=tuple(CLASS_NAMES[place] for place in INFARCTIONS),
        class_network_from={},
        findings_network_from={},
        infarction_sign_from={},
        reference_rate_bpm=REFERENCE_RATE_BPM,
    )
    stopped = flagged(said.fused, goals, point) | rest_on_rate(answers, said, rules) | (said.fused.max(axis=1) < _HALF)
    view = view_of(answers, said, stopped)
    chosen = _best(view, answers, goals)
    reported = reported_pages(view, chosen) & inside
    by_class = {name: chosen[KIND_OF[place]] for place, name in enumerate(CLASS_NAMES)}
    return DecisionPolicy(
        target_accuracy=goals.accuracy,
        report_from=_HALF,
        accuracy=float(view.right[reported].mean()),
        accuracy_ci95=tuple(share_ci95(view.right[reported], answers.groups[reported].tolist()) or (0, 1)),
        coverage=float(reported[inside].mean()),
        critical_class=goals.critical_class,
        default_sensitivity=point.sensitivity,
        operating_points=points,
        readers=rules.model_copy(
            update={
                "class_network_from": {name: one.class_network_from for name, one in by_class.items()},
                "findings_network_from": {name: one.findings_network_from for name, one in by_class.items()},
                "infarction_sign_from": {
                    name: one.sign_from for name, one in by_class.items() if np.isfinite(one.sign_from)
                },
            }
        ),
    )


def view_of(answers: ReaderAnswers, said: Said, stopped: _Bools) -> View:
    """Look at answers as the rules do; ``stopped`` (pages,) are referred whatever the thresholds."""
    fused, readers = said.fused, said.readers
    rows, top = np.arange(len(fused)), fused.argmax(axis=1)
    return View(
        kind=KIND_OF[top],
        by_class_network=readers[rows, 0, top],
        by_findings_network=_kinds(readers[:, 1])[rows, KIND_OF[top]],
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
    return np.asarray(in_band & (KIND_OF[said.again.argmax(axis=1)] != KIND_OF[top]))


def reported_pages(view: View, chosen: Sequence[Thresholds]) -> _Bools:
    """Give the pages (pages,) that are reported; ``chosen`` by kind."""
    by_kind = [_of_kind(view, kind, thresholds) for kind, thresholds in enumerate(chosen)]
    return np.asarray(np.any(by_kind, axis=0))


def _of_kind(view: View, kind: int, chosen: Thresholds) -> _Bools:
    """Give the pages (pages,) whose answer is of one kind and is reported."""
    return np.asarray(
        (view.kind == kind)
        & ~view.stopped
        & (view.by_class_network >= chosen.class_network_from)
        & (view.by_findings_network >= chosen.findings_network_from)
        & (view.sign < chosen.sign_from)
    )


def _best(view: View, answers: ReaderAnswers, goals: PolicyGoals) -> list[Thresholds]:
    """Look through every combination. Kinds of answers are counted apart, and their counts added.

    Raises:
        NoThresholdsError: none keeps the goals.
    """
    signs = {_OTHER_KIND: _SIGN_WHERE_OTHER, _INFARCTION_KIND: (np.inf,), _NORMAL_KIND: _SIGN_WHERE_NORMAL}
    candidates, by_kind = [], []
    for kind, by_sign in signs.items():
        by_findings = _FINDINGS_NETWORK_FROM_NORMAL if kind == _NORMAL_KIND else _FINDINGS_NETWORK_FROM
        choices = [Thresholds(*choice) for choice in product(_CLASS_NETWORK_FROM, by_findings, by_sign)]
        masks = [_of_kind(view, kind, choice) for choice in choices]
        if kind == _NORMAL_KIND:
            safe = [_safe(mask, answers, goals) for mask in masks]
            choices, masks = list(compress(choices, safe)), list(compress(masks, safe))
        if not choices:
            raise NoThresholdsError(
                f"no thresholds report normals of which {goals.normal_purity:.3f} are healthy with at most"
                f" {goals.infarction_as_normal:.3f} of the infarctions; train better networks"
            )
        candidates.append(choices)
        by_kind.append(_count(answers, view, masks))
    counts = by_kind[0].with_each(by_kind[1]).with_each(by_kind[2])
    keeps = (counts.inside_right >= goals.accuracy * (counts.inside + 1)) & (
        counts.outside_right >= goals.outside_accuracy * (counts.outside_judged + 1)
    )
    if not keeps.any():
        raise NoThresholdsError(
            f"no thresholds reach an accuracy of {goals.accuracy:.3f} on the data set's pages and "
            f"{goals.outside_accuracy:.3f} elsewhere; ask for less, or train better networks"
        )
    inside = answers.inside
    coverage = counts.inside / inside.sum() + counts.outside / max((~inside).sum(), 1)
    place = np.unravel_index(int(np.where(keeps, coverage, -1).argmax()), keeps.shape)
    return [choices[at] for choices, at in zip(candidates, place, strict=True)]


def _safe(as_normal: _Bools, answers: ReaderAnswers, goals: PolicyGoals) -> bool:
    """Say whether what is reported as normal elsewhere is pure enough, and misses few enough infarctions."""
    labels, elsewhere = answers.labels, ~answers.inside & answers.labels.judged
    as_normal = as_normal & elsewhere
    missed = np.count_nonzero(as_normal & labels.infarction)
    pure = np.count_nonzero(as_normal & labels.normal) >= goals.normal_purity * np.count_nonzero(as_normal)
    return bool(pure and missed <= goals.infarction_as_normal * np.count_nonzero(elsewhere & labels.infarction))


def _count(answers: ReaderAnswers, view: View, choices: Sequence[_Bools]) -> _Counts:
    masks, inside, judged = np.stack(choices).astype(float), answers.inside, answers.labels.judged
    weights = (inside, inside & view.right, ~inside, ~inside & judged, ~inside & judged & view.right)
    return _Counts(*(masks @ weight for weight in weights))


_OTHER_KIND, _INFARCTION_KIND, _NORMAL_KIND = range(3)
KIND_OF = np.array(
    [
        _INFARCTION_KIND if place in INFARCTIONS else _NORMAL_KIND if place == NORMAL else _OTHER_KIND
        for place in range(len(CLASS_NAMES))
    ]
)
"""Kind of each class: other abnormality, infarction, normal."""


def _kinds(probabilities: _Floats) -> _Floats:
    """Sum probabilities (..., classes) by kind: (..., 3)."""
    return np.stack([probabilities[..., kind == KIND_OF].sum(axis=-1) for kind in range(3)], axis=-1)


def operating_points(critical: _Bools, probability: _Floats) -> tuple[OperatingPoint, ...]:
    """Give a point for each sensitivity that a threshold reaches, ascending to 1.

    ``critical`` (pages,) says which pages are of the critical class, ``probability`` (pages,) how probable it was. Each
    threshold is a page's own probability, the highest that reaches its sensitivity. Intervals are Wilson's over pages:
    resampling few pages that are all flagged would claim certainty.

    Raises:
        NoThresholdsError: no page is critical.
    """
    if not critical.any():
        raise NoThresholdsError("no page is of the critical class, so that none can be flagged; add such pages")
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
    return tuple(_thinned(points))


def _thinned(points: Sequence[OperatingPoint]) -> Sequence[OperatingPoint]:
    """Keep one point for each percent of sensitivity, the first that reaches it, and the last."""
    first = {math.floor(round(point.sensitivity * 100, 6)): point for point in reversed(points)}
    return list(first.values())[::-1]


def default_point(points: Sequence[OperatingPoint], goals: PolicyGoals) -> OperatingPoint:
    """Choose the point of the sensitivity that ``goals`` ask, or of more if it flags few other pages."""
    enough = next(point for point in points if point.sensitivity >= min(goals.sensitivity, 1.0))
    affordable = [point for point in points if point.flagged <= goals.flagged]
    return max([enough, *affordable], key=lambda point: point.sensitivity)
