"""Figures, against values worked out by hand."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, roc_auc_score

from trainer.intervals import group_weights, mean_ci95, share_ci95
from trainer.metrics import SCALARS, classification_metrics, coverage_curve, page_metrics, reliability

NAMES = ("a", "b", "c")


def one_hot(places: list[int]) -> np.ndarray:
    return np.eye(len(NAMES))[places]


def drawn_pages(pages: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities in steps, so that some tie, and labels drawn from them: perfectly calibrated."""
    rng = np.random.default_rng(seed)
    probabilities = rng.multinomial(20, [0.5, 0.3, 0.2], size=pages) / 20
    labels = (probabilities.cumsum(axis=1) < rng.random((pages, 1))).sum(axis=1)
    return np.minimum(labels, len(NAMES) - 1), probabilities


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


def test_both_ways_of_scoring_agree() -> None:
    labels, probabilities = drawn_pages(60)
    pages = page_metrics(labels, probabilities, [str(page) for page in range(60)], NAMES, draws=10)
    rows = classification_metrics(labels, probabilities, NAMES)
    for name in ("rows", "accuracy", "balanced_accuracy", "f1_macro"):
        assert pages[name] == pytest.approx(rows[name])
    assert pages["confusion_matrix"] == rows["confusion_matrix"]
    for name in NAMES:
        for figure in ("rows", "recall", "precision", "f1"):
            assert pages["classes"][name][figure] == pytest.approx(rows["classes"][name][figure])


@given(st.integers(0, 200))
def test_auroc_is_scikit_learns_with_ties(seed: int) -> None:
    labels, probabilities = drawn_pages(40, seed)
    classes = page_metrics(labels, probabilities, ["one"] * 40, NAMES, draws=0)["classes"]
    for place, name in enumerate(NAMES):
        if 0 < (labels == place).sum() < len(labels):
            assert classes[name]["auroc"] == pytest.approx(roc_auc_score(labels == place, probabilities[:, place]))
        else:
            assert classes[name]["auroc"] is None


def test_brier_and_log_loss_by_hand() -> None:
    metrics = page_metrics(np.array([0, 1]), np.array([[0.7, 0.2, 0.1], [0.5, 0.5, 0.0]]), ["x", "y"], NAMES, draws=0)
    assert metrics["brier"] == pytest.approx((0.09 + 0.04 + 0.01 + 0.25 + 0.25) / 2)
    assert metrics["log_loss"] == pytest.approx(-(np.log(0.7) + np.log(0.5)) / 2)


def test_a_sure_error_costs_much_but_not_everything() -> None:
    metrics = page_metrics(np.array([0, 1]), one_hot([1, 1]), ["x", "y"], NAMES, draws=0)
    assert metrics["log_loss"] == pytest.approx(-np.log(1e-7) / 2)
    json.dumps(metrics, allow_nan=False)


def test_ece_by_hand() -> None:
    """Two pages at 0.9, one right: 0.4 too sure; two at 0.6, both right: 0.4 too unsure. Half of the pages each."""
    probabilities = np.array([[0.9, 0.1, 0.0]] * 2 + [[0.6, 0.4, 0.0]] * 2)
    labels = np.array([0, 1, 0, 0])
    metrics = page_metrics(labels, probabilities, list("wxyz"), NAMES, draws=0)
    assert metrics["ece"] == pytest.approx(0.4)
    points = [(point["pages"], point["probability"], point["accuracy"]) for point in metrics["reliability"]]
    assert points == [(2, pytest.approx(0.6), 1.0), (2, pytest.approx(0.9), 0.5)]


def test_calibrated_model_has_the_ece_of_chance() -> None:
    labels, probabilities = drawn_pages(20_000)
    metrics = page_metrics(labels, probabilities, ["one"] * len(labels), NAMES, draws=20)
    assert metrics["ece"] < 0.01
    few = page_metrics(labels[:400], probabilities[:400], ["one"] * 400, NAMES)
    lowest, highest = few["ece_if_calibrated_ci95"]
    assert lowest <= few["ece"] <= highest
    assert few["ece_if_calibrated"] > 3 * metrics["ece_if_calibrated"]


def test_reliability_points_weigh_up_to_ece() -> None:
    labels, probabilities = drawn_pages(200)
    points = reliability(labels, probabilities)
    assert sum(point["pages"] for point in points) == 200
    ece = sum(point["pages"] * abs(point["accuracy"] - point["probability"]) for point in points) / 200
    assert ece == pytest.approx(page_metrics(labels, probabilities, ["one"] * 200, NAMES, draws=0)["ece"])


