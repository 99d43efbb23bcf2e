"""Reasons to refer a page, each at its threshold."""

from math import nan
from typing import Any

import pytest

from model_registry.decision import PageAnswer, decide, rests_on_rate
from tests.bundles import CLASS_NAMES, CRITICAL, policy, reader_rules

SURE = (0.03, 0.01, 0.01, 0.95)
UNSURE = (0.58, 0.01, 0.01, 0.4)
FLAGGED = (0.0, 0.0, 0.26, 0.74)
INFARCTION = (0.05, 0.02, 0.9, 0.03)
ABNORMAL = (0.95, 0.01, 0.01, 0.03)
NO_NUMBER = (nan, nan, nan, nan)


def by_class(*probabilities: float) -> dict[str, float]:
    return dict(zip(CLASS_NAMES, probabilities, strict=True))


def codes(answer: PageAnswer, sensitivity: float | None = None, **changes: Any) -> list[str]:
    reasons = decide(answer, policy(**({"readers": reader_rules()} | changes)), sensitivity)
    assert all(reason.message.endswith(".") for reason in reasons)
    return [reason.code for reason in reasons]


def one_reader(*page: float) -> PageAnswer:
    return PageAnswer(by_class(*page))


def read_by(
    class_network: tuple[float, ...],
    findings_network: tuple[float, ...],
    page: tuple[float, ...] = SURE,
    at_reference_rate: tuple[float, ...] | None = None,
) -> PageAnswer:
    other = None if at_reference_rate is None else by_class(*at_reference_rate)
    readers = by_class(*class_network), by_class(*findings_network)
    return PageAnswer(by_class(*page), readers, heart_rate_bpm=90.0, at_reference_rate=other)


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        pytest.param(SURE, [], id="sure"),
        pytest.param(INFARCTION, [], id="the critical class on top needs no flag"),
        pytest.param(UNSURE, ["uncertain"], id="unsure"),
        pytest.param((0.2, 0.0, 0.0, 0.8), [], id="at report_from"),
        pytest.param((0.2001, 0.0, 0.0, 0.7999), ["uncertain"], id="below report_from"),
        pytest.param(FLAGGED, ["uncertain", "possible_critical_class"], id="flagged as well"),
        pytest.param(NO_NUMBER, ["uncertain", "possible_critical_class"], id="no number"),
    ],
)
def test_reasons_of_one_reader(page: tuple[float, ...], expected: list[str]) -> None:
    assert codes(one_reader(*page), readers=None) == expected


@pytest.mark.parametrize(("probability", "flagged"), [(0.2499, False), (0.25, True), (0.2501, True)])
def test_flags_from_the_threshold_on(probability: float, flagged: bool) -> None:
    page = (0.0, 0.0, probability, 1 - probability)
    assert ("possible_critical_class" in codes(one_reader(*page), report_from=0.5)) is flagged


def test_more_sensitivity_refers_more() -> None:
    page = one_reader(0.0, 0.0, 0.1, 0.9)
    assert codes(page, 0.9) == []
    assert codes(page, 0.95) == ["possible_critical_class"]


def test_no_policy_refers_every_page() -> None:
    assert [reason.code for reason in decide(one_reader(*SURE), None)] == ["no_thresholds"]


@pytest.mark.parametrize(
    ("weaker", "answer", "probability", "disagrees"),
    [
        (0, "normal", 0.5, False),
        (0, "normal", 0.4999, True),
        (0, "normal", nan, True),
        (1, "normal", 0.7, False),
        (1, "normal", 0.6999, True),
        (1, "normal", nan, True),
        (0, "abnormal_heartbeat", 0.5, False),
        (0, "abnormal_heartbeat", 0.4999, True),
        (1, "abnormal_heartbeat", 0.5, False),
        (1, "abnormal_heartbeat", 0.4999, True),
        (1, "abnormal_heartbeat", nan, True),
    ],
)
def test_readers_disagree(weaker: int, answer: str, probability: float, disagrees: bool) -> None:
    sure, other = (SURE, "abnormal_heartbeat") if answer == "normal" else (ABNORMAL, "normal")
    weak = by_class(0, 0, 0, 0) | {answer: probability, other: 1 - probability}
    readers = (weak, by_class(*sure)) if weaker == 0 else (by_class(*sure), weak)
    found = codes(PageAnswer(by_class(*sure), readers))
    assert ("readers_disagree" in found) is disagrees


def test_age_of_infarction_is_the_class_networks() -> None:
    old, acute = (0.05, 0.9, 0.02, 0.03), INFARCTION
    assert codes(read_by(old, acute, page=acute)) == ["readers_disagree"]
    assert codes(read_by(acute, old, page=acute)) == []


@pytest.mark.parametrize("reader", [0, 1])
@pytest.mark.parametrize(
    ("infarction", "found"), [(0.1999, []), (0.2, ["possible_infarction"]), (0.2001, ["possible_infarction"])]
)
def test_possible_infarction_by_either_reader(infarction: float, found: list[str], reader: int) -> None:
    signs = (0.0, infarction, 0.0, 1 - infarction)
    readers = (signs, SURE) if reader == 0 else (SURE, signs)
    assert codes(read_by(*readers)) == found


