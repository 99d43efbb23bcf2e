"""Calibration, against the truth that labels were drawn from."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.trainer.out_of_fold import drawn_out_of_fold
from trainer.calibrate import Calibration, calibrate, fit_calibration, fit_temperature, single_network_metrics
from trainer.classes import CLASS_NAMES
from trainer.metrics import SCALARS, log_losses, page_metrics

BIAS = (1.2, 0.2, -1.4, 0.0)


def one_hot(labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.eye(len(CLASS_NAMES), dtype=bool)[labels]


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_of_drawn_labels_is_found(temperature: float) -> None:
    pages = drawn_out_of_fold(pages=6_000, repeats=1, temperature=temperature)
    assert fit_temperature(pages.mean_logits, pages.labels) == pytest.approx(temperature, rel=0.1)


def test_temperature_and_bias_of_drawn_labels_are_found() -> None:
    pages = drawn_out_of_fold(pages=6_000, repeats=1, temperature=2.0, bias=BIAS)
    found = fit_calibration(pages.mean_logits, one_hot(pages.labels), biased=True)
    assert found.temperature == pytest.approx(2, rel=0.1)
    assert found.bias == pytest.approx(BIAS, abs=0.25)


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_no_calibration_nearby_has_less_loss(seed: int) -> None:
    pages = drawn_out_of_fold(pages=300, temperature=1.7, bias=BIAS, seed=seed)
    found = fit_calibration(pages.mean_logits, one_hot(pages.labels), biased=True)

    def loss(calibration: Calibration) -> float:
        return float(log_losses(pages.labels, calibration.probabilities(pages.mean_logits)).mean())

    least = loss(found)
    for factor in (0.98, 1.02):
        assert loss(Calibration(found.temperature * factor, found.bias)) >= least - 1e-7
    for place in range(4):
        for step in (-0.05, 0.05):
            assert loss(Calibration(found.temperature, found.bias + step * np.eye(4)[place])) >= least - 1e-7


def test_weights_count_as_copies_do() -> None:
    pages = drawn_out_of_fold(pages=200, temperature=2.0, bias=BIAS)
    right, copies = one_hot(pages.labels), np.arange(200) % 3 + 1
    weighted = fit_calibration(pages.mean_logits, right, biased=True, weights=copies.astype(float))
    repeated = fit_calibration(pages.mean_logits.repeat(copies, axis=0), right.repeat(copies, axis=0), biased=True)
    assert weighted.temperature == pytest.approx(repeated.temperature, rel=1e-3)
    np.testing.assert_allclose(weighted.bias, repeated.bias, atol=1e-2)


def test_several_right_answers_count_by_their_sum() -> None:
    """An infarction of unknown age pulls neither class against the other."""
    pages = drawn_out_of_fold(pages=2000)
    either = one_hot(pages.labels)
    either[np.isin(pages.labels, (1, 2))] = np.array([False, True, True, False])
    apart = fit_calibration(pages.mean_logits, one_hot(pages.labels), biased=True)
    merged = fit_calibration(pages.mean_logits, either, biased=True)
    assert merged.temperature == pytest.approx(apart.temperature, rel=0.2)
    assert merged.bias[[0, 3]] == pytest.approx(apart.bias[[0, 3]], abs=0.5)


def test_probabilities_are_probabilities_however_sure() -> None:
    probabilities = Calibration(0.05, np.zeros(4)).probabilities(np.array([[0.0, 90.0, -90.0, 3.0]]))
    assert probabilities.sum() == pytest.approx(1)
    assert (probabilities >= 0).all()
    assert probabilities.max() <= 1


def test_pages_that_are_all_right_end_at_the_bound() -> None:
    assert fit_temperature(np.eye(4), np.arange(4)) == pytest.approx(0.05, rel=0.01)


def test_a_class_without_pages_keeps_a_finite_bias() -> None:
    pages = drawn_out_of_fold(pages=300)
    seen = pages.labels != 2
    found = fit_calibration(pages.mean_logits[seen], one_hot(pages.labels[seen]), biased=True)
    assert np.isfinite(found.bias).all()
    assert found.bias.argmin() == 2


def test_bias_is_fitted_where_it_is_needed_and_left_where_not() -> None:
    assert calibrate(drawn_out_of_fold(bias=BIAS)).facts["method"] == "temperature and class bias"
    plain = calibrate(drawn_out_of_fold(temperature=1.8))
    assert plain.facts["method"] == "temperature"
    assert plain.calibration.bias.tolist() == [0, 0, 0, 0]
    assert plain.calibration.temperature == pytest.approx(1.8, rel=0.2)


def test_calibration_helps_on_folds_it_has_not_seen() -> None:
    pages = drawn_out_of_fold(pages=1000, temperature=3.0)
    facts = calibrate(pages).facts
    for name in ("ece", "log_loss", "brier"):
        assert facts["after"][name] < facts["before"][name]
    assert facts["after"]["ece"] < 2 * facts["after"]["ece_if_calibrated"]
    json.dumps(facts, allow_nan=False)


def test_no_page_is_calibrated_on_its_own_label() -> None:
    pages = drawn_out_of_fold(pages=100)
    before = calibrate(pages)
    fold = pages.folds[0] == 2
    after = calibrate(replace(pages, labels=np.where(fold, 3 - pages.labels, pages.labels)))
    assert before.biased == after.biased
    np.testing.assert_array_equal(after.cross_fitted[fold], before.cross_fitted[fold])
    assert not np.allclose(after.cross_fitted[~fold], before.cross_fitted[~fold])


def test_one_network_is_worse_than_the_mean_of_both() -> None:
    pages = drawn_out_of_fold(pages=1000)
    single = single_network_metrics(pages, biased=False)
    ensemble = page_metrics(pages.labels, calibrate(pages).cross_fitted, pages.groups, CLASS_NAMES, draws=0)
    assert set(single) == set(SCALARS)
    assert single["log_loss"] > ensemble["log_loss"]