@given(st.integers(0, 200))
def test_coverage_curve_is_a_recount(seed: int) -> None:
    labels, probabilities = drawn_pages(30, seed)
    curve = coverage_curve(labels, probabilities)
    top, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    assert curve["threshold"] == sorted(set(top), reverse=True)
    for threshold, coverage, accuracy in zip(*curve.values(), strict=True):
        assert coverage == pytest.approx((top >= threshold).mean())
        assert accuracy == pytest.approx(right[top >= threshold].mean())
    assert curve["coverage"][-1] == 1


def test_an_absent_class_is_unknown_and_never_a_warning() -> None:
    metrics = page_metrics(np.array([0, 1, 1]), one_hot([0, 1, 0]), list("xyz"), NAMES)
    assert metrics["classes"]["c"] == {
        "rows": 0,
        **dict.fromkeys(("recall", "recall_ci95", "auroc", "auroc_ci95")),
        "precision": 0.0,
        "precision_ci95": [0, 0],
        "f1": 0.0,
        "f1_ci95": [0, 0],
    }
    assert metrics["balanced_accuracy"] == pytest.approx(0.75)
    assert metrics["auroc_macro"] == pytest.approx(0.75)


def test_one_class_alone_has_no_auroc() -> None:
    metrics = page_metrics(np.zeros(3, int), one_hot([0, 0, 0]), list("xyz"), NAMES)
    assert metrics["auroc_macro"] is None
    assert metrics["auroc_macro_ci95"] is None
    assert metrics["accuracy_ci95"] == [1, 1]


def test_intervals_enclose_figures_and_are_the_same_each_time() -> None:
    labels, probabilities = drawn_pages(150)
    groups = [str(page // 2) for page in range(150)]
    metrics = page_metrics(labels, probabilities, groups, NAMES)
    for name in SCALARS:
        lowest, highest = metrics[f"{name}_ci95"]
        assert lowest < highest
        assert name == "ece" or lowest <= metrics[name] <= highest
    assert metrics == page_metrics(labels, probabilities, groups, NAMES)


def test_an_interval_is_that_of_pages_drawn_one_by_one() -> None:
    """Weights stand for pages repeated: scikit-learn on the pages themselves gives the same interval."""
    labels, probabilities = drawn_pages(50)
    groups = [str(page // 5) for page in range(50)]
    f1s = []
    for weights in group_weights(groups, draws=100).astype(int):
        pages = np.repeat(np.arange(50), weights)
        answered = probabilities[pages].argmax(axis=1)
        f1s.append(f1_score(labels[pages], answered, labels=range(3), average="macro", zero_division=0))
    interval = page_metrics(labels, probabilities, groups, NAMES, draws=100)["f1_macro_ci95"]
    assert interval == pytest.approx(np.percentile(f1s, (2.5, 97.5)).tolist())


def test_pages_of_one_group_count_once() -> None:
    """As many hits, each page alone or in pairs that agree: the interval of pairs is wider by about the root of two."""
    hits = np.tile([1.0, 0.0], 50)
    lowest, highest = mean_ci95(hits, [str(page) for page in range(100)]) or (0, 0)
    paired = np.repeat(hits[:50], 2)
    low_pairs, high_pairs = mean_ci95(paired, [str(page // 2) for page in range(100)]) or (0, 0)
    assert (high_pairs - low_pairs) / (highest - lowest) == pytest.approx(2**0.5, rel=0.1)
    assert highest - lowest == pytest.approx(2 * 1.96 * 0.5 / 10, rel=0.1)


def test_a_share_without_a_miss_is_not_certain() -> None:
    groups = [str(page // 2) for page in range(40)]
    assert share_ci95(np.ones(40, bool), groups) == pytest.approx([20 / (20 + 1.96**2), 1], abs=1e-4)
    assert share_ci95(np.zeros(40, bool), groups) == pytest.approx([0, 1.96**2 / (20 + 1.96**2)], abs=1e-4)
    assert share_ci95(np.zeros(0, bool), []) is None


def test_each_draw_has_as_many_groups_as_there_are() -> None:
    groups = ["x", "x", "x", "y", "z"]
    weights = group_weights(groups)
    assert weights.shape == (2000, 5)
    assert (weights[:, 0] + weights[:, 3] + weights[:, 4] == 3).all()
    assert (weights[:, 0] == weights[:, 2]).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(5), abs=0.1)
