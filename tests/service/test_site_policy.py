"""A site's own policy: used for its model, refused where it is wrong, told where it does not apply."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from model_registry.manifest import DATA_SET_FILE, OTHER_HOSPITALS_FILE
from model_registry.policy import DecisionPolicy, SitePolicy
from model_registry.registry import Registry
from service.app import create_app
from service.decide import SiteRules
from service.errors import StartupError
from tests.bundles import Said, policy, publish_readers, publish_tiny, reader_rules
from tests.conftest import REPOSITORY
from tests.factories import page_jpeg
from tests.service.audits import answers
from tests.service.serving import problem, serving, settings_for, wait_until

PAGE = page_jpeg("normal", 2)
STRICT = policy(report_from=0.99, readers=reader_rules())
ELSEWHERE = "a" * 64


def write_policy(folder: Path, decision: DecisionPolicy, model_sha256: str) -> Path:
    site = SitePolicy.model_validate(
        {
            "site": "St. Elsewhere",
            "created_at": "2026-11-29T06:00:00Z",
            "model_sha256": model_sha256,
            "decision": decision,
            "figures": {"pages": 100},
        }
    )
    path = folder / "site-policy.json"
    path.write_text(site.model_dump_json())
    return path


def sha256_of(models_dir: Path, ref: str) -> str:
    return Registry(models_dir).load(ref).manifest.model_sha256


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    """readers/1, the default, reports every page; tiny/1 has no thresholds."""
    folder = tmp_path / "models"
    registry = Registry(folder)
    registry.promote(publish_readers(registry))
    publish_tiny(registry)
    return folder


def test_site_policy_decides_for_its_model(models_dir: Path, tmp_path: Path) -> None:
    path = write_policy(tmp_path, STRICT, sha256_of(models_dir, "readers/1"))
    with serving(settings_for(models_dir, site_policy=path, audit_dir=tmp_path / "audit")) as client:
        answer = client.post("/classify", content=PAGE).json()
        assert client.get("/health").json()["degraded"] == []
    assert (answer["policy"], [reason["code"] for reason in answer["reasons"]]) == ("site", ["uncertain"])
    (record,) = answers(tmp_path / "audit")
    assert (record["policy"], record["reasons"]) == ("site", ["uncertain"])


def test_operating_point_is_the_site_policys(models_dir: Path, tmp_path: Path) -> None:
    for sensitivity, threshold in ((0.5, 0.5), (1.0, 0.05)):
        decision = policy(default_sensitivity=sensitivity, readers=reader_rules())
        path = write_policy(tmp_path, decision, sha256_of(models_dir, "readers/1"))
        with serving(settings_for(models_dir, site_policy=path)) as client:
            point = client.post("/classify", content=PAGE).json()["operating_point"]
        assert (point["target"], point["threshold"]) == (sensitivity, threshold)


def test_site_policy_gives_thresholds_to_a_model_without(models_dir: Path, tmp_path: Path) -> None:
    path = write_policy(tmp_path, policy(report_from=0.0), sha256_of(models_dir, "tiny/1"))
    with serving(settings_for(models_dir, site_policy=path, default_model="tiny")) as client:
        answer = client.post("/classify", content=PAGE).json()
        reports = {one["name"]: one["reports"] for one in client.get("/models").json()["models"]}
    assert answer["policy"] == "site"
    assert "no_thresholds" not in [reason["code"] for reason in answer["reasons"]]
    assert reports == {"readers": True, "tiny": True}


def test_another_model_keeps_its_own_policy(models_dir: Path, tmp_path: Path) -> None:
    path = write_policy(tmp_path, STRICT, ELSEWHERE)
    with serving(settings_for(models_dir, site_policy=path)) as client:
        answer = client.post("/classify", content=PAGE).json()
        health = client.get("/health")
    assert (answer["policy"], answer["decision"]) == ("bundle", "reported")
    assert (health.status_code, health.json()["degraded"]) == (200, ["site_policy"])


def test_a_new_default_model_degrades_the_service(models_dir: Path, tmp_path: Path) -> None:
    path = write_policy(tmp_path, STRICT, sha256_of(models_dir, "readers/1"))
    registry = Registry(models_dir)
    with serving(settings_for(models_dir, site_policy=path)) as client:
        assert client.get("/health").json()["degraded"] == []
        registry.promote(publish_readers(registry, said=Said(page=(0.01, 0.01, 0.01, 0.97))))
        wait_until(lambda: client.get("/health").json()["model"] == "readers/2")
        assert client.get("/health").json()["degraded"] == ["site_policy"]
        assert client.post("/classify", content=PAGE).json()["policy"] == "bundle"


def test_log_says_whose_policy_a_model_loads(
    models_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_policy(tmp_path, STRICT, sha256_of(models_dir, "readers/1"))
    with caplog.at_level(logging.INFO), serving(settings_for(models_dir, site_policy=path)) as client:
        client.post("/classify?model=tiny", content=PAGE)
    loaded = [vars(record)["fields"] for record in caplog.records if record.msg == "model_loaded"]
    assert [(one["model"], one["policy"]) for one in loaded] == [("readers/1", "site"), ("tiny/1", "none")]


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[httpx.Client]:
    """The shipped models, with the policy that they bring for other hospitals."""
    models = REPOSITORY / "models"
    bundle = Registry(models).load("production").manifest
    path = models / bundle.name / str(bundle.version) / OTHER_HOSPITALS_FILE
    with serving(settings_for(models, site_policy=path)) as client:
        yield client


@pytest.mark.parametrize("file", [OTHER_HOSPITALS_FILE, DATA_SET_FILE])
def test_shipped_policy_fits_its_model(file: str) -> None:
    manifest = Registry(REPOSITORY / "models").load("production").manifest
    path = REPOSITORY / "models" / manifest.name / str(manifest.version) / file
    rules = SiteRules(SitePolicy.model_validate_json(path.read_bytes(), strict=True))
    rules.check(manifest)
    assert rules.in_force(manifest).source == "site"


def test_shipped_policy_lets_the_findings_network_lead(elsewhere: httpx.Client) -> None:
    answer = elsewhere.post("/classify", content=PAGE).json()
    assert answer["policy"] == "site"
    assert answer["probabilities"] == answer["readers"]["findings_network"]
    assert answer["probabilities"]["history_of_mi"] == 0


def without_site(text: str) -> str:
    return text.replace('"site":"St. Elsewhere",', "")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _: "", "Invalid JSON"),
        (lambda _: "[]", "the file"),
        (without_site, "site: Field required"),
        (lambda text: text.replace('"report_from":0.99', '"report_from":1.5'), "decision.report_from"),
        (lambda text: text.replace('"report_from":0.99', '"report_from":NaN'), "ECG_SITE_POLICY"),
        (lambda text: text.replace(ELSEWHERE, "short"), "model_sha256"),
    ],
)
def test_invalid_site_policy_stops_the_start(
    models_dir: Path, tmp_path: Path, change: Callable[[str], str], words: str
) -> None:
    path = write_policy(tmp_path, STRICT, ELSEWHERE)
    path.write_text(change(path.read_text()))
    with pytest.raises(StartupError, match=f"ECG_SITE_POLICY: {path} is not a valid site policy: .*") as stopped:
        create_app(settings_for(models_dir, site_policy=path))
    assert words in str(stopped.value)


def test_missing_site_policy_stops_the_start(models_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"ECG_SITE_POLICY: cannot read .*: No such file or directory"):
        create_app(settings_for(models_dir, site_policy=tmp_path / "none.json"))


@pytest.mark.parametrize(
    "decision",
    [{"critical_class": "asystole"}, {"readers": reader_rules(normal_class="healthy")}],
)
def test_site_policy_of_other_classes_refuses_the_model(
    models_dir: Path, tmp_path: Path, decision: dict[str, Any]
) -> None:
    path = write_policy(tmp_path, policy(**decision), sha256_of(models_dir, "readers/1"))
    with serving(settings_for(models_dir, site_policy=path), until_ready=False) as client:
        wait_until(lambda: "a site policy that does not fit it" in client.get("/health").json()["found"])
        problem(client.post("/classify", content=PAGE), 503, "not_ready")
        assert client.post("/classify?model=tiny", content=PAGE).is_success
