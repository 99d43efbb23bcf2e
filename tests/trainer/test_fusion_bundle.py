"""From a finished evaluation to a published bundle that the service can serve."""

from pathlib import Path
from typing import Any

import onnx
import pytest

from model_registry.manifest import CARD_FILE, TRAINING_PAGES_FILE
from model_registry.registry import Bundle, Registry
from shared_preproc.spec import TRACES_50_HZ
from trainer.classes import CLASS_NAMES
from trainer.dataset import read_pages
from trainer.errors import RunError
from trainer.evaluate import Evaluation
from trainer.export import PARITY_LIMIT, run_graph
from trainer.fusion_bundle import publish_fusion


@pytest.fixture(scope="module")
def registry(evaluation: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> Registry:
    registry = Registry(tmp_path_factory.mktemp("registry"))
    assert publish_fusion(evaluation, registry, "fusion") == "fusion/1"
    return registry


def test_the_bundle_holds_the_evidence(registry: Registry, evaluation: Evaluation) -> None:
    bundle = registry.load("fusion/1")
    manifest: dict[str, Any] = bundle.manifest.model_dump(mode="json")
    figures = evaluation.report()["rows"][0]["figures"]
    assert bundle.manifest.preprocessing == TRACES_50_HZ
    assert bundle.golden
    _, answer = run_graph(bundle.model, bundle.golden.tensor(TRACES_50_HZ))
    assert bundle.golden.largest_difference(answer) < PARITY_LIMIT
    assert manifest["metrics"]["accuracy"] == figures["accuracy"]
    assert manifest["metrics"]["accuracy_ci95"] == figures["accuracy_ci95"]
    assert manifest["calibration"]["temperature"] > 0
    assert manifest["origin"]["parity"]["largest_difference"] <= PARITY_LIMIT
    assert {"reliability.png", "coverage.png", "confusion.png", "recall.png"} <= set(manifest["files"])


def test_every_page_that_was_trained_on_is_named(registry: Registry, evaluation: Evaluation) -> None:
    bundle = registry.load("fusion/1")
    assert TRAINING_PAGES_FILE in bundle.manifest.files
    assert bundle.training_pages == frozenset(page.sha256 for page in evaluation.pages)


def test_the_card_says_what_was_measured(registry: Registry, evaluation: Evaluation) -> None:
    card = registry.card("fusion/1")
    assert card.text is not None
    content: dict[str, Any] = card.content or {}
    assert [row["name"] for row in content["figures"]] == [row["name"] for row in evaluation.report()["rows"]]
    assert content["data"]["distinct"] == len(evaluation.pages)
    assert "Decision support for research" in card.text
    assert all(name.replace("_", " ") in card.text for name in CLASS_NAMES)
    assert CARD_FILE in card.manifest.files


def test_the_history_is_that_of_the_cross_validation(registry: Registry, evaluation: Evaluation) -> None:
    card, answers = registry.card("fusion/1"), evaluation.leak_free.out_of_fold("fusion")
    assert card.history
    assert card.history.about
    assert len(card.history.networks) == evaluation.leak_free.design.folds
    right = answers.page_logits[0].argmax(axis=1) == answers.labels
    for fold, network in enumerate(card.history.networks):
        assert len(network) == evaluation.fusion_config.epochs
        assert network[-1].val_accuracy == pytest.approx(right[answers.folds[0] == fold].mean(), abs=1e-4)


def test_the_figures_are_those_of_the_card(registry: Registry, evaluation: Evaluation) -> None:
    figures = registry.card("fusion/1").figures
    assert figures
    written = evaluation.report()["rows"][0]["figures"]
    assert figures.accuracy == written["accuracy"]
    assert figures.accuracy_ci95 == tuple(written["accuracy_ci95"])
    assert [list(row) for row in figures.confusion_matrix] == written["confusion_matrix"]
    assert figures.classes["normal"].recall_ci95 == tuple(written["classes"]["normal"]["recall_ci95"])
    assert len(figures.reliability or ()) == len(written["reliability"])
    assert figures.coverage
    assert list(figures.coverage.accuracy) == written["coverage"]["accuracy"]
    assert figures.about


def weights(bundle: Bundle) -> list[bytes]:
    """What the graph has learnt, without the names in it, which count on from one export to the next."""
    return sorted(one.raw_data for one in onnx.load_model_from_string(bundle.model).graph.initializer)


def test_members_are_trained_once(registry: Registry, evaluation: Evaluation) -> None:
    members = sorted((evaluation.leak_free.folder / "members").glob("*.npz"))
    before = [member.stat().st_mtime_ns for member in members]
    first = weights(registry.load("fusion/1"))
    assert publish_fusion(evaluation, registry, "fusion") == "fusion/2"
    assert [member.stat().st_mtime_ns for member in members] == before
    assert weights(registry.load("fusion/2")) == first


def test_without_an_evaluation_nothing_is_published(synthetic_pages: Path, tmp_path: Path) -> None:
    evaluation = Evaluation(read_pages(synthetic_pages), tmp_path, quick=True)
    with pytest.raises(RunError, match="no finished evaluation"):
        publish_fusion(evaluation, Registry(tmp_path / "registry"), "fusion")
