"""Answers and labels to the figures of a validation; the same for one bundle's answers and for answers out of fold."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_registry.policy import DecisionPolicy, Leading
from trainer.classes import CLASS_NAMES
from trainer.errors import DatasetError
from trainer.intervals import DRAWS
from trainer.metrics import reliability_points
from trainer.statements import ARRHYTHMIAS, SUPERCLASSES, TERRITORIES
from trainer.validation.resampling import Resampling

__all__ = ["READERS", "Answers", "Labels", "external_figures"]

READERS = ("answer", "class_network", "findings_network")
"""Whose AUROC is given: the page's answer, by whichever reader leads, and each reader by itself."""
_RATE_EDGES_BPM = (0.0, 50.0, 60.0, 75.0, 90.0, 100.0, 120.0, np.inf)
_ABNORMAL, _OLD, _ACUTE, _NORMAL = range(len(CLASS_NAMES))
_POSSIBLE = frozenset({"possible_critical_class", "possible_infarction"})

_Floats = NDArray[np.floating]
_Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Labels:
    """What recordings show, one row each.

    Raises:
        DatasetError: the fields differ in length, or no recording has a label.
    """

    classes: _Bools
    """(recordings, 4) which of `CLASS_NAMES` is a right answer; none: not judged by class."""
    statements: tuple[frozenset[str], ...]
    """Codes; a code that no recording has is not judged."""
    patients: tuple[str, ...]

    def __post_init__(self) -> None:
        if len({len(self.classes), len(self.statements), len(self.patients)}) > 1:
            raise DatasetError("classes, statements and patients must have one row for each recording")
        if not self.classes.any() and not any(self.statements):
            raise DatasetError("no recording has a label: there is nothing to validate on")

    def has(self, code: str) -> _Bools:
        """Give the recordings, (recordings,), that show ``code``."""
        return np.array([code in codes for codes in self.statements], bool)

    @property
    def judged(self) -> _Bools:
        """Recordings with a right class."""
        return np.asarray(self.classes.any(axis=1))

    @property
    def normal(self) -> _Bools:
        """Recordings of the healthy."""
        return self.classes[:, _NORMAL]

    @property
    def pure_normal(self) -> _Bools:
        """Recordings whose only superclass is NORM, whatever their rhythm; the healthy where no superclass is known."""
        normal = self.has("NORM")
        return normal & ~np.any([self.has(code) for code in SUPERCLASSES[1:]], axis=0) if normal.any() else self.normal

    @property
    def known(self) -> _Bools:
        """Recordings with a right class or a statement."""
        return np.asarray(self.judged | np.array([bool(codes) for codes in self.statements], bool))

    @property
    def infarction(self) -> _Bools:
        """Recordings of an infarction, acute, old, or of unknown age."""
        return self.classes[:, _OLD] | self.classes[:, _ACUTE]

    def judging(self, leading: Leading) -> "Labels":
        """Give the labels that answers led by ``leading`` are judged by.

        The findings network does not say how old an infarction is: each is of the class that holds unknown ages.
        """
        if leading != "findings_network":
            return self
        classes = self.classes.copy()
        classes[:, _ACUTE], classes[:, _OLD] = self.infarction, False
        return replace(self, classes=classes)

    @property
    def arrhythmia(self) -> _Bools:
        """Recordings of an arrhythmia without infarction."""
        return np.array([bool(codes & ARRHYTHMIAS) for codes in self.statements], bool) & self.judged & ~self.infarction


