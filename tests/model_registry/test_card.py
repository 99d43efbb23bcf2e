"""What a bundle tells about itself: figures and history in one form, whatever form its files have."""

import json
from pathlib import Path
from typing import Any

import pytest

from model_registry.figures import read_figures
from model_registry.history import History, read_history
from model_registry.manifest import HISTORY_FILE
from model_registry.registry import Registry
from tests.bundles import publish_tiny
from tests.conftest import REPOSITORY

EPOCHS = [
    {"loss": 1.2, "accuracy": 0.4, "val_loss": 1.3, "val_accuracy": 0.3},
    {"loss": 0.9, "accuracy": 0.6, "val_loss": 1.1, "val_accuracy": 0.5},
]
FIGURES: dict[str, Any] = {
    "rows": 4,
    "accuracy": 0.75,
    "accuracy_ci95": [0.3, 0.95],
    "confusion_matrix": [[2, 0], [1, 1]],
    "classes": {"one": {"rows": 2, "recall": 1.0}, "two": {"rows": 2, "recall": 0.5, "recall_ci95": None}},
}


def as_json(content: object) -> bytes:
    return json.dumps(content).encode()


def test_the_epochs_of_one_network_are_a_history_of_one() -> None:
    history = read_history(as_json(EPOCHS))
    assert history
    assert history.about is None
    assert json.loads(history.model_dump_json())["networks"] == [EPOCHS]


def test_networks_without_held_out_pages_have_no_validation() -> None:
    epochs = [{"loss": 1.2, "accuracy": 0.4}]
    history = read_history(as_json({"about": "The members.", "networks": [epochs, epochs]}))
    assert history
    assert [network[0].val_loss for network in history.networks] == [None, None]
    assert read_history(history.model_dump_json().encode()) == history


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"networks": []}', b'[{"loss": 1}]', b'[{"loss": NaN, "accuracy": 1}]']
)
def test_a_history_of_another_form_is_none(content: bytes) -> None:
    assert read_history(content) is None


def test_bundle_with_unknown_history_format_is_served(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    ref = publish_tiny(registry, files={HISTORY_FILE: b"never"})
    assert registry.load(ref).manifest.ref == ref
    assert registry.card(ref).history is None


def test_the_card_has_the_figures_of_its_first_row() -> None:
    card = {"protocol": ["So."], "figures": [{"name": "a", "figures": FIGURES}, {"name": "b", "figures": {"ece": 1}}]}
    figures = read_figures(as_json(card), None)
    assert figures
    assert (figures.about, figures.rows, figures.accuracy_ci95) == (("So.",), 4, (0.3, 0.95))
    assert figures.confusion_matrix == ((2, 0), (1, 1))
    assert (figures.reliability, figures.coverage, figures.classes["two"].recall) == (None, None, 0.5)


def test_without_a_card_the_test_split_has_them() -> None:
    figures = read_figures(None, as_json({"figures": {"test": {"page": FIGURES, "lead_image": {}}}}))
    assert figures
    assert figures.rows == 4
    assert "test split" in figures.about[0]


@pytest.mark.parametrize(
    ("protocol", "said"),
    [
        ("leak-free", "neither trained the network nor chose its epoch. No copies; no record on two sides."),
        ("published", "copies of pages that it was trained on. The figures say nothing about new patients."),
        ("another", "does not say how it was split: copies of training pages may be among these."),
    ],
)
def test_the_protocol_of_the_split_is_told(protocol: str, said: str) -> None:
    """By the shipped bundle's own metrics.json, as if its pages had been split so."""
    metrics = json.loads((REPOSITORY / "models" / "crnn" / "1" / "metrics.json").read_text())
    assert metrics["headline"]["protocol"] == "leak-free"
    metrics["headline"]["protocol"] = protocol
    figures = read_figures(None, as_json(metrics))
    assert figures
    about = " ".join(figures.about)
    assert said in about
    assert ("neither trained" in about) is (protocol == "leak-free")
    assert "the curves of its training count lead images" in about


@pytest.mark.parametrize("content", [b"", b"{}", b'{"figures": {"accuracy": [0.5, null]}}', b'{"figures": [7]}'])
def test_figures_of_another_form_are_none(content: bytes) -> None:
    assert read_figures(content, None) is None
    assert read_figures(None, content) is None


@pytest.mark.parametrize("ref", ["fusion/5", "crnn/1"])
def test_the_shipped_bundles_have_both(ref: str) -> None:
    card = Registry(REPOSITORY / "models").card(ref)
    assert card.figures
    assert sum(map(sum, card.figures.confusion_matrix)) == card.figures.rows
    assert list(card.figures.classes) == list(card.manifest.class_names)
    assert isinstance(card.history, History)
    assert all(epoch.val_loss is not None for network in card.history.networks for epoch in network)
