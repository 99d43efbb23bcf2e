"""Both roads against the lead images that the method's original implementation made."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared_preproc.layout import EDAN_3X4_R1
from shared_preproc.masks import Mask
from shared_preproc.page import decode_page
from shared_preproc.pipeline import page_masks
from shared_preproc.reference import reference_masks
from shared_preproc.spec import MASKS_150

FAST_ROAD_LIMIT = 0.0002
"""Share of a page's mask pixels in which the fast road may differ."""


def golden_masks(page: Path) -> list[Mask]:
    return [np.asarray(Image.open(page.with_suffix("") / f"lead_{number:02d}.png")) for number in range(1, 14)]


@pytest.fixture(scope="module", params=range(12))
def golden_page(golden_pages: list[Path], request: pytest.FixtureRequest) -> Path:
    number: int = request.param
    return golden_pages[number]


def test_reference_equals_golden_bit_for_bit(golden_page: Path) -> None:
    masks = reference_masks(golden_page.read_bytes(), EDAN_3X4_R1)
    for mask, golden in zip(masks.values(), golden_masks(golden_page), strict=True):
        np.testing.assert_array_equal(mask, golden)


def test_fast_road_is_near_golden(golden_page: Path) -> None:
    masks = page_masks(decode_page(golden_page.read_bytes(), EDAN_3X4_R1), MASKS_150)
    pairs = list(zip(masks.values(), golden_masks(golden_page), strict=True))
    assert all(mask.shape == golden.shape for mask, golden in pairs)
    different = sum(int((mask != golden).sum()) for mask, golden in pairs)
    assert different / sum(golden.size for _, golden in pairs) <= FAST_ROAD_LIMIT