@pytest.mark.parametrize(("infarction", "found"), [(0.2999, []), (0.3, ["possible_infarction"])])
def test_possible_infarction_against_abnormal(infarction: float, found: list[str]) -> None:
    signs = (1 - infarction, infarction, 0.0, 0.0)
    assert codes(read_by(ABNORMAL, signs, page=ABNORMAL)) == found


def test_infarction_is_no_sign_against_itself() -> None:
    assert codes(read_by(INFARCTION, INFARCTION, page=INFARCTION)) == []


@pytest.mark.parametrize("readers", [(NO_NUMBER, SURE), (SURE, NO_NUMBER), (NO_NUMBER, NO_NUMBER)])
def test_reader_without_numbers_refers(readers: tuple[tuple[float, ...], ...]) -> None:
    assert codes(read_by(*readers)) == ["readers_disagree", "possible_infarction"]


@pytest.mark.parametrize(
    ("at_reference_rate", "found"),
    [
        (ABNORMAL, []),
        ((0.4, 0.2, 0.2, 0.2), []),
        (SURE, ["rate_alone"]),
        (INFARCTION, ["rate_alone"]),
        (NO_NUMBER, ["rate_alone"]),
        (None, []),
    ],
)
def test_rate_alone(at_reference_rate: tuple[float, ...] | None, found: list[str]) -> None:
    assert codes(read_by(ABNORMAL, ABNORMAL, ABNORMAL, at_reference_rate)) == found


@pytest.mark.parametrize(
    ("rate", "page", "again"),
    [
        (59.9, ABNORMAL, False),
        (60.0, ABNORMAL, True),
        (100.0, ABNORMAL, True),
        (100.1, ABNORMAL, False),
        (None, ABNORMAL, False),
        (90.0, INFARCTION, True),
        (90.0, SURE, False),
    ],
)
def test_reads_again_only_where_rate_may_decide(rate: float | None, page: tuple[float, ...], again: bool) -> None:
    answer = PageAnswer(by_class(*page), heart_rate_bpm=rate)
    assert rests_on_rate(answer, policy(readers=reader_rules())) is again
    assert not rests_on_rate(answer, policy())
    assert not rests_on_rate(answer, None)


@pytest.mark.parametrize(
    ("page", "expected"),
    [((0.6, 0.0, 0.0, 0.4), []), ((0.4, 0.0, 0.0, 0.6), ["uncertain"]), ((0.4, 0.6, 0.0, 0.0), ["uncertain"])],
    ids=["reached", "not reached", "a class without a threshold"],
)
def test_threshold_is_of_the_class(page: tuple[float, ...], expected: list[str]) -> None:
    by_class = {"abnormal_heartbeat": 0.5, "normal": 0.8}
    assert codes(one_reader(*page), report_from=by_class, readers=None) == expected


def test_class_network_may_have_a_sign_of_its_own() -> None:
    rules = reader_rules(infarction_sign_from={"normal": 0.1}, class_network_sign_from={"normal": 0.3})
    reads = [((0.0, 0.2, 0.0, 0.8), (0.0, 0.05, 0.0, 0.95)), ((0.0, 0.3, 0.0, 0.7), (0.0, 0.05, 0.0, 0.95))]
    reads.append(((0.0, 0.0, 0.0, 1.0), (0.0, 0.1, 0.0, 0.9)))
    found = [[reason.code for reason in decide(read_by(*pair), policy(readers=rules))] for pair in reads]
    assert ["possible_infarction" in some for some in found] == [False, True, True]


def test_messages_name_classes_and_numbers() -> None:
    answer = read_by(UNSURE, (0.0, 0.2, 0.1, 0.7), page=FLAGGED, at_reference_rate=ABNORMAL)
    reasons = decide(answer, policy(readers=reader_rules()))
    assert {reason.code: reason.message for reason in reasons} == {
        "uncertain": "The most probable class, normal, has the probability 0.7400; it is reported from 0.8000 on.",
        "possible_critical_class": "Myocardial infarction has the probability 0.2600, though normal is more probable; "
        "pages are flagged from 0.2500 on.",
        "readers_disagree": "The class network gives normal 0.40 (asked: 0.50), "
        "the findings network normal 0.70 (asked: 0.70).",
        "possible_infarction": "The class network gives infarction the probability 0.0200 (normal is reported below "
        "0.2000), the findings network 0.3000 (below 0.2000).",
        "rate_alone": "The answer rests on the heart rate alone: the same curves at 75/min are answered abnormal "
        "heartbeat.",
    }


@pytest.mark.parametrize(("sensitivity", "threshold"), [(0.0, 0.5), (0.6, 0.5), (0.61, 0.25), (0.9, 0.25), (1.0, 0.05)])
def test_operating_point_has_the_fewest_flags(sensitivity: float, threshold: float) -> None:
    point = policy().operating_point(sensitivity)
    assert point.threshold == threshold
    assert point.sensitivity >= sensitivity


def test_critical_class_is_the_policys() -> None:
    assert codes(one_reader(0.1, 0.0, 0.0, 0.9), critical_class="abnormal_heartbeat", readers=None) == []
    page = one_reader(0.3, 0.0, 0.0, 0.7)
    assert codes(page, critical_class="abnormal_heartbeat", report_from=0.5) == ["possible_critical_class"]
    assert CRITICAL != "abnormal_heartbeat"
