"""Calibrations and thresholds of a bundle with two readers, chosen on answers out of fold.

Chosen on the data set's pages and on recordings of other patients together, so that a promise holds on both. Thresholds
look better on the pages they were chosen on than they are: `cross_fitted` judges each fold by a choice without it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from model_registry.decision import PageAnswer, decide, rests_on_rate
from model_registry.policy import DecisionPolicy, OperatingPoint, ReaderRules
from trainer.calibrate import Calibration, fit_calibration
from trainer.classes import CLASS_NAMES
from trainer.errors import RunError
from trainer.findings import CODES
from trainer.findings_run import FindingsAnswers
from trainer.fuse import INFARCTIONS, NORMAL, Fusion
from trainer.intervals import share_ci95, wilson
from trainer.rates import REFERENCE_RATE_BPM
from trainer.readers import ReaderAnswers
from trainer.validation.figures import Answers

__all__ = ["Choice", "PolicyGoals", "choose", "cross_fitted", "operating_points"]

_Floats = NDArray[np.float64]
_Bools = NDArray[np.bool_]

_INSIDE_SHARE = 0.25
"""Weight of the data set's pages, all together, against all other recordings in the fused calibration."""
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


@dataclass(frozen=True, eq=False)
class Choice:
    """Everything that is fitted on answers out of fold."""

    fusion: Fusion
    fused: Calibration
    class_network: Calibration
    findings_network: Calibration
    slopes: _Floats
    """(findings,) of each finding's logit; with ``offsets`` its calibration (Platt 1999)."""
    offsets: _Floats
    thresholds: tuple[float, ...]
    """Of each calibrated finding."""
    policy: DecisionPolicy | None
    """None: no thresholds keep the goals."""
    why_none: str = ""

    def probabilities(self, class_logits: _Floats, findings: FindingsAnswers) -> tuple[_Floats, _Floats]:
        """Give the fused answer (pages, classes) and each reader's own (pages, 2, classes)."""
        by_class_network = self.class_network.logits(class_logits)
        fused = self.fused.probabilities(self.fusion.logits(by_class_network, findings.classes))
        readers = (
            self.class_network.probabilities(class_logits),
            self.findings_network.probabilities(findings.classes),
        )
        return fused, np.stack(readers, axis=1)

    def finding_probabilities(self, logits: _Floats) -> _Floats:
        """Calibrate findings' logits (pages, findings)."""
        return np.asarray(expit(self.slopes * logits + self.offsets))

    def answers(self, answers: ReaderAnswers) -> Answers:
        """Answer and decide as the service does."""
        fused, readers = self.probabilities(answers.class_logits, answers.findings)
        again, _ = self.probabilities(answers.class_logits_again, answers.findings_again)
        return Answers(
            probabilities=fused,
            reasons=tuple(
                self._reasons(fused[row], readers[row], again[row], answers.heart_rates_bpm[row])
                for row in range(len(answers))
            ),
            heart_rates_bpm=answers.heart_rates_bpm,
            readers=readers,
            findings=self.finding_probabilities(answers.findings.findings),
            thresholds=dict(zip(CODES, self.thresholds, strict=True)),
        )

    def _reasons(self, fused: _Floats, readers: _Floats, again: _Floats, rate_bpm: float) -> tuple[str, ...]:
        answer = PageAnswer(
            probabilities=_by_name(fused),
            readers=(_by_name(readers[0]), _by_name(readers[1])),
            heart_rate_bpm=None if np.isnan(rate_bpm) else float(rate_bpm),
            at_reference_rate=_by_name(again),
        )
        if not rests_on_rate(answer, self.policy):
            answer = PageAnswer(answer.probabilities, answer.readers, answer.heart_rate_bpm)
        return tuple(reason.code for reason in decide(answer, self.policy))


