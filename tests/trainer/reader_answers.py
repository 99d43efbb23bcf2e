"""Answers of two readers drawn from a known truth, so that a test knows what must come out."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trainer.calibrate import Calibration
from trainer.classes import CLASS_NAMES
from trainer.findings import CODES
from trainer.findings_run import FindingsAnswers
from trainer.fuse import NORMAL, Fusion
from trainer.policy import Choice
from trainer.readers import ReaderAnswers
from trainer.validation.figures import Labels

__all__ = ["drawn_reader_answers", "plain_choice", "with_labels_turned"]

_SHARES = (0.3, 0.15, 0.15, 0.4)
_STATEMENTS = (frozenset({"AFIB", "STTC"}), frozenset({"MI", "IMI"}), frozenset({"MI", "AMI"}), frozenset({"NORM"}))
_FOLDS = 5


def drawn_reader_answers(
    *, pages: int = 300, recordings: int = 600, sureness: float = 8.0, seed: int = 0
) -> ReaderAnswers:
    """Draw pages of the data set, then recordings elsewhere; two of a patient follow each other.

    Either reader adds up to ``sureness`` to the logit of the right class. One answer in ten is normal at the reference
    rate.
    """
    rng = np.random.default_rng(seed)
    inside = _drawn(rng, pages, sureness, inside=True)
    return ReaderAnswers.joined(inside, _drawn(rng, recordings, sureness, inside=False))


def with_labels_turned(answers: ReaderAnswers, rows: NDArray[np.bool_]) -> ReaderAnswers:
    """Give every one of ``rows`` another right class."""
    labels = answers.labels
    classes = np.where(rows[:, np.newaxis], np.roll(labels.classes, 1, axis=1), labels.classes)
    statements = tuple(_STATEMENTS[row.argmax()] for row in classes)
    return replace(answers, labels=Labels(classes, statements, labels.patients))


def plain_choice() -> Choice:
    """Calibrations that change nothing, and no policy."""
    none = Calibration(1.0, np.zeros(len(CLASS_NAMES)))
    ones, zeros = np.ones(len(CODES)), np.zeros(len(CODES))
    return Choice(Fusion(), none, none, none, ones, zeros, (0.5,) * len(CODES), None)


def _drawn(rng: np.random.Generator, count: int, sureness: float, *, inside: bool) -> ReaderAnswers:
    labels = rng.choice(len(CLASS_NAMES), count, p=_SHARES)
    right = np.eye(len(CLASS_NAMES), dtype=bool)[labels]
    class_logits, findings_logits = (
        rng.normal(size=right.shape) + right * rng.uniform(0, sureness, (count, 1)) for _ in range(2)
    )
    statements = tuple(_STATEMENTS[label] for label in labels)
    shown = np.array([[code in codes for code in CODES] for codes in statements])
    by_finding = rng.normal(size=shown.shape) + np.where(shown, 2, -2)
    resting_on_rate = (rng.random((count, 1)) < 0.1) & (np.arange(len(CLASS_NAMES)) == NORMAL)
    rates = np.where(rng.random(count) < 0.05, np.nan, rng.uniform(45, 130, count))
    return ReaderAnswers(
        labels=Labels(
            right, statements, tuple(f"{'record' if inside else 'patient'} {row // 2}" for row in range(count))
        ),
        inside=np.full(count, inside),
        folds=rng.permutation(np.arange(-(-count // 2)) % _FOLDS).repeat(2)[:count],
        heart_rates_bpm=rates,
        class_logits=class_logits,
        findings=FindingsAnswers(by_finding, findings_logits),
        class_logits_again=class_logits + 20 * resting_on_rate,
        findings_again=FindingsAnswers(by_finding, findings_logits + 20 * resting_on_rate),
    )
