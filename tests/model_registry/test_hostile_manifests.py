"""One bundle with absurd numbers is marked as broken, and hides no other."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from model_registry.registry import Registry
from shared_preproc.spec import PreprocSpec
from tests.bundles import publish_tiny, rewrite_manifest

TRACES: dict[str, Any] = {"kind": "traces", "trace": {"rate_hz": 50.0}}


def seal_with(folder: Path, change: dict[str, Any]) -> None:
    """Write numbers into the published preprocessing, with a fingerprint where they have one."""

    def rewrite(manifest: dict[str, Any]) -> None:
        preprocessing = manifest["preprocessing"]
        preprocessing["layout"] |= change.get("layout", {})
        preprocessing |= {name: value for name, value in change.items() if name != "layout"}
        try:
            spec = TypeAdapter(PreprocSpec).validate_python(preprocessing)
            manifest["preprocessing_fingerprint"] = spec.fingerprint
        except ValueError:
            manifest["preprocessing_fingerprint"] = "0" * 64

    rewrite_manifest(folder, rewrite)


@pytest.mark.parametrize(
    "change",
    [
        {"tensor": {"kind": "traces", "trace": {"column_s": 0.0}}},
        {"tensor": {"kind": "traces", "trace": {"rate_hz": 1e308, "column_s": 1e308}}},
        {"tensor": {"kind": "traces", "trace": {"start_px": -1.0}}},
        {"tensor": {"kind": "masks", "height_px": 0, "width_px": -1}},
        {"layout": {"px_per_mm": 0.0}, "tensor": TRACES},
        {"layout": {"mm_per_s": 1e-300}, "tensor": TRACES},
        {"layout": {"width_px": -1}},
        {"layout": {"height_px": 10**30}},
        {"gaussian_radius_px": 10**9},
        {"gaussian_sigma_px": 0.0},
    ],
)
def test_absurd_numbers_break_their_bundle_alone(tmp_path: Path, change: dict[str, Any]) -> None:
    registry = Registry(tmp_path)
    good, bad = publish_tiny(registry, "good"), publish_tiny(registry, "bad")
    seal_with(tmp_path / bad, change)
    bundles, broken = registry.list()
    assert [bundle.ref for bundle in bundles] == [good]
    assert [error.ref for error in broken] == [bad]
