"""From finished runs to a published bundle of two readers that validates itself."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from model_registry.bundle import Bundle
from model_registry.manifest import CARD_FILE, OUT_OF_FOLD_FILE, TRAINING_PAGES_FILE
from model_registry.registry import Registry
from shared_preproc.spec import TRACES_50_HZ
from tests.trainer.fusion_run import FusionRun
from trainer.__main__ import main
from trainer.classes import CLASS_NAMES
from trainer.config import CLASS_NETWORK
from trainer.dataset import read_pages
from trainer.errors import RunError
from trainer.evaluate import Evaluation
from trainer.export import PARITY_LIMIT, run_graph
from trainer.findings import CODES
from trainer.fusion_bundle import publish_fusion
from trainer.fusion_evidence import FusionEvidence
from trainer.known_answers import KnownAnswers
from trainer.signals import recording_sha256

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bundle(fusion_run: FusionRun) -> Bundle:
    return fusion_run.registry.load("fusion/1")


@pytest.fixture(scope="module")
def card(fusion_run: FusionRun) -> dict[str, Any]:
    return dict(fusion_run.registry.card("fusion/1").content or {})


def assert_same(found: Any, expected: Any, where: str = "") -> None:
    """Compare JSON; stored answers have the precision of float32, at which a few of them tie."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for name, value in expected.items():
            assert_same(found[name], value, f"{where}.{name}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for place, value in enumerate(expected):
            assert_same(found[place], value, f"{where}[{place}]")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, abs=1e-4), where
    else:
        assert found == expected, where


def test_run_promotes_what_has_thresholds(fusion_run: FusionRun, bundle: Bundle) -> None:
    assert "published fusion/1" in fusion_run.said
    if bundle.manifest.decision is None:
        assert "not promoted: fusion/1 has no thresholds" in fusion_run.said
    else:
        assert "production -> fusion/1" in fusion_run.said


def test_bundle_holds_the_evidence(fusion_run: FusionRun, bundle: Bundle) -> None:
    manifest: dict[str, Any] = bundle.manifest.model_dump(mode="json")
    figures = fusion_run.evidence.row()["figures"]
    assert bundle.manifest.preprocessing == TRACES_50_HZ
    assert bundle.golden
    _, answer = run_graph(bundle.model, bundle.golden.tensor(TRACES_50_HZ))
    assert bundle.golden.largest_difference(answer) < PARITY_LIMIT
    for name in ("accuracy", "accuracy_ci95"):
        assert manifest["metrics"][name] == figures[name]
    assert manifest["calibration"]["fused"]["temperature"] > 0
    assert manifest["origin"]["parity"]["largest_difference"] <= PARITY_LIMIT
    assert {"reliability.png", "coverage.png", "confusion.png", "recall.png"} <= set(manifest["files"])


def test_findings_have_names_and_thresholds(fusion_run: FusionRun, bundle: Bundle) -> None:
    findings = bundle.manifest.findings
    assert tuple(finding.code for finding in findings) == CODES
    assert tuple(finding.threshold for finding in findings) == fusion_run.evidence.choice.thresholds


def test_all_that_was_trained_on_is_named(fusion_run: FusionRun, bundle: Bundle) -> None:
    pages = {page.sha256 for page in fusion_run.evidence.evaluation.pages}
    recordings = set(map(recording_sha256, fusion_run.evidence.findings.signals.signal_mv))
    assert {TRAINING_PAGES_FILE, OUT_OF_FOLD_FILE} <= set(bundle.manifest.files)
    assert bundle.trained_on is not None
    assert bundle.trained_on.files == pages | recordings
    assert bundle.trained_on.fingerprints.keys() == pages


def test_licence_of_the_recordings_is_named(bundle: Bundle) -> None:
    origin: dict[str, Any] = dict(bundle.manifest.origin)
    assert origin["recordings"] == {"name": "PTB-XL", "count": 60, "licence": "CC BY 4.0 (PTB-XL)"}


def test_evidence_names_the_data(fusion_run: FusionRun, bundle: Bundle) -> None:
    assert bundle.manifest.origin["evidence"]
    answers = fusion_run.evidence.answers
    assert len(answers) == 80 + 60
    assert answers.inside.sum() == 80
    patients = set(zip(answers.groups.tolist(), answers.folds.tolist(), strict=True))
    assert len(patients) == len(set(answers.groups.tolist()))


