"""Calibrations and thresholds of a bundle with two readers, chosen on answers out of fold.

Chosen on the data set's pages and on recordings of other patients together, so that a promise holds on both. Thresholds
look better on the pages they were chosen on than they are: `cross_fitted` judges each fold by a choice without it.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from model_registry.decision import PageAnswer, decide, rests_on_rate
from model_registry.policy import DecisionPolicy
from trainer.calibrate import Calibration, fit_calibration
from trainer.classes import CLASS_NAMES
from trainer.findings import CODES
from trainer.findings_run import FindingsAnswers
from trainer.fuse import NORMAL, WITHOUT_AGE, Fusion
from trainer.readers import ReaderAnswers
from trainer.thresholds import NoThresholdsError, PolicyGoals, Said, choose_policy
from trainer.validation.figures import Answers

__all__ = ["Choice", "choose", "cross_fitted"]

_Floats = NDArray[np.float64]
_Bools = NDArray[np.bool_]

_INSIDE_SHARE = 0.1
"""Weight of the data set's pages, all together, against all other recordings in the fused calibration."""


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
            self.findings_network.probabilities(findings.classes) @ WITHOUT_AGE,
        )
        return fused, np.stack(readers, axis=1)

    def said(self, answers: ReaderAnswers) -> Said:
        """Calibrate all that both readers said."""
        fused, readers = self.probabilities(answers.class_logits, answers.findings)
        again, _ = self.probabilities(answers.class_logits_again, answers.findings_again)
        return Said(fused, readers, again)

    def finding_probabilities(self, logits: _Floats) -> _Floats:
        """Calibrate findings' logits (pages, findings)."""
        return np.asarray(expit(self.slopes * logits + self.offsets))

    def answers(self, answers: ReaderAnswers) -> Answers:
        """Answer and decide as the service does."""
        fused, readers, again = self.said(answers)
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
    """Fit calibrations and thresholds on ``answers``; without thresholds that keep the goals, there is no policy."""
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
        return replace(trial, policy=choose_policy(answers, trial.said(answers), goals))
    except NoThresholdsError as error:
        return replace(trial, why_none=str(error))


def cross_fitted(answers: ReaderAnswers, fusion: Fusion, goals: PolicyGoals | None = None) -> Answers:
    """Answer each fold by what was chosen on the other folds.

    Where nothing can be chosen on these, as they lack the critical class, the fold's pages are referred. Thresholds of
    findings are those of the first fold.
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
