"""Which answers stand, which are referred, and for which reasons."""

import inspect
import re
from math import nan
from types import ModuleType

import pytest

import service.decide
import shared_preproc.evidence
from model_registry.policy import DecisionPolicy
from service.decide import Thresholds, decide
from shared_preproc.evidence import Doubt
from tests.bundles import CRITICAL, policy
from tests.conftest import REPOSITORY

SURE = {"normal": 0.9, CRITICAL: 0.02, "abnormal_heartbeat": 0.08}
UNSURE = {"normal": 0.6, CRITICAL: 0.02, "abnormal_heartbeat": 0.38}
FLAGGED = {"normal": 0.74, CRITICAL: 0.26, "abnormal_heartbeat": 0.0}
INFARCTION = {"normal": 0.1, CRITICAL: 0.9, "abnormal_heartbeat": 0.0}
DOUBT = Doubt("faint_trace", "Lead V1 covers 0.62 of its box.")


def thresholds(sensitivity: float | None = None, **changes: float) -> Thresholds:
    chosen = Thresholds.of(policy(**changes), sensitivity)
    assert chosen
    return chosen


@pytest.mark.parametrize(
    ("probabilities", "distance", "doubts", "codes"),
    [
        pytest.param(SURE, None, (), [], id="nothing against it"),
        pytest.param(INFARCTION, None, (), [], id="an infarction that is the most probable class needs no flag"),
        pytest.param(UNSURE, None, (), ["uncertain"], id="uncertain"),
        pytest.param({"normal": 0.8, CRITICAL: 0.2}, None, (), [], id="just certain enough"),
        pytest.param({"normal": 0.7999, CRITICAL: 0.2001}, None, (), ["uncertain"], id="just not"),
        pytest.param(FLAGGED, None, (), ["uncertain", "possible_critical_class"], id="flagged as well"),
        pytest.param(SURE, 2.0, (), [], id="at the largest distance"),
        pytest.param(SURE, 2.001, (), ["unusual_page"], id="beyond it"),
        pytest.param(SURE, nan, (), ["unusual_page"], id="a distance that is no number"),
        pytest.param(SURE, 0.0, (DOUBT,), ["faint_trace"], id="a doubt about the page"),
        pytest.param(
            FLAGGED,
            3.0,
            (DOUBT, Doubt("odd_grid", "No grid.")),
            ["faint_trace", "odd_grid", "unusual_page", "uncertain", "possible_critical_class"],
            id="every reason there is",
        ),
    ],
)
def test_reasons(
    probabilities: dict[str, float], distance: float | None, doubts: tuple[Doubt, ...], codes: list[str]
) -> None:
    decision = decide(probabilities, thresholds(largest_distance=2.0), distance, doubts)
    assert [reason.code for reason in decision.reasons] == codes
    assert decision.status == ("referred" if codes else "reported")
    assert all(reason.message.endswith(".") for reason in decision.reasons)


@pytest.mark.parametrize(("probability", "flagged"), [(0.2499, False), (0.25, True), (0.2501, True)])
def test_a_page_is_flagged_from_the_threshold_on(probability: float, flagged: bool) -> None:
    probabilities = {"normal": 1 - probability, CRITICAL: probability}
    decision = decide(probabilities, thresholds(report_from=0.5))
    assert bool(decision.reasons) is flagged


@pytest.mark.parametrize(
    ("sensitivity", "target", "threshold"),
    [(None, 0.85, 0.25), (0.0, 0.0, 0.5), (0.6, 0.6, 0.5), (0.61, 0.61, 0.25), (0.9, 0.9, 0.25), (1.0, 1.0, 0.05)],
)
def test_the_site_asks_for_a_sensitivity_and_gets_the_point_of_fewest_flags_that_reached_it(
    sensitivity: float | None, target: float, threshold: float
) -> None:
    chosen = thresholds(sensitivity)
    assert (chosen.target, chosen.point.threshold) == (target, threshold)
    assert chosen.point.sensitivity >= target


def test_asking_for_more_sensitivity_refers_more() -> None:
    probabilities = {"normal": 0.9, CRITICAL: 0.1}
    assert decide(probabilities, thresholds(0.9)).status == "reported"
    assert decide(probabilities, thresholds(0.95)).status == "referred"


def test_without_thresholds_every_page_is_referred_with_the_doubts_about_it() -> None:
    nothing: DecisionPolicy | None = None
    assert Thresholds.of(nothing, 0.9) is None
    assert [reason.code for reason in decide(SURE, None, 99.0, (DOUBT,)).reasons] == ["faint_trace", "no_thresholds"]


def test_a_distance_that_nothing_was_measured_for_is_not_judged() -> None:
    assert decide(SURE, thresholds(), 99.0).status == "reported"


def test_the_words_name_classes_and_numbers() -> None:
    reasons = {
        reason.code: reason.message for reason in decide(FLAGGED, thresholds(largest_distance=2.0), 3.21).reasons
    }
    assert reasons == {
        "unusual_page": "The page is unlike those that the model was trained on: its distance to the nearest of them "
        "is 3.21, at most 2 is usual.",
        "uncertain": "The most probable class, normal, has the probability 0.7400; "
        "answers are reported from 0.8000 on.",
        "possible_critical_class": "Myocardial infarction has the probability 0.2600, though normal is more probable; "
        "pages are flagged from 0.2500 on.",
    }


@pytest.mark.parametrize("module", [service.decide, shared_preproc.evidence])
def test_every_code_is_documented(module: ModuleType) -> None:
    documented = (REPOSITORY / "docs" / "api.md").read_text()
    codes = re.findall(r'(?:Doubt|Reason)\(\s*"(\w+)"', inspect.getsource(module))
    assert len(codes) >= 4
    for code in codes:
        assert f"| `{code}` |" in documented, code
