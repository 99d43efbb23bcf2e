"""The record of training pages: written, read back, and asked."""

from pathlib import Path

import pytest

from model_registry.errors import MalformedFileError
from model_registry.manifest import FINGERPRINTS_FILE, TRAINING_PAGES_FILE
from model_registry.registry import Registry
from model_registry.training_record import TrainingRecord
from tests.bundles import publish_tiny

PAGE, RECORDING, OTHER = "a" * 64, "b" * 64, "c" * 64
CURVES, UNLIKE = "0" * 64, "f" * 64
RECORD = TrainingRecord(frozenset({PAGE, RECORDING}), {PAGE: CURVES})


def test_record_is_read_back() -> None:
    assert TrainingRecord.parse(RECORD.pack()) == RECORD


def test_bundle_without_record_says_nothing() -> None:
    assert TrainingRecord.parse({}) is None


@pytest.mark.parametrize(
    ("sha256", "fingerprint", "found"),
    [
        (PAGE, None, PAGE),
        (RECORDING, UNLIKE, RECORDING),
        (OTHER, CURVES[:-2] + "0f", PAGE),
        (OTHER, UNLIKE, None),
        (OTHER, None, None),
    ],
)
def test_page_is_found_by_file_or_by_curves(sha256: str, fingerprint: str | None, found: str | None) -> None:
    assert RECORD.find(sha256, fingerprint) == found


@pytest.mark.parametrize(
    ("pages", "fingerprints"),
    [
        (b"no checksum\n", b""),
        (PAGE.encode(), b"one word\n"),
        (PAGE.encode(), f"{PAGE} {CURVES} more\n".encode()),
        (PAGE.encode(), f"{PAGE} {CURVES[1:]}\n".encode()),
        (PAGE.encode(), f"{OTHER} {CURVES}\n".encode()),
    ],
)
def test_malformed_record_breaks_the_bundle(tmp_path: Path, pages: bytes, fingerprints: bytes) -> None:
    registry = Registry(tmp_path)
    with pytest.raises(MalformedFileError, match="record of training pages"):
        publish_tiny(registry, files={TRAINING_PAGES_FILE: pages, FINGERPRINTS_FILE: fingerprints})
