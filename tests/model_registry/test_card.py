"""What a bundle tells about itself: its card and the pages it was trained on, verified like everything else."""

from pathlib import Path

import pytest

from model_registry.errors import ChangedFileError, InvalidReferenceError, MalformedFileError, UnknownBundleError
from model_registry.manifest import CARD_FILE, MODEL_FILE, TRAINING_PAGES_FILE
from model_registry.registry import Registry
from tests.bundles import publish_tiny

ONE, OTHER = "1" * 64, "f" * 64


def test_a_card_is_read_as_it_was_published(registry: Registry) -> None:
    ref = publish_tiny(
        registry, files={CARD_FILE: b'{"limits": ["one cart"], "n": 409}', "card.md": "# Größe\n".encode()}
    )
    registry.promote(ref)
    for reference in (ref, "tiny", "production"):
        card = registry.card(reference)
        assert card.manifest == registry.load(ref).manifest
        assert (card.content, card.text) == ({"limits": ["one cart"], "n": 409}, "# Größe\n")


def test_a_bundle_may_have_no_card(registry: Registry) -> None:
    assert registry.card(publish_tiny(registry)).content is None


def test_the_model_is_not_read_for_the_card(registry: Registry, path: Path) -> None:
    (path / publish_tiny(registry) / MODEL_FILE).write_bytes(b"damaged")
    assert registry.card("tiny").text == "# Tiny\n"


@pytest.mark.parametrize(("reference", "error"), [("none", UnknownBundleError), ("../tiny/1", InvalidReferenceError)])
def test_an_unknown_card_is_refused(registry: Registry, reference: str, error: type[Exception]) -> None:
    publish_tiny(registry)
    with pytest.raises(error):
        registry.card(reference)


@pytest.mark.parametrize("name", [CARD_FILE, "card.md"])
def test_a_changed_card_is_refused(registry: Registry, path: Path, name: str) -> None:
    ref = publish_tiny(registry, files={CARD_FILE: b"{}"})
    (path / ref / name).write_bytes(b'{"better": true}')
    with pytest.raises(ChangedFileError, match=name):
        registry.card(ref)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (CARD_FILE, b"not JSON"),
        (CARD_FILE, b'["no", "object"]'),
        ("card.md", b"\xff\xfe"),
        (TRAINING_PAGES_FILE, b"abc\n"),
        (TRAINING_PAGES_FILE, f"{ONE}  page.jpg\n".encode()),
        (TRAINING_PAGES_FILE, b"\xff"),
    ],
)
def test_what_is_not_of_its_form_cannot_be_published(registry: Registry, name: str, content: bytes) -> None:
    with pytest.raises(MalformedFileError, match=name):
        publish_tiny(registry, files={name: content})
    assert registry.list() == ((), ())


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({TRAINING_PAGES_FILE: b""}, frozenset()),
        ({TRAINING_PAGES_FILE: f"{ONE}\n{OTHER}\n".encode()}, frozenset({ONE, OTHER})),
    ],
)
def test_a_bundle_says_on_what_it_was_trained(
    registry: Registry, files: dict[str, bytes], expected: frozenset[str] | None
) -> None:
    assert registry.load(publish_tiny(registry, files=files)).training_pages == expected