@dataclass(frozen=True, eq=False)
class Answers:
    """What a bundle said about the same recordings, one row each."""

    probabilities: _Floats
    """(recordings, 4) the page's answer in the order of `CLASS_NAMES`, by whichever reader leads."""
    reasons: tuple[tuple[str, ...], ...]
    """Codes of why each answer is referred; empty: it is reported."""
    heart_rates_bpm: _Floats
    """(recordings,); NaN where no rate was found."""
    readers: _Floats | None = None
    """(recordings, 2, 4) class network, findings network."""
    findings: _Floats | None = None
    """(recordings, findings) in the order of ``thresholds``."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """Code of each finding to the probability from which on it counts as present."""

    @property
    def top(self) -> NDArray[np.int64]:
        """(recordings,) place of the most probable class."""
        return np.asarray(self.probabilities.argmax(axis=1), np.int64)

    @property
    def reported(self) -> _Bools:
        """(recordings,) answers that nothing refers."""
        return np.array([not reasons for reasons in self.reasons], bool)


def external_figures(
    answers: Answers, labels: Labels, policy: DecisionPolicy | None = None, *, draws: int = DRAWS
) -> dict[str, Any]:
    """Compute every figure of a validation, each with its 95 % interval over patients; plain JSON types.

    ``policy`` is the one that ``answers`` follow; None: the fused answer leads, without an operating point.

    A share is ``{count, of, share, share_ci95}``, an AUROC ``{auroc, auroc_ci95, positive, negative}``. Recordings
    without a right class count in ``reported.coverage``, ``referred`` and the findings only.

    Keys: ``recordings``, ``failures``, ``rate_bands``, ``reported``, ``answered``, ``operating_point``, ``auroc``
    (comparison, then reader), ``classes``, ``findings``, ``calibration`` and ``referred``.
    """
    if policy is not None:
        labels = labels.judging(policy.leading)
    draw = Resampling(labels.patients, draws)
    right = np.take_along_axis(labels.classes, answers.top[:, np.newaxis], axis=1)[:, 0]
    return {
        "recordings": _counts(labels),
        "failures": _failures(answers, labels, right, draw),
        "rate_bands": _rate_bands(answers, labels, right, draw),
        "reported": _reported(answers, labels, right, draw),
        "answered": {"accuracy": draw.share(right, labels.judged)},
        "operating_point": None if policy is None else _operating_point(answers, labels, policy, draw),
        "auroc": _comparisons(answers, labels, draw),
        "classes": _classes(answers, labels, draw),
        "findings": _findings(answers, labels, draw),
        "calibration": _calibration(answers, labels, right, draw),
        "referred": dict(Counter(code for reasons in answers.reasons for code in dict.fromkeys(reasons))),
    }


def _counts(labels: Labels) -> dict[str, int]:
    return {
        "all": len(labels.classes),
        "patients": len(set(labels.patients)),
        "judged": int(labels.judged.sum()),
        "normal": int(labels.normal.sum()),
        "infarction": int(labels.infarction.sum()),
        "arrhythmia": int(labels.arrhythmia.sum()),
    }


def _failures(answers: Answers, labels: Labels, right: _Bools, draw: Resampling) -> dict[str, Any]:
    """What would harm a patient first."""
    as_normal, as_abnormal = (answers.top == place for place in (_NORMAL, _ABNORMAL))
    reported, infarction = answers.reported, labels.infarction
    return {
        "infarction_reported_as_normal": draw.share(reported & as_normal, infarction),
        "infarction_answered_normal": draw.share(as_normal, infarction),
        "by_territory": {
            code: {
                "reported_as_normal": draw.share(reported & as_normal, infarction & labels.has(code)),
                "answered_normal": draw.share(as_normal, infarction & labels.has(code)),
            }
            for code in TERRITORIES
            if (infarction & labels.has(code)).any()
        },
        "healthy_reported_as_abnormal": draw.share(reported & as_abnormal, labels.normal),
        "healthy_reported_as_infarction": draw.share(reported & ~as_abnormal & ~as_normal, labels.normal),
        "reported_wrong": draw.share(~right, reported & labels.judged),
    }


def _rate_bands(answers: Answers, labels: Labels, right: _Bools, draw: Resampling) -> list[dict[str, Any]]:
    rate, abnormal = answers.heart_rates_bpm, answers.top == _ABNORMAL
    normal_form = labels.pure_normal & ~labels.arrhythmia
    bands = [(low, high, (rate >= low) & (rate < high)) for low, high in pairwise(_RATE_EDGES_BPM)]
    bands.append((np.nan, np.nan, np.isnan(rate)))
    return [
        {
            "from_bpm": float(low) if low > 0 else None,
            "below_bpm": float(high) if np.isfinite(high) else None,
            "recordings": int(here.sum()),
            "reported": draw.share(answers.reported, here),
            "reported_right": draw.share(right, here & answers.reported & labels.judged),
            "answered": {name: int((here & (answers.top == place)).sum()) for place, name in enumerate(CLASS_NAMES)},
            "normal_form_answered_abnormal": draw.share(abnormal, here & normal_form),
            "normal_form_reported_as_abnormal": draw.share(abnormal & answers.reported, here & normal_form),
        }
        for low, high, here in bands
        if here.any()
    ]


def _reported(answers: Answers, labels: Labels, right: _Bools, draw: Resampling) -> dict[str, Any]:
    reported, as_normal = answers.reported, answers.top == _NORMAL
    return {
        "coverage": draw.share(reported, np.ones(len(reported), bool)),
        "accuracy": draw.share(right, reported & labels.judged),
        "normal_purity": draw.share(labels.normal, reported & as_normal & labels.judged),
        "healthy_reported": draw.share(reported, labels.normal),
        "healthy_reported_as_normal": draw.share(reported & as_normal, labels.normal),
    }


def _operating_point(answers: Answers, labels: Labels, policy: DecisionPolicy, draw: Resampling) -> dict[str, Any]:
    """Sensitivity and specificity to the critical class and to any infarction, as the page flags them."""
    place = CLASS_NAMES.index(policy.critical_class)
    threshold = policy.operating_point(policy.default_sensitivity).threshold
    critical = labels.classes[:, place]
    flagged = (answers.probabilities[:, place] >= threshold) | (answers.top == place)
    possible = np.array([not _POSSIBLE.isdisjoint(reasons) for reasons in answers.reasons], bool)
    named = (answers.top == _OLD) | (answers.top == _ACUTE) | possible
    return {
        "critical_class": policy.critical_class,
        "threshold": threshold,
        "sensitivity": draw.share(flagged, critical & (labels.classes.sum(axis=1) == 1)),
        "specificity": draw.share(~flagged, labels.judged & ~critical),
        "infarction_sensitivity": draw.share(named, labels.infarction),
        "infarction_specificity": draw.share(~named, labels.judged & ~labels.infarction),
    }


def _comparisons(answers: Answers, labels: Labels, draw: Resampling) -> dict[str, dict[str, Any]]:
    """AUROC of each comparison by each reader; a comparison without recordings on one side is left out."""
    by_reader = {READERS[0]: answers.probabilities}
    if answers.readers is not None:
        by_reader |= {name: answers.readers[:, place] for place, name in enumerate(READERS[1:])}
    normal, infarction = labels.pure_normal, labels.infarction
    comparisons = {
        "normal_against_rest": (normal, labels.known & ~normal, _p_normal),
        "infarction_against_rest": (infarction, labels.known & ~infarction, _p_infarction),
        "infarction_against_normal": (infarction, normal, _p_infarction),
        "arrhythmia_against_normal": (labels.arrhythmia, labels.normal, _p_not_normal),
    }
    return {
        name: {reader: draw.auroc(positive, negative, score(given)) for reader, given in by_reader.items()}
        for name, (positive, negative, score) in comparisons.items()
        if positive.any() and negative.any()
    }


def _p_normal(probabilities: _Floats) -> _Floats:
    return probabilities[:, _NORMAL]


def _p_not_normal(probabilities: _Floats) -> _Floats:
    return 1 - probabilities[:, _NORMAL]


def _p_infarction(probabilities: _Floats) -> _Floats:
    return probabilities[:, _OLD] + probabilities[:, _ACUTE]


def _classes(answers: Answers, labels: Labels, draw: Resampling) -> dict[str, Any]:
    """AUROC of each class against the rest; a recording that may be of two classes counts on neither side of them."""
    alone = labels.classes.sum(axis=1) == 1
    return {
        name: draw.auroc(
            labels.classes[:, place] & alone, labels.judged & ~labels.classes[:, place], answers.probabilities[:, place]
        )
        for place, name in enumerate(CLASS_NAMES)
    }


def _findings(answers: Answers, labels: Labels, draw: Resampling) -> dict[str, Any]:
    """AUROC of each finding that some recordings show and others do not, and both rates at its threshold."""
    if answers.findings is None:
        return {}
    figures = {}
    for place, (code, threshold) in enumerate(answers.thresholds.items()):
        shown, probability = labels.has(code), answers.findings[:, place]
        if shown.any() and not shown.all():
            present = probability >= threshold
            figures[code] = draw.auroc(shown, ~shown, probability) | {
                "threshold": float(threshold),
                "sensitivity": draw.share(present, shown),
                "specificity": draw.share(~present, ~shown),
            }
    return figures


def _calibration(answers: Answers, labels: Labels, right: _Bools, draw: Resampling) -> dict[str, Any]:
    events = {
        "top": (right, answers.probabilities.max(axis=1), labels.judged),
        "normal": (labels.normal, _p_normal(answers.probabilities), labels.judged),
        "top_reported": (right, answers.probabilities.max(axis=1), labels.judged & answers.reported),
    }
    return {
        name: draw.ece(hits, probability, among)
        | {"mean_probability": float(probability[among].mean()) if among.any() else None}
        | {"reliability": reliability_points(hits[among], probability[among])}
        for name, (hits, probability, among) in events.items()
    }
