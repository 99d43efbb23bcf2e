"""Figures, against values worked out by hand."""

import numpy as np
import pytest

from trainer.metrics import classification_metrics

NAMES = ("a", "b", "c")


def one_hot(places: list[int]) -> np.ndarray:
    return np.eye(len(NAMES))[places]


def test_figures_of_a_small_case() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1])
    metrics = classification_metrics(labels, one_hot([0, 0, 0, 1, 1, 0]), NAMES)
    assert metrics["accuracy"] == pytest.approx(4 / 6)
    assert metrics["balanced_accuracy"] == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert metrics["confusion_matrix"] == [[3, 1, 0], [1, 1, 0], [0, 0, 0]]
    assert metrics["recall"] == pytest.approx(4 / 6)
    assert metrics["precision"] == pytest.approx((4 * 3 / 4 + 2 * 1 / 2) / 6)
    assert metrics["f1_macro"] == pytest.approx((3 / 4 + 1 / 2 + 0) / 3)
    assert metrics["classes"]["a"]["recall"] == pytest.approx(3 / 4)


def test_wilson_interval() -> None:
    """Newcombe 1998, table I, case 81 of 263: 0.2553 to 0.3662."""
    labels = np.zeros(263, int)
    metrics = classification_metrics(labels, one_hot([0] * 81 + [1] * 182), NAMES)
    assert metrics["accuracy_ci95"] == pytest.approx([0.2553, 0.3662], abs=5e-5)


def test_a_class_without_rows_has_no_interval() -> None:
    metrics = classification_metrics(np.array([0, 1]), one_hot([0, 1]), NAMES)
    assert metrics["classes"]["c"]["recall_ci95"] is None
    assert metrics["classes"]["c"]["rows"] == 0
    assert metrics["accuracy"] == 1
