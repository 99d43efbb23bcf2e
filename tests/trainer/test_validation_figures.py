"""Figures of a validation against values worked out by hand and by scikit-learn."""

import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tests.trainer.four_outputs import policy
from trainer.classes import CLASS_NAMES
from trainer.errors import DatasetError
from trainer.intervals import group_weights
from trainer.signals import class_row
from trainer.validation.figures import Answers, Labels, external_figures
from trainer.validation.resampling import Resampling

HEALTHY, INFARCTION = class_row(["normal"]), class_row(["history_of_mi", "myocardial_infarction"])
ABNORMAL, UNJUDGED = class_row(["abnormal_heartbeat"]), class_row([])


def _drawn(count: int = 300) -> tuple[Answers, Labels]:
    """Answers of some skill, two recordings a patient."""
    rng = np.random.default_rng(0)
    rows = [(HEALTHY, {"NORM"}), (INFARCTION, {"MI", "IMI"}), (ABNORMAL, {"AFIB"}), (ABNORMAL, {"CD"})]
    chosen = rng.integers(len(rows), size=count)
    classes = np.stack([rows[row][0] for row in chosen])
    logits = rng.normal(size=(count, 4)) + 2 * classes
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    reasons = tuple(("uncertain",) if row.max() < 0.6 else () for row in probabilities)
    answers = Answers(
        probabilities,
        reasons,
        rng.uniform(40, 130, count),
        np.stack([probabilities, probabilities[:, ::-1]], axis=1),
        rng.uniform(size=(count, 2)),
        {"IMI": 0.5, "PVC": 0.5},
    )
    patients = tuple(str(number // 2) for number in range(count))
    return answers, Labels(classes, tuple(frozenset(rows[row][1]) for row in chosen), patients)


def _by_hand() -> tuple[Answers, Labels]:
    """Six recordings: two healthy, two infarctions, an arrhythmia, one that is not judged."""
    normal, abnormal, old = np.array([0.0, 0.1, 0.1, 0.8]), np.array([0.9, 0.0, 0.1, 0.0]), np.array([0.1, 0.8, 0, 0.1])
    answers = Answers(
        np.stack([normal, abnormal, normal, old, abnormal, normal]),
        ((), (), (), ("possible_infarction", "uncertain"), ("uncertain",), ()),
        np.array([55.0, 95.0, 60.0, 75.0, 130.0, np.nan]),
    )
    labels = Labels(
        np.stack([HEALTHY, HEALTHY, INFARCTION, INFARCTION, ABNORMAL, UNJUDGED]),
        (
            frozenset({"NORM"}),
            frozenset({"NORM"}),
            frozenset({"MI", "IMI"}),
            frozenset({"MI", "AMI"}),
            frozenset({"AFIB"}),
            frozenset({"NORM", "STACH"}),
        ),
        ("a", "b", "c", "d", "e", "f"),
    )
    return answers, labels


def _share(cell: dict[str, float]) -> tuple[float, float]:
    return cell["count"], cell["of"]


def test_failures_are_counted() -> None:
    failures = external_figures(*_by_hand(), draws=20)["failures"]
    assert _share(failures["infarction_reported_as_normal"]) == (1, 2)
    assert _share(failures["by_territory"]["IMI"]["reported_as_normal"]) == (1, 1)
    assert _share(failures["by_territory"]["AMI"]["reported_as_normal"]) == (0, 1)
    assert "LMI" not in failures["by_territory"]
    assert _share(failures["healthy_reported_as_abnormal"]) == (1, 2)
    assert _share(failures["reported_wrong"]) == (2, 3)


def test_reported_answers_are_judged_without_unjudged_ones() -> None:
    figures = external_figures(*_by_hand(), draws=20)
    assert _share(figures["reported"]["coverage"]) == (4, 6)
    assert _share(figures["reported"]["accuracy"]) == (1, 3)
    assert _share(figures["reported"]["normal_purity"]) == (1, 2)
    assert _share(figures["reported"]["healthy_reported_as_normal"]) == (1, 2)
    assert _share(figures["answered"]["accuracy"]) == (3, 5)
    assert figures["referred"] == {"possible_infarction": 1, "uncertain": 2}
    assert figures["recordings"] == {
        "all": 6,
        "patients": 6,
        "judged": 5,
        "normal": 2,
        "infarction": 2,
        "arrhythmia": 1,
    }


def test_rate_bands_hold_their_lower_edge() -> None:
    bands = external_figures(*_by_hand(), draws=20)["rate_bands"]
    edges = [(band["from_bpm"], band["below_bpm"], band["recordings"]) for band in bands]
    assert edges == [(50, 60, 1), (60, 75, 1), (75, 90, 1), (90, 100, 1), (120, None, 1), (None, None, 1)]
    assert _share(bands[3]["normal_form_answered_abnormal"]) == (1, 1)
    assert _share(bands[5]["normal_form_answered_abnormal"]) == (0, 1)


def test_operating_point_flags_named_and_possible() -> None:
    answers, labels = _by_hand()
    point = external_figures(answers, labels, policy(), draws=20)["operating_point"]
    assert _share(point["infarction_sensitivity"]) == (1, 2)
    assert _share(point["infarction_specificity"]) == (3, 3)
    assert _share(point["sensitivity"]) == (0, 0)
    assert point["sensitivity"]["share"] is None


def test_auroc_is_that_of_scikit_learn() -> None:
    answers, labels = _drawn()
    figures = external_figures(answers, labels, draws=50)
    cell = figures["auroc"]["normal_against_rest"]["answer"]
    assert cell["auroc"] == pytest.approx(roc_auc_score(labels.normal, answers.probabilities[:, 3]))
    assert cell["auroc_ci95"][0] < cell["auroc"] < cell["auroc_ci95"][1]
    infarction = answers.probabilities[:, 1] + answers.probabilities[:, 2]
    assert figures["auroc"]["infarction_against_rest"]["class_network"]["auroc"] == pytest.approx(
        roc_auc_score(labels.infarction, infarction)
    )
    sides = labels.arrhythmia | labels.normal
    assert figures["auroc"]["arrhythmia_against_normal"]["answer"]["auroc"] == pytest.approx(
        roc_auc_score(labels.arrhythmia[sides], 1 - answers.probabilities[sides, 3])
    )
    assert answers.findings is not None
    assert figures["findings"]["IMI"]["auroc"] == pytest.approx(
        roc_auc_score(labels.has("IMI"), answers.findings[:, 0])
    )


def test_finding_without_labels_is_left_out() -> None:
    assert list(external_figures(*_drawn(), draws=5)["findings"]) == ["IMI"]


def test_either_infarction_class_is_right() -> None:
    answers, labels = _drawn()
    right = labels.classes[np.arange(300), answers.probabilities.argmax(axis=1)]
    assert external_figures(answers, labels, draws=5)["answered"]["accuracy"]["share"] == pytest.approx(right.mean())
    assert external_figures(answers, labels, draws=5)["classes"]["history_of_mi"]["positive"] == 0


def test_ece_is_that_of_bins_by_hand() -> None:
    answers, labels = _drawn()
    p, hits = answers.probabilities[:, 3], labels.normal
    place = np.clip(np.ceil(p * 15) - 1, 0, 14)
    expected = sum(abs((p - hits)[place == number].sum()) for number in range(15)) / len(p)
    calibration = external_figures(answers, labels, draws=20)["calibration"]
    assert calibration["normal"]["ece"] == pytest.approx(expected)
    assert sum(point["pages"] for point in calibration["normal"]["reliability"]) == len(p)


def test_share_interval_is_of_whole_patients() -> None:
    hits = np.random.default_rng(1).random(60) < 0.4
    patients = [str(number // 3) for number in range(60)]
    among = np.arange(60) % 2 == 0
    weights = group_weights(patients, 200)[:, among]
    expected = np.percentile(weights @ hits[among] / weights.sum(axis=1), (2.5, 97.5))
    cell = Resampling(patients, 200).share(hits, among)
    np.testing.assert_allclose(cell["share_ci95"], expected, atol=1e-6)
    assert cell["share"] == pytest.approx(hits[among].mean())


def test_figures_are_plain_json() -> None:
    json.dumps(external_figures(*_drawn(), policy(), draws=5), allow_nan=False)


def test_classes_alone_are_enough() -> None:
    answers, labels = _drawn()
    bare = Labels(labels.classes, (frozenset(),) * 300, labels.patients)
    figures = external_figures(answers, bare, draws=5)
    assert set(figures["auroc"]) == {"normal_against_rest", "infarction_against_rest", "infarction_against_normal"}
    assert figures["findings"] == {}


def test_labels_that_say_nothing_are_refused() -> None:
    with pytest.raises(DatasetError, match="no recording has a label"):
        Labels(np.zeros((1, len(CLASS_NAMES)), bool), (frozenset(),), ("a",))
