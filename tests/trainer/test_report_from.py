"""Thresholds by kind, against a search through every combination."""

from itertools import product

import numpy as np
import pytest

from trainer.classes import CLASS_NAMES
from trainer.thresholds import KIND_OF
from trainer.validation.report_from import Candidates, report_from, report_from_by_kind

NORMAL = CLASS_NAMES.index("normal")
ACCURACY = 0.75


def drawn(seed: int, rows: int = 120) -> Candidates:
    """Probabilities of two decimals; the surer an answer, the more often it is right."""
    rng = np.random.default_rng(seed)
    top, probability = rng.integers(0, 4, rows), rng.choice([0.6, 0.7, 0.8, 0.9], rows)
    right = rng.random(rows) < probability + 0.1
    missed = (top == NORMAL) & ~right & (rng.random(rows) < 0.5)
    return Candidates(top, probability, right, missed)


def reported(candidates: Candidates, by_class: dict[str, float]) -> Candidates:
    least = np.array([by_class[name] for name in CLASS_NAMES])
    return candidates.where(candidates.probability >= least[candidates.top])


def keeps(some: Candidates, most_missed: float) -> bool:
    normal = some.top == NORMAL
    accurate = some.right.sum() >= (ACCURACY + 0.005) * (len(some.top) + 1)
    pure = some.right[normal].sum() >= 0.943 * normal.sum()
    return bool(accurate and pure and some.missed.sum() <= most_missed)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("most_missed", [0, 2])
def test_thresholds_by_kind_report_most(seed: int, most_missed: int) -> None:
    candidates = drawn(seed)
    every = [
        {name: float(choice[KIND_OF[place]]) for place, name in enumerate(CLASS_NAMES)}
        for choice in product((0.6, 0.7, 0.8, 0.9, 1.0), repeat=3)
    ]
    kept = [some for by_class in every if keeps(some := reported(candidates, by_class), most_missed)]
    chosen = report_from_by_kind(candidates, ACCURACY, most_missed)
    if not kept:
        assert chosen is None
        return
    assert chosen is not None
    some = reported(candidates, chosen)
    assert keeps(some, most_missed)
    assert len(some.top) == max(len(other.top) for other in kept)


def test_one_threshold_is_the_lowest_that_keeps_the_accuracy() -> None:
    probability = np.array([0.9, 0.8, 0.7, 0.6])
    right, missed = np.array([True, True, False, True]), np.zeros(4, bool)
    candidates = Candidates(np.full(4, NORMAL), probability, right, missed)
    assert report_from(candidates, 0.59, 0) == 0.6
    assert report_from(candidates, 0.66, 0) == 0.8
    assert report_from(candidates, 0.9, 0) is None
    assert report_from(candidates._replace(missed=~right), 0.59, 0) == 0.8
