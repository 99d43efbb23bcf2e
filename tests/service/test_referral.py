"""What becomes of answers over HTTP: thresholds that come with the bundle, sensitivity that the site asks for."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from model_registry.manifest import TRAINING_PAGES_FILE
from model_registry.registry import Registry
from tests.bundles import CRITICAL, policy, publish_tiny
from tests.factories import page_jpeg, page_png, page_without_a_pulse_png
from tests.service.serving import serving, settings_for

PAGE = page_jpeg()
TRAINED_ON = page_jpeg(seed=1)


@pytest.fixture(scope="module")
def deciding_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundles of one graph, which reads a page as rather abnormal, and of different thresholds."""
    folder = tmp_path_factory.mktemp("deciding")
    registry = Registry(folder)
    digest = hashlib.sha256(TRAINED_ON).hexdigest()
    registry.promote(publish_tiny(registry, "without"))
    publish_tiny(registry, "lenient", decision=policy(report_from=0.0, operating_points=points((1.0, 0.5), (0.9, 1.0))))
    publish_tiny(registry, "strict", decision=policy(report_from=1.0))
    publish_tiny(registry, "telling", files={TRAINING_PAGES_FILE: f"{'0' * 64}\n{digest}\n".encode()})
    return folder


def points(*thresholds_and_sensitivities: tuple[float, float]) -> tuple[dict[str, Any], ...]:
    return tuple(
        {"threshold": threshold, "sensitivity": sensitivity, "sensitivity_ci95": (0.4, 1.0), "flagged": 0.1}
        for threshold, sensitivity in thresholds_and_sensitivities
    )


@pytest.fixture(scope="module")
def deciding(deciding_dir: Path) -> Iterator[httpx.Client]:
    with serving(settings_for(deciding_dir, max_loaded_models=6)) as client:
        yield client


def answer_of(client: httpx.Client, model: str, page: bytes = PAGE) -> dict[str, Any]:
    response = client.post("/classify", params={"model": model}, content=page)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    assert answer["decision"] == ("referred" if answer["reasons"] else "reported")
    assert all(reason.keys() == {"code", "message"} for reason in answer["reasons"])
    return answer


def codes(answer: dict[str, Any]) -> set[str]:
    return {reason["code"] for reason in answer["reasons"]}


def test_without_thresholds_every_page_is_referred(deciding: httpx.Client) -> None:
    answer = answer_of(deciding, "without")
    assert "no_thresholds" in codes(answer)
    assert answer["operating_point"] is None


def test_a_bundles_thresholds_decide(deciding: httpx.Client) -> None:
    assert answer_of(deciding, "lenient")["decision"] == "reported"
    assert "uncertain" in codes(answer_of(deciding, "strict"))


@pytest.mark.parametrize("model", ["lenient", "without"])
def test_doubt_about_the_page_refers_it(deciding: httpx.Client, model: str) -> None:
    answer = answer_of(deciding, model, page_without_a_pulse_png())
    assert answer["decision"] == "referred"
    assert "pulse_missing" in codes(answer)


@pytest.mark.parametrize(
    ("target", "threshold", "reached"),
    [(0.85, 0.25, 0.9), (0.5, 0.5, 0.6), (1.0, 0.05, 1.0), (0.0, 0.5, 0.6)],
)
def test_answer_names_the_policys_operating_point(
    tmp_path: Path, target: float, threshold: float, reached: float
) -> None:
    registry = Registry(tmp_path)
    registry.promote(publish_tiny(registry, decision=policy(default_sensitivity=target)))
    with serving(settings_for(tmp_path)) as client:
        answer = answer_of(client, "tiny")
    point = answer["operating_point"]
    assert (point["critical_class"], point["target"], point["threshold"]) == (CRITICAL, target, threshold)
    assert (point["sensitivity"], point["sensitivity_ci95"]) == (reached, [0.5, 1.0])
    flagged = answer["predicted_class"] != CRITICAL and answer["probabilities"][CRITICAL] >= threshold
    assert ("possible_critical_class" in codes(answer)) is flagged


def test_more_sensitivity_flags_pages_that_less_does_not(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    two_points = points((1.0, 0.5), (1e-6, 1.0))
    for sensitivity in (0.5, 1.0):
        decision = policy(report_from=0.0, operating_points=two_points, default_sensitivity=sensitivity)
        registry.promote(publish_tiny(registry, decision=decision))
    with serving(settings_for(tmp_path)) as client:
        flagged = ["possible_critical_class" in codes(answer_of(client, f"tiny/{version}")) for version in (1, 2)]
    assert flagged == [False, True]


@pytest.mark.parametrize(
    ("model", "page", "seen"), [("telling", TRAINED_ON, True), ("telling", PAGE, False), ("without", TRAINED_ON, None)]
)
def test_a_file_that_was_trained_on_is_flagged(
    deciding: httpx.Client, model: str, page: bytes, seen: bool | None
) -> None:
    assert answer_of(deciding, model, page)["seen_in_training"] is seen


def test_seen_is_about_the_very_bytes(deciding: httpx.Client) -> None:
    assert answer_of(deciding, "telling", page_png(seed=1))["seen_in_training"] is False


def test_models_say_whether_they_report(deciding: httpx.Client) -> None:
    reports = {one["name"]: one["reports"] for one in deciding.get("/models").json()["models"]}
    assert reports == {
        **dict.fromkeys(["lenient", "strict"], True),
        **dict.fromkeys(["telling", "without"], False),
    }