def test_card_says_what_was_measured(fusion_run: FusionRun, card: dict[str, Any]) -> None:
    text = fusion_run.registry.card("fusion/1").text
    assert text is not None
    evidence = fusion_run.evidence
    rows = [evidence.row(), *evidence.evaluation.report()["rows"]]
    assert [row["name"] for row in card["figures"]] == [row["name"] for row in rows]
    assert card["data"]["distinct"] == len(evidence.evaluation.pages)
    assert card["recordings"] == {"name": "PTB-XL", "recordings": 60, "patients": 30}
    assert "None" not in text
    assert all(name.replace("_", " ") in text for name in CLASS_NAMES)


def test_history_is_that_of_the_cross_validation(fusion_run: FusionRun) -> None:
    card, evaluation = fusion_run.registry.card("fusion/1"), fusion_run.evidence.evaluation
    answers = evaluation.leak_free.out_of_fold(CLASS_NETWORK)
    assert card.history
    assert card.history.about
    assert len(card.history.networks) == evaluation.leak_free.design.folds
    right = answers.page_logits[0].argmax(axis=1) == answers.labels
    for fold, network in enumerate(card.history.networks):
        assert len(network) == evaluation.class_config.epochs
        assert network[-1].val_accuracy == pytest.approx(right[answers.folds[0] == fold].mean(), abs=1e-4)


def test_figures_are_those_of_the_card(fusion_run: FusionRun) -> None:
    figures, written = fusion_run.registry.card("fusion/1").figures, fusion_run.evidence.row()["figures"]
    assert figures
    assert figures.accuracy == written["accuracy"]
    assert [list(row) for row in figures.confusion_matrix] == written["confusion_matrix"]
    assert figures.classes["normal"].recall_ci95 == tuple(written["classes"]["normal"]["recall_ci95"])
    assert len(figures.reliability or ()) == len(written["reliability"])
    assert figures.about


def test_stored_answers_are_those_of_the_figures(fusion_run: FusionRun, bundle: Bundle) -> None:
    assert bundle.out_of_fold is not None
    stored, crossed = KnownAnswers.unpack(bundle.out_of_fold).answers, fusion_run.evidence.crossed
    np.testing.assert_allclose(stored.probabilities, crossed.probabilities, atol=1e-6)
    assert stored.reasons == crossed.reasons


def test_validation_reproduces_the_external_table(fusion_run: FusionRun, card: dict[str, Any], tmp_path: Path) -> None:
    where = ("--registry", str(fusion_run.models), "--out", str(tmp_path))
    assert main(["validate", "fusion/1", str(fusion_run.signals), *where]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["data"]["out_of_fold"] == 60
    assert report["data"]["seen_in_training"] == 0
    assert_same(report["figures"], card["external"])


def test_validation_of_the_pages_gives_the_internal_table(
    fusion_run: FusionRun, card: dict[str, Any], synthetic_pages: Path, tmp_path: Path
) -> None:
    where = ("--registry", str(fusion_run.models), "--out", str(tmp_path))
    groups = ("--groups", str(synthetic_pages / "records.csv"))
    assert main(["validate", "fusion/1", str(synthetic_pages), *groups, *where]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["data"]["out_of_fold"] == 80
    for name in ("recordings", "answered", "reported", "referred"):
        shares = json.loads(json.dumps(report["figures"][name]), object_hook=without_intervals)
        assert_same(shares, json.loads(json.dumps(card["inside"][name]), object_hook=without_intervals))


def without_intervals(row: dict[str, Any]) -> dict[str, Any]:
    """Leave out what depends on the order of the rows."""
    return {name: value for name, value in row.items() if not name.endswith("_ci95")}


def weights(bundle: Bundle) -> list[bytes]:
    """What the graph has learnt, without the names in it, which count on from one export to the next."""
    return sorted(one.raw_data for one in onnx.load_model_from_string(bundle.model).graph.initializer)


def test_members_are_trained_once(fusion_run: FusionRun, bundle: Bundle, tmp_path: Path) -> None:
    members = sorted((fusion_run.evidence.pages.folder / "members").glob("*.npz"))
    before = [member.stat().st_mtime_ns for member in members]
    registry = Registry(tmp_path)
    assert publish_fusion(fusion_run.evidence, registry, "fusion") == "fusion/1"
    assert [member.stat().st_mtime_ns for member in members] == before
    assert weights(registry.load("fusion/1")) == weights(bundle)


def test_without_an_evaluation_there_is_no_evidence(
    fusion_run: FusionRun, synthetic_pages: Path, tmp_path: Path
) -> None:
    evaluation = Evaluation(read_pages(synthetic_pages), tmp_path, quick=True)
    with pytest.raises(RunError, match="no finished evaluation"):
        FusionEvidence(evaluation, fusion_run.evidence.findings)


def test_card_is_among_the_checked_files(bundle: Bundle) -> None:
    assert CARD_FILE in bundle.manifest.files
