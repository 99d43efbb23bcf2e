"""Fingerprints stay when a page is saved again and differ between pages."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from shared_preproc.fingerprint import FINGERPRINT_BITS, MOST_BITS_APART, curve_fingerprint, same_curves
from shared_preproc.leads import Lead
from shared_preproc.page import Page, decode_page
from shared_preproc.pipeline import read_page
from shared_preproc.spec import TRACES_50_HZ
from shared_preproc.traces import Trace
from tests.factories import encoded, page_jpeg


def fingerprint_of(data: bytes) -> str | None:
    return curve_fingerprint(read_page(decode_page(data, TRACES_50_HZ.layout), TRACES_50_HZ).traces)


def saved_again(image_format: str, mode: str = "RGB", **options: object) -> bytes:
    return encoded(Image.open(io.BytesIO(page_jpeg())).convert(mode), image_format, **options)


def halved_and_back() -> bytes:
    page = Image.open(io.BytesIO(page_jpeg()))
    return encoded(page.resize((page.width // 2, page.height // 2)).resize(page.size), "JPEG", quality=80)


@pytest.mark.parametrize(
    "again",
    [
        lambda: saved_again("PNG"),
        lambda: saved_again("PNG", "L"),
        lambda: saved_again("JPEG", quality=30),
        lambda: saved_again("PNG", "P"),
        halved_and_back,
    ],
    ids=["png", "gray png", "coarse jpeg", "palette png", "half resolution"],
)
def test_saving_again_keeps_the_fingerprint(again: Callable[[], bytes]) -> None:
    one, other = fingerprint_of(page_jpeg()), fingerprint_of(again())
    assert one is not None
    assert other is not None
    assert same_curves(one, other)


def test_other_pages_have_other_fingerprints() -> None:
    found = [fingerprint_of(page_jpeg(seed=seed)) for seed in range(8)]
    pairs = [(one, other) for place, one in enumerate(found) for other in found[:place]]
    assert not any(one is None or other is None or same_curves(one, other) for one, other in pairs)


def test_flat_leads_have_no_fingerprint() -> None:
    blank = Page(np.full((TRACES_50_HZ.layout.height_px, TRACES_50_HZ.layout.width_px), 255, np.uint8), "PNG")
    assert curve_fingerprint(read_page(blank, TRACES_50_HZ).traces) is None


def test_limit_counts_bits() -> None:
    counts = (0, MOST_BITS_APART, MOST_BITS_APART + 1)
    zero, limit, beyond = (f"{(1 << bits) - 1:0{FINGERPRINT_BITS // 4}x}" for bits in counts)
    assert same_curves(zero, limit)
    assert not same_curves(zero, beyond)


def test_planes_are_those_of_published_bundles() -> None:
    """Other planes would make every fingerprint in a published bundle useless."""
    ramp = Trace(*(np.arange(64, dtype=np.float32),) * 3, coverage=1.0)
    assert curve_fingerprint({Lead.I: ramp}) == "761bee2a7104622410c07596e0230c130e819cee28755b8f20bcf78191d063b2"
