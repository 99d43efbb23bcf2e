"""GET /models/{name}/{version}/card: what a bundle says about itself."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from model_registry.manifest import CARD_FILE
from model_registry.registry import Registry
from tests.bundles import CLASS_NAMES, policy, publish_tiny
from tests.service.serving import problem, serving, settings_for

CARD = {"intended_use": "Tests.", "figures": {"accuracy": [0.5, None]}, "limits": ["Counts ink."]}


@pytest.fixture(scope="module")
def registry_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tiny/1 with a card for programs and thresholds; tiny/2 with the card for people alone; tiny/3, damaged."""
    folder = tmp_path_factory.mktemp("cards")
    registry = Registry(folder)
    files = {CARD_FILE: json.dumps(CARD).encode()}
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
        *("name", "version", "description", "class_names", "created_at", "metrics", "calibration", "decision"),
        *("origin", "card", "text"),
    ]
    assert (card["name"], card["version"], card["class_names"]) == ("tiny", "1", list(CLASS_NAMES))
    assert (card["metrics"], card["calibration"]) == ({"accuracy": 0.5}, {"temperature": 1.5})
    assert card["decision"] == json.loads(policy().model_dump_json())
    assert card["created_at"] == json.loads(manifest.model_dump_json())["created_at"]
    assert (card["card"], card["text"]) == (CARD, "# Tiny\n")


def test_a_bundle_without_a_card_for_programs_says_what_its_manifest_says(reader: httpx.Client) -> None:
    card = reader.get("/models/tiny/2/card").json()
    assert (card["card"], card["text"], card["decision"], card["calibration"]) == (None, "# Tiny\n", None, None)


def test_a_damaged_card_is_refused(reader: httpx.Client) -> None:
    body = problem(reader.get("/models/tiny/3/card"), 503, "broken_model")
    assert "card.json has the SHA-256" in body["found"]


def test_the_list_says_who_has_a_card(reader: httpx.Client) -> None:
    assert [one["has_card"] for one in reader.get("/models").json()["models"]] == [True, False, True]


def test_a_card_needs_no_model_that_loads(registry_dir: Path) -> None:
    with serving(settings_for(registry_dir, default_model="none"), until_ready=False) as client:
        assert client.get("/models/tiny/1/card").status_code == 200
