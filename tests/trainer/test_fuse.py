"""Two answers become one, by hand."""

import numpy as np
import pytest
from scipy.special import softmax

from trainer.classes import CLASS_NAMES
from trainer.fuse import INFARCTIONS, NORMAL, Fusion

EVEN = np.zeros((1, 4))


def test_classes_stand_where_the_axes_expect_them() -> None:
    assert CLASS_NAMES[NORMAL] == "normal"
    assert [CLASS_NAMES[place] for place in INFARCTIONS] == ["history_of_mi", "myocardial_infarction"]


def test_fused_logits_by_hand() -> None:
    class_logits = np.log([[0.7, 0.1, 0.1, 0.1]])
    findings_logits = np.log([[0.1, 0.1, 0.2, 0.6]])
    fused = Fusion(cap=1.5, normal_weight=0.4, infarction_weight=0.3).logits(class_logits, findings_logits)
    infarction = 0.3 * np.log(0.3 / 0.7)
    expected = [[np.log(0.7), -1.5 + infarction, -1.5 + infarction, -1.5 + 0.4 * np.log(0.6 / 0.4)]]
    np.testing.assert_allclose(fused, expected, atol=1e-12)


def test_cap_bounds_how_sure_the_class_network_counts() -> None:
    sure, surer = (Fusion(cap=2.0).logits(np.array([[0.0, 0, 0, logit]]), EVEN) for logit in (30.0, 300.0))
    np.testing.assert_allclose(sure, surer)
    assert softmax(sure)[0, NORMAL] < 0.95


def test_findings_leave_the_kind_of_infarction_alone() -> None:
    class_logits = np.array([[0.3, 0.9, 0.5, 0.1]])
    old, acute = INFARCTIONS
    for findings_logits in (np.array([[0.0, 5, 0, 0]]), np.array([[0.0, 0, 5, 0]])):
        fused = Fusion().logits(class_logits, findings_logits)
        assert fused[0, old] - fused[0, acute] == pytest.approx(0.4)


@pytest.mark.parametrize("place", [NORMAL, *INFARCTIONS])
def test_surer_findings_raise_the_fused_answer(place: int) -> None:
    answers = [softmax(Fusion().logits(EVEN, logit * np.eye(4)[[place]]))[0, place] for logit in (-2.0, 0.0, 2.0)]
    assert answers == sorted(answers)
    assert answers[0] < answers[-1]


def test_inputs_are_left_as_they_were() -> None:
    class_logits, findings_logits = np.ones((2, 4)), np.eye(4)[:2]
    Fusion().logits(class_logits, findings_logits)
    np.testing.assert_array_equal(class_logits, np.ones((2, 4)))
    np.testing.assert_array_equal(findings_logits, np.eye(4)[:2])