def choose(answers: ReaderAnswers, fusion: Fusion, goals: PolicyGoals | None = None) -> Choice:
    """Fit calibrations and thresholds on ``answers``; without thresholds that keep the goals, there is no policy.

    Raises:
        RunError: no page is of the critical class.
    """
    goals, right, inside = goals or PolicyGoals(), answers.labels.classes, answers.inside
    judged = right.any(axis=1)
    weights = np.where(inside, _INSIDE_SHARE / inside.sum(), (1 - _INSIDE_SHARE) / max(1, (judged & ~inside).sum()))
    class_network = fit_calibration(answers.class_logits[inside], right[inside], biased=True)
    fused_logits = fusion.logits(class_network.logits(answers.class_logits), answers.findings.classes)
    # Only normal gets a bias: the shares of the other classes are those of the data set, which the class network knows.
    only_normal = [place == NORMAL for place in range(len(CLASS_NAMES))]
    fused = fit_calibration(fused_logits[judged], right[judged], biased=only_normal, weights=weights[judged])
    elsewhere = judged & ~inside
    findings_network = fit_calibration(answers.findings.classes[elsewhere], right[elsewhere], biased=True)
    slopes, offsets, thresholds = _fit_findings(answers)
    trial = Choice(fusion, fused, class_network, findings_network, slopes, offsets, thresholds, None)
    try:
        return replace(trial, policy=_choose_policy(answers, trial, goals))
    except _NoThresholdsError as error:
        return replace(trial, why_none=str(error))


class _NoThresholdsError(RunError):
    pass


def cross_fitted(answers: ReaderAnswers, fusion: Fusion, goals: PolicyGoals | None = None) -> Answers:
    """Answer each fold by what was chosen on the other folds; thresholds of findings are chosen on all.

    Raises:
        RunError: all pages of the critical class stand in one fold.
    """
    parts, rows = [], []
    for fold in np.unique(answers.folds):
        held_out = np.flatnonzero(answers.folds == fold)
        choice = choose(answers.chosen(answers.folds != fold), fusion, goals)
        parts.append(choice.answers(answers.chosen(answers.folds == fold)))
        rows.append(held_out)
    order = np.argsort(np.concatenate(rows))
    reasons = [reasons for part in parts for reasons in part.reasons]
    return Answers(
        probabilities=np.concatenate([part.probabilities for part in parts])[order],
        reasons=tuple(reasons[place] for place in order),
        heart_rates_bpm=answers.heart_rates_bpm,
        readers=np.concatenate([part.readers for part in parts if part.readers is not None])[order],
        findings=np.concatenate([part.findings for part in parts if part.findings is not None])[order],
        thresholds=parts[0].thresholds,
    )


class _View(NamedTuple):
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


class _Thresholds(NamedTuple):
    """One choice."""

    report_from: float
    class_network_from: float
    findings_network_from: tuple[float, float, float]
    """By kind."""
    sign_where_other: float
    sign_where_normal: float


def _choose_policy(answers: ReaderAnswers, trial: Choice, goals: PolicyGoals) -> DecisionPolicy:
    """Choose the thresholds that report most, on the data set's pages and elsewhere, and keep every goal.

    Each goal is asked with one more reported page counted, a wrong one: the finite-sample term of conformal risk
    control (Angelopoulos et al. 2022), which makes up for choosing on the pages that are counted.
    """
    fused, readers = trial.probabilities(answers.class_logits, answers.findings)
    again, _ = trial.probabilities(answers.class_logits_again, answers.findings_again)
    critical = CLASS_NAMES.index(goals.critical_class)
    inside, labels = answers.inside, answers.labels
    points = operating_points(labels.classes[inside, critical], fused[inside, critical])
    point = _default_point(points, goals)
    rules = ReaderRules(
        normal_class=CLASS_NAMES[NORMAL],
        infarction_classes=tuple(CLASS_NAMES[place] for place in INFARCTIONS),
        class_network_from=0,
        findings_network_from={},
        infarction_sign_from={},
        reference_rate_bpm=REFERENCE_RATE_BPM,
    )
    stopped = _flagged(fused, goals, point) | _rest_on_rate(answers, fused, again, rules)
    view = _view(answers, fused, readers, stopped)
    chosen = _best(view, answers, goals)
    reported = _reported(view, chosen) & inside
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


def _view(answers: ReaderAnswers, fused: _Floats, readers: _Floats, stopped: _Bools) -> _View:
    rows, top = np.arange(len(fused)), fused.argmax(axis=1)
    return _View(
        top=fused[rows, top],
        kind=_KIND_OF[top],
        by_class_network=readers[rows, 0, top],
        by_findings_network=_kinds(readers[:, 1])[rows, _KIND_OF[top]],
        sign=readers[:, :, INFARCTIONS].sum(axis=2).max(axis=1),
        stopped=stopped,
        right=answers.labels.classes[rows, top],
    )


