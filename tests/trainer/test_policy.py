"""Thresholds, against a direct recount of what they claim."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from model_registry.policy import DecisionPolicy
from tests.out_of_fold import drawn_out_of_fold
from trainer.calibrate import Calibrated, calibrate
from trainer.classes import CLASS_NAMES
from trainer.errors import RunError
from trainer.out_of_fold import OutOfFold
from trainer.policy import PolicyGoals, choose_policy, fit_policy, operating_points, referrals
from trainer.referrals import cross_fitted_referrals, policy_figures, reported_pages

MI = CLASS_NAMES.index("myocardial_infarction")


def page_by_page(policy: DecisionPolicy, probabilities: np.ndarray, distances: np.ndarray | None) -> np.ndarray:
    """Which pages are reported, as the rule is written down."""
    threshold = policy.operating_point(policy.default_sensitivity).threshold
    reported = []
    for page, row in enumerate(probabilities):
        flagged = row[MI] >= threshold and row.argmax() != MI
        far = (
            distances is not None and policy.largest_distance is not None and distances[page] > policy.largest_distance
        )
        reported.append(row.max() >= policy.report_from and not flagged and not far)
    return np.array(reported)


@pytest.fixture(scope="module")
def pages() -> OutOfFold:
    return drawn_out_of_fold(pages=600, temperature=2.0)


@pytest.fixture(scope="module")
def calibrated(pages: OutOfFold) -> Calibrated:
    return calibrate(pages)


def test_operating_points_by_hand() -> None:
    critical = np.array([True, True, True, False, False, True])
    points = operating_points(critical, np.array([0.9, 0.5, 0.5, 0.5, 0.6, 0.1]))
    assert [(point.threshold, point.sensitivity, point.flagged) for point in points] == [
        (0.9, 0.25, 0.0),
        (0.5, 0.75, 1.0),
        (0.1, 1.0, 1.0),
    ]
    assert points[-1].sensitivity_ci95 == pytest.approx((4 / (4 + 1.96**2), 1), abs=1e-4)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=1, max_size=30).filter(
        lambda x: any(c for c, _ in x)
    )
)
def test_operating_points_are_a_recount(drawn: list[tuple[bool, int]]) -> None:
    critical, probability = np.array([c for c, _ in drawn]), np.array([p / 8 for _, p in drawn])
    points = operating_points(critical, probability)
    for point in points:
        assert point.sensitivity == pytest.approx((probability[critical] >= point.threshold).mean())
        higher = np.nextafter(point.threshold, 2)
        assert (probability[critical] >= higher).mean() < point.sensitivity, "a higher threshold would do"
        if not critical.all():
            assert point.flagged == pytest.approx((probability[~critical] >= point.threshold).mean())
    assert points[-1].sensitivity == 1
    assert len(points) == len(set(probability[critical]))


def test_without_a_critical_page_there_is_no_policy() -> None:
    with pytest.raises(RunError, match="no page is of the critical class"):
        operating_points(np.zeros(3, bool), np.full(3, 0.5))


@pytest.mark.parametrize("with_distances", [True, False])
def test_a_policy_gives_what_it_claims(pages: OutOfFold, calibrated: Calibrated, with_distances: bool) -> None:
    if not with_distances:
        pages = replace(pages, distances=None)
    policy = choose_policy(pages, calibrated)
    reported = page_by_page(policy, calibrated.probabilities, pages.mean_distances)
    right = calibrated.probabilities.argmax(axis=1) == pages.labels
    assert policy.coverage == pytest.approx(reported.mean())
    assert policy.accuracy == pytest.approx(right[reported].mean())
    assert policy.accuracy_ci95[0] <= policy.accuracy <= policy.accuracy_ci95[1]
    assert policy.accuracy >= policy.target_accuracy
    np.testing.assert_array_equal(
        reported, reported_pages(referrals(policy, calibrated.probabilities, pages.mean_distances))
    )


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.sampled_from([0.8, 0.9, 0.95]))
def test_no_lower_threshold_reaches_the_accuracy(seed: int, accuracy: float) -> None:
    pages = drawn_out_of_fold(pages=200, repeats=1, seed=seed)
    probabilities = np.round(softmax(pages.mean_logits, axis=1), 2)  # so that pages tie
    policy = fit_policy(pages.labels, probabilities, pages.groups, pages.mean_distances, PolicyGoals(accuracy=accuracy))
    right = probabilities.argmax(axis=1) == pages.labels
    for lower in np.unique(probabilities.max(axis=1)):
        candidate = policy.model_copy(update={"report_from": lower})
        reported = page_by_page(candidate, probabilities, pages.mean_distances)
        reaches = right[reported].sum() >= accuracy * (reported.sum() + 1)
        assert lower >= policy.report_from or not reaches or reported.mean() == policy.coverage
        assert lower != policy.report_from or reaches


def test_a_lucky_few_reach_nothing() -> None:
    """Thirty pages without an error do not show 0.98: one more could be wrong, and 30 / 31 is less."""
    labels = np.array([0] * 28 + [MI] * 2)
    probabilities = 0.6 * np.eye(4)[labels] + 0.1
    with pytest.raises(RunError, match=r"30 pages are right in 0\.968; 0\.980 was asked for"):
        fit_policy(labels, probabilities, [str(page) for page in range(30)], None, PolicyGoals())
    policy = fit_policy(labels, probabilities, [str(page) for page in range(30)], None, PolicyGoals(accuracy=0.96))
    assert policy.coverage == policy.accuracy == 1
    assert policy.accuracy_ci95[0] < 0.9, "thirty pages do not make sure"


def test_the_default_sensitivity_is_what_few_flags_buy(pages: OutOfFold, calibrated: Calibrated) -> None:
    points = operating_points(pages.labels == MI, calibrated.probabilities[:, MI])
    for flagged in (0.02, 0.1):
        policy = choose_policy(pages, calibrated, PolicyGoals(flagged=flagged, sensitivity=0))
        chosen = policy.operating_point(policy.default_sensitivity)
        assert chosen.flagged <= flagged
        assert all(point.flagged > flagged for point in points if point.sensitivity > chosen.sensitivity)
    dear = choose_policy(pages, calibrated, PolicyGoals(flagged=0.0, sensitivity=0.9, accuracy=0.9))
    assert dear.default_sensitivity >= 0.9


def test_half_a_hundredth_of_pages_is_too_far(pages: OutOfFold, calibrated: Calibrated) -> None:
    policy = choose_policy(pages, calibrated)
    far = referrals(policy, calibrated.probabilities, pages.mean_distances)["unusual_page"]
    assert far.sum() == 3


def test_both_views_of_a_policy_are_recounts(pages: OutOfFold, calibrated: Calibrated) -> None:
    policy, figures = choose_policy(pages, calibrated), policy_figures(pages, calibrated)
    assert figures["as_fitted"]["accuracy"] == pytest.approx(policy.accuracy)
    assert figures["as_fitted"]["coverage"] == pytest.approx(policy.coverage)
    reported = reported_pages(cross_fitted_referrals(pages, calibrated))
    answered = calibrated.cross_fitted.argmax(axis=1)
    crossed = figures["cross_fitted"]
    assert crossed["reported"] == reported.sum()
    assert crossed["accuracy"] == pytest.approx((answered == pages.labels)[reported].mean())
    missed = (pages.labels == MI) & (answered != MI) & reported
    assert crossed["critical_caught"] == pytest.approx(1 - missed.sum() / (pages.labels == MI).sum())
    assert crossed["coverage_ci95"][0] < crossed["coverage"] < crossed["coverage_ci95"][1]


def test_no_threshold_is_chosen_on_the_fold_it_judges(pages: OutOfFold, calibrated: Calibrated) -> None:
    before = cross_fitted_referrals(pages, calibrated)
    fold = pages.folds[0] == 1
    after = cross_fitted_referrals(replace(pages, labels=np.where(fold, 3 - pages.labels, pages.labels)), calibrated)
    for reason, referred in before.items():
        np.testing.assert_array_equal(after[reason][fold], referred[fold])


def test_a_fold_without_thresholds_reports_nothing(pages: OutOfFold, calibrated: Calibrated) -> None:
    """All critical pages in one fold: the others cannot watch for them, so that it is referred whole."""
    elsewhere = replace(pages, labels=np.where((pages.labels == MI) & (pages.folds[0] != 0), 0, pages.labels))
    referred = cross_fitted_referrals(elsewhere, calibrated, PolicyGoals(accuracy=0.5, sensitivity=0.0, flagged=1.0))
    assert referred["uncertain"][pages.folds[0] == 0].all()
    assert not referred["uncertain"].all()
