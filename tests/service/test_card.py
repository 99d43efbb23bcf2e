"""GET /models/{name}/{version}/card: what a bundle says about itself."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from model_registry.classes import CLASS_MEANINGS
from model_registry.manifest import CARD_FILE, HISTORY_FILE
from model_registry.registry import Registry
from tests.bundles import CLASS_NAMES, FINDINGS, policy, publish_readers, publish_tiny
from tests.conftest import REPOSITORY
from tests.service.serving import problem, serving, settings_for

HISTORY: dict[str, Any] = {
    "about": "One.",
    "networks": [[{"loss": 1.0, "accuracy": 0.5, "val_loss": None, "val_accuracy": None}]],
}
CARD = {"intended_use": "Tests.", "figures": {"accuracy": [0.5, None]}, "limits": ["Counts ink."]}


@pytest.fixture(scope="module")
def registry_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tiny/1 with a card for programs and thresholds; tiny/2 with the card for people alone; tiny/3, damaged."""
    folder = tmp_path_factory.mktemp("cards")
    registry = Registry(folder)
    files = {CARD_FILE: json.dumps(CARD).encode(), HISTORY_FILE: json.dumps(HISTORY).encode()}
    registry.promote(publish_tiny(registry, files=files, decision=policy(), calibration={"temperature": 1.5}))
    publish_tiny(registry)
    (folder / publish_tiny(registry, files=files) / CARD_FILE).write_bytes(b"{}")
    return folder


@pytest.fixture(scope="module")
def reader(registry_dir: Path) -> Iterator[httpx.Client]:
    with serving(settings_for(registry_dir)) as client:
        yield client


def test_a_card_is_what_the_manifest_and_the_card_say(reader: httpx.Client, registry_dir: Path) -> None:
    card = reader.get("/models/tiny/1/card").json()
    manifest = Registry(registry_dir).load("tiny/1").manifest
    assert list(card) == [
        *("name", "version", "description", "class_names", "class_meanings", "findings", "created_at", "metrics"),
        *("calibration", "decision", "origin", "figures", "history", "card", "text"),
    ]
    assert (card["name"], card["version"], card["class_names"]) == ("tiny", "1", list(CLASS_NAMES))
    assert (card["metrics"], card["calibration"]) == ({"accuracy": 0.5}, {"temperature": 1.5})
    assert card["decision"] == json.loads(policy().model_dump_json())
    assert card["created_at"] == json.loads(manifest.model_dump_json())["created_at"]
    assert (card["card"], card["text"]) == (CARD, "# Tiny\n")
    assert (card["figures"], card["history"]) == (None, HISTORY), "the card's figures have a form of their own"


def test_card_says_what_classes_and_findings_mean(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    registry.promote(publish_readers(registry))
    publish_tiny(registry, class_names=("normal", "odd"))
    with serving(settings_for(tmp_path)) as client:
        card, others = (client.get(f"/models/{ref}/card").json() for ref in ("readers/1", "tiny/1"))
    assert card["class_meanings"] == CLASS_MEANINGS
    assert card["findings"] == [finding.model_dump() for finding in FINDINGS]
    assert (list(others["class_meanings"]), others["findings"]) == (["normal"], [])


def test_bundle_without_card_json_shows_its_manifest(reader: httpx.Client) -> None:
    card = reader.get("/models/tiny/2/card").json()
    assert (card["card"], card["text"], card["decision"], card["calibration"]) == (None, "# Tiny\n", None, None)
    assert (card["figures"], card["history"]) == (None, None)


def test_a_damaged_card_is_refused(reader: httpx.Client) -> None:
    body = problem(reader.get("/models/tiny/3/card"), 503, "broken_model")
    assert "card.json has the SHA-256" in body["found"]


def test_the_list_says_who_has_a_card(reader: httpx.Client) -> None:
    assert [one["has_card"] for one in reader.get("/models").json()["models"]] == [True, False, True]


def test_a_card_needs_no_model_that_loads(registry_dir: Path) -> None:
    with serving(settings_for(registry_dir, default_model="none"), until_ready=False) as client:
        assert client.get("/models/tiny/1/card").status_code == 200


def test_the_shipped_models_give_all_that_a_browser_draws() -> None:
    with serving(settings_for(REPOSITORY / "models", default_model="none"), until_ready=False) as client:
        cards = {ref: client.get(f"/models/{ref}/card").json() for ref in ("fusion/5", "crnn/1")}
        described = client.get("/openapi.json").json()["components"]["schemas"]
    for card in cards.values():
        figures, names = card["figures"], card["class_names"]
        assert [len(row) for row in figures["confusion_matrix"]] == [len(names)] * len(names)
        assert list(figures["classes"]) == names
        for name, row in zip(names, figures["confusion_matrix"], strict=True):
            assert figures["classes"][name]["recall"] == pytest.approx(row[names.index(name)] / sum(row))
            low, high = figures["classes"][name]["recall_ci95"]
            assert low <= figures["classes"][name]["recall"] <= high
        assert all(
            set(epoch) == set(HISTORY["networks"][0][0]) for network in card["history"]["networks"] for epoch in network
        )
    fusion, crnn = cards["fusion/5"], cards["crnn/1"]
    assert sum(one["pages"] for one in fusion["figures"]["reliability"]) == fusion["figures"]["rows"]
    assert fusion["figures"]["coverage"]["coverage"][-1] == 1
    assert fusion["decision"]["operating_points"]
    assert fusion["card"]["intended_use"]
    assert fusion["card"]["limits"]
    assert crnn["card"] is crnn["decision"] is crnn["figures"]["reliability"] is crnn["figures"]["coverage"] is None
    assert {"Figures", "ClassFigures", "ReliabilityBin", "Coverage", "History", "Epoch"} <= set(described)
