"""Thresholds, against a direct recount of what they claim."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model_registry.policy import Leading, OperatingPoint
from tests.bundles import policy as tiny_policy
from tests.bundles import reader_rules
from tests.trainer.reader_answers import drawn_reader_answers, plain_choice, with_labels_turned
from trainer.classes import CLASS_NAMES
from trainer.fuse import INFARCTIONS, NORMAL, Fusion
from trainer.policy import Choice, choose, cross_fitted
from trainer.readers import ReaderAnswers
from trainer.thresholds import (
    PolicyGoals,
    Thresholds,
    flagged,
    operating_points,
    reported_pages,
    rest_on_rate,
    view_of,
)
from trainer.validation.figures import Answers, external_figures

MI = CLASS_NAMES.index("myocardial_infarction")
ABNORMAL = CLASS_NAMES.index("abnormal_heartbeat")


@pytest.fixture(scope="module")
def answers() -> ReaderAnswers:
    return drawn_reader_answers()


@pytest.fixture(scope="module")
def choice(answers: ReaderAnswers) -> Choice:
    return choose(answers, Fusion())


@pytest.fixture(scope="module")
def crossed(answers: ReaderAnswers) -> Answers:
    return cross_fitted(answers, Fusion())


def right(decided: Answers, answers: ReaderAnswers) -> NDArray[np.bool_]:
    return answers.labels.classes[np.arange(len(answers)), decided.top]


def one_answer(rate_bpm: float) -> ReaderAnswers:
    """An abnormal heartbeat that both readers are sure of, and that is normal at the reference rate."""
    sure = 9.0 * np.eye(len(CLASS_NAMES))
    answers = drawn_reader_answers(pages=2, recordings=2)
    answers = answers.chosen(answers.inside)
    return replace(
        answers,
        heart_rates_bpm=np.full(2, rate_bpm),
        class_logits=sure[[ABNORMAL, ABNORMAL]],
        findings=answers.findings._replace(classes=sure[[ABNORMAL, ABNORMAL]]),
        class_logits_again=sure[[NORMAL, NORMAL]],
        findings_again=answers.findings._replace(classes=sure[[NORMAL, NORMAL]]),
    )


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


def test_no_critical_page_gives_no_policy() -> None:
    answers = drawn_reader_answers(pages=60, recordings=60)
    others = choose(answers.chosen(~(answers.inside & answers.labels.classes[:, MI])), Fusion())
    assert others.policy is None
    assert "no page is of the critical class" in others.why_none


def test_critical_pages_in_one_fold_refer_that_fold(answers: ReaderAnswers) -> None:
    critical = answers.inside & answers.labels.classes[:, MI]
    crossed = cross_fitted(answers.chosen(~critical | (answers.folds == 1)), Fusion())
    fold = answers.folds[~critical | (answers.folds == 1)] == 1
    assert not crossed.reported[fold].any()
    assert crossed.reported[~fold].any()


def test_policy_claims_what_a_recount_gives(answers: ReaderAnswers, choice: Choice) -> None:
    decided = choice.answers(answers)
    reported = decided.reported & answers.inside
    assert choice.policy is not None
    assert choice.why_none == ""
    assert choice.policy.coverage == pytest.approx(reported.sum() / answers.inside.sum())
    assert choice.policy.accuracy == pytest.approx(right(decided, answers)[reported].mean())
    assert choice.policy.accuracy_ci95[0] <= choice.policy.accuracy <= choice.policy.accuracy_ci95[1]


def test_every_goal_is_kept_on_both_sets(answers: ReaderAnswers, choice: Choice) -> None:
    goals, decided, labels = PolicyGoals(), choice.answers(answers), answers.labels
    inside, outside = (decided.reported & rows for rows in (answers.inside, ~answers.inside))
    as_normal = outside & (decided.top == NORMAL)
    for reported, hits, least in (
        (inside, right(decided, answers), goals.accuracy),
        (outside, right(decided, answers), goals.outside_accuracy),
        (as_normal, labels.normal, goals.normal_purity),
    ):
        assert reported.sum() > 50
        assert hits[reported].sum() / (reported.sum() + 1) >= least
    infarctions = labels.infarction & ~answers.inside
    assert (as_normal & infarctions).sum() <= goals.infarction_as_normal * infarctions.sum()


def test_stricter_goals_report_no_more(answers: ReaderAnswers, choice: Choice) -> None:
    strict = choose(answers, Fusion(), PolicyGoals(accuracy=0.99, outside_accuracy=0.97))
    assert strict.policy is not None
    assert choice.policy is not None
    shares = [one.answers(answers).reported.mean() for one in (strict, choice)]
    assert 0 < shares[0] <= shares[1]


def test_answers_by_chance_get_no_policy() -> None:
    choice = choose(drawn_reader_answers(pages=120, recordings=120, sureness=0.0), Fusion())
    assert choice.policy is None
    assert "no thresholds reach an accuracy of 0.980 on the data set's pages and 0.900 elsewhere" in choice.why_none


def test_few_right_answers_get_no_policy() -> None:
    """Fewer than 49 pages without an error do not show 0.98."""
    choice = choose(drawn_reader_answers(pages=40, recordings=300, sureness=30.0), Fusion())
    assert choice.policy is None


def test_no_policy_refers_every_page(answers: ReaderAnswers) -> None:
    assert set(plain_choice().answers(answers).reasons) == {("no_thresholds",)}


def test_default_sensitivity_is_what_few_flags_buy(answers: ReaderAnswers) -> None:
    for share in (0.02, 0.2):
        policy = choose(answers, Fusion(), PolicyGoals(flagged=share, sensitivity=0)).policy
        assert policy is not None
        chosen = policy.operating_point(policy.default_sensitivity)
        assert chosen.flagged <= share
        dearer = [point for point in policy.operating_points if point.sensitivity > chosen.sensitivity]
        assert all(point.flagged > share for point in dearer)


def test_sensitivity_is_kept_whatever_it_flags(answers: ReaderAnswers) -> None:
    policy = choose(answers, Fusion(), PolicyGoals(flagged=0.0, sensitivity=0.95, accuracy=0.9)).policy
    assert policy is not None
    assert policy.default_sensitivity >= 0.95


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.lists(st.floats(0, 1), min_size=8, max_size=8))
def test_vectorised_rules_decide_as_the_service(seed: int, thresholds: list[float]) -> None:
    flag_from, report_from, class_from, sign_where_other, sign_where_normal, *by_kind = thresholds
    other, infarction, normal = by_kind
    answers = drawn_reader_answers(pages=40, recordings=40, sureness=4.0, seed=seed)
    point = OperatingPoint(threshold=flag_from, sensitivity=1.0, sensitivity_ci95=(0, 1), flagged=0.1)
    rules = reader_rules(
        class_network_from=dict.fromkeys(CLASS_NAMES, class_from),
        findings_network_from=dict(zip(CLASS_NAMES, (other, infarction, infarction, normal), strict=True)),
        infarction_sign_from={CLASS_NAMES[ABNORMAL]: sign_where_other, CLASS_NAMES[NORMAL]: sign_where_normal},
    )
    policy = tiny_policy(report_from=report_from, default_sensitivity=1.0, operating_points=(point,), readers=rules)
    choice = replace(plain_choice(), policy=policy)
    said = choice.said(answers)
    stopped = flagged(said.fused, PolicyGoals(), point) | rest_on_rate(answers, said, rules)
    view = view_of(answers, said, stopped | (said.fused.max(axis=1) < report_from))
    signs = sign_where_other, np.inf, sign_where_normal
    chosen = [Thresholds(class_from, least, sign) for least, sign in zip(by_kind, signs, strict=True)]
    np.testing.assert_array_equal(reported_pages(view, chosen), choice.answers(answers).reported)


@pytest.mark.parametrize(("rate_bpm", "reasons"), [(80.0, ("rate_alone",)), (120.0, ()), (np.nan, ())])
def test_rate_alone_is_a_reason_within_the_band(rate_bpm: float, reasons: tuple[str, ...]) -> None:
    choice = replace(plain_choice(), policy=tiny_policy(report_from=0.5, readers=reader_rules()))
    assert choice.answers(one_answer(rate_bpm)).reasons == (reasons, reasons)


def test_unknown_rate_and_answers_again_stop_nothing() -> None:
    answers = one_answer(np.nan)
    unknown = np.full_like(answers.class_logits, np.nan)
    answers = replace(answers, class_logits_again=unknown, findings_again=answers.findings._replace(classes=unknown))
    choice = replace(plain_choice(), policy=tiny_policy(report_from=0.5, readers=reader_rules()))
    assert choice.answers(answers).reasons == ((), ())


def test_no_answer_is_chosen_on_its_own_fold(answers: ReaderAnswers, crossed: Answers) -> None:
    fold = answers.folds == 1
    after = cross_fitted(with_labels_turned(answers, fold), Fusion())
    for name in ("probabilities", "readers", "findings"):
        before_it, after_it = getattr(crossed, name), getattr(after, name)
        np.testing.assert_array_equal(after_it[fold], before_it[fold])
        assert not np.allclose(after_it[~fold], before_it[~fold])
    kept = [place for place in np.flatnonzero(fold) if crossed.reasons[place] == after.reasons[place]]
    assert len(kept) == fold.sum()


def test_cross_fitted_answers_keep_their_order(answers: ReaderAnswers, crossed: Answers, choice: Choice) -> None:
    np.testing.assert_array_equal(crossed.heart_rates_bpm, answers.heart_rates_bpm)
    differences = np.abs(crossed.probabilities - choice.answers(answers).probabilities)
    assert differences.mean() < 0.01
    assert differences.max() < 0.3


def test_cross_fitted_figures_are_near_the_goals(answers: ReaderAnswers, crossed: Answers) -> None:
    figures = external_figures(crossed, answers.labels, draws=50)
    assert figures["reported"]["accuracy"]["share"] > 0.9
    assert figures["failures"]["infarction_reported_as_normal"]["share"] < 0.05


def test_finding_thresholds_tell_findings_apart(answers: ReaderAnswers, choice: Choice) -> None:
    decided = choice.answers(answers)
    assert decided.findings is not None
    for place, (code, threshold) in enumerate(decided.thresholds.items()):
        shown = answers.labels.has(code)
        if shown.any():
            assert ((decided.findings[:, place] >= threshold) == shown).mean() > 0.9
        else:
            assert threshold == 0.5


def test_finding_probabilities_are_calibrated(answers: ReaderAnswers, choice: Choice) -> None:
    outside = answers.chosen(~answers.inside)
    probabilities = choice.finding_probabilities(outside.findings.findings)
    for place, code in enumerate(choice.answers(outside).thresholds):
        shown = outside.labels.has(code)
        if shown.any():
            assert probabilities[:, place].mean() == pytest.approx(shown.mean(), abs=0.01)


def test_readers_are_calibrated_where_they_are_at_home(answers: ReaderAnswers, choice: Choice) -> None:
    """The class network on the data set's pages, the findings network elsewhere."""
    _, readers = choice.probabilities(answers.class_logits, answers.findings)
    sides: list[tuple[Leading, NDArray[np.bool_]]] = [
        ("class_network", answers.inside),
        ("findings_network", ~answers.inside),
    ]
    for place, (leading, rows) in enumerate(sides):
        shares = answers.labels.judging(leading).classes[rows].mean(axis=0)
        np.testing.assert_allclose(readers[rows, place].mean(axis=0), shares, atol=0.02)


def test_normal_is_reported_without_sign_of_infarction(answers: ReaderAnswers, choice: Choice) -> None:
    decided = choice.answers(answers)
    assert decided.readers is not None
    assert choice.policy is not None
    assert choice.policy.readers is not None
    signs = decided.readers[:, :, INFARCTIONS].sum(axis=2).max(axis=1)
    as_normal = decided.reported & (decided.top == NORMAL)
    assert signs[as_normal].max() < choice.policy.readers.infarction_sign_from["normal"]