def _flagged(fused: _Floats, goals: PolicyGoals, point: OperatingPoint) -> _Bools:
    """Give pages (pages,) that are flagged for the critical class though another one is more probable."""
    critical = CLASS_NAMES.index(goals.critical_class)
    return np.asarray((fused[:, critical] >= point.threshold) & (fused.argmax(axis=1) != critical))


def _rest_on_rate(answers: ReaderAnswers, fused: _Floats, again: _Floats, rules: ReaderRules) -> _Bools:
    """Give pages (pages,) whose answer is of another kind at the reference rate."""
    top, (low, high) = fused.argmax(axis=1), rules.rate_band_bpm
    in_band = (answers.heart_rates_bpm >= low) & (answers.heart_rates_bpm <= high) & (top != NORMAL)
    return np.asarray(in_band & (_KIND_OF[again.argmax(axis=1)] != _KIND_OF[top]))


def _reported(view: _View, chosen: _Thresholds) -> _Bools:
    """Give the pages (pages,) that are reported."""
    least = np.array(chosen.findings_network_from)[view.kind]
    most = np.array([chosen.sign_where_other, np.inf, chosen.sign_where_normal])[view.kind]
    return np.asarray(_base(view, chosen) & (view.by_findings_network >= least) & (view.sign < most))


def _base(view: _View, chosen: _Thresholds) -> _Bools:
    return np.asarray(
        ~view.stopped & (view.top >= chosen.report_from) & (view.by_class_network >= chosen.class_network_from)
    )


def _best(view: _View, answers: ReaderAnswers, goals: PolicyGoals) -> _Thresholds:
    """Look through every combination. Kinds of answers are counted apart, and their counts added.

    Raises:
        _NoThresholdsError: none keeps the goals.
    """
    best, thresholds = 0.0, None
    pages = answers.inside.sum(), (~answers.inside).sum()
    for report_from, class_from in product(_REPORT_FROM, _CLASS_NETWORK_FROM):
        base = _base(view, _Thresholds(report_from, class_from, (0, 0, 0), 1, 1))
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
            thresholds = _Thresholds(report_from, class_from, least, other[1], normal[1])
    if thresholds is None:
        raise _NoThresholdsError(
            f"no thresholds reach an accuracy of {goals.accuracy:.3f} on the data set's pages and "
            f"{goals.outside_accuracy:.3f} elsewhere; ask for less, or train better networks"
        )
    return thresholds


def _of_kind(view: _View, kind: int, choice: tuple[float, float]) -> _Bools:
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


def _count(answers: ReaderAnswers, view: _View, choices: Sequence[_Bools]) -> _Counts:
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


def _fit_findings(answers: ReaderAnswers) -> tuple[_Floats, _Floats, tuple[float, ...]]:
    """Calibrate each finding on recordings elsewhere, and choose the threshold of highest F1."""
    rows = np.flatnonzero(~answers.inside)
    slopes, offsets, thresholds = np.ones(len(CODES)), np.zeros(len(CODES)), []
    for place, code in enumerate(CODES):
        shown, logits = answers.labels.has(code)[rows], answers.findings.findings[rows, place]
        if not shown.any() or shown.all():
            thresholds.append(0.5)
            continue
        fitted = LogisticRegression(C=100.0).fit(logits[:, np.newaxis], shown)
        slopes[place], offsets[place] = max(float(fitted.coef_[0, 0]), 0.0), float(fitted.intercept_[0])
        thresholds.append(_best_f1(shown, expit(slopes[place] * logits + offsets[place])))
    return slopes, offsets, tuple(thresholds)


def _best_f1(shown: _Bools, probability: _Floats) -> float:
    order = np.argsort(-probability, kind="stable")
    hits, count = np.cumsum(shown[order]), np.arange(1, len(order) + 1)
    best = int((2 * hits / (count + shown.sum())).argmax())
    return float(probability[order][best])


def _by_name(row: _Floats) -> dict[str, float]:
    return dict(zip(CLASS_NAMES, row.tolist(), strict=True))
