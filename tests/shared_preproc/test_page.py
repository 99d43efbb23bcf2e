"""Each kind of input that a sender may have: read faithfully, or refused with the reason."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from shared_preproc.errors import (
    PreprocError,
    UndecodableImageError,
    UnsuitableDimensionsError,
    UnsupportedFormatError,
)
from shared_preproc.layout import EDAN_3X4_R1
from shared_preproc.page import Page, decode_page
from shared_preproc.picture import MAX_BYTES
from shared_preproc.pipeline import page_masks
from shared_preproc.spec import MASKS_150
from tests import factories


def decode(data: bytes) -> Page:
    return decode_page(data, EDAN_3X4_R1)


def luma(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).convert("L"), np.int16)


def largest_difference(page: Page, expected: np.ndarray) -> int:
    return int(np.abs(page.gray.astype(np.int16) - expected).max())


def mean_difference(page: Page, expected: np.ndarray) -> float:
    return float(np.abs(page.gray.astype(np.int16) - expected).mean())


@pytest.mark.parametrize(
    "make",
    [factories.page_png, factories.rgba_png, factories.la_png],
    ids=["rgb", "rgba-on-white", "gray-with-alpha-on-white"],
)
def test_png_is_read_to_the_level(make: Callable[[], bytes]) -> None:
    page = decode(make())
    assert (page.format, page.width_px, page.height_px) == ("PNG", 2213, 1572)
    assert page.gray.dtype == np.uint8
    assert largest_difference(page, luma(factories.page_array())) <= 1


@pytest.mark.parametrize(
    ("data", "plain"),
    [
        (factories.jpeg_in_pieces(500), factories.page_jpeg()),
        (factories.jpeg_in_pieces(500, piece=b"\xff"), factories.page_jpeg()),
        (factories.png_in_chunks(500), factories.page_png()),
    ],
    ids=["segments", "fill-bytes", "chunks"],
)
def test_what_stands_beside_the_picture_does_not_matter(data: bytes, plain: bytes) -> None:
    assert np.array_equal(decode(data).gray, decode(plain).gray)


def test_palette_is_resolved() -> None:
    assert mean_difference(decode(factories.palette_png()), luma(factories.page_array())) < 2


def test_transparent_palette_entry_is_paper() -> None:
    gray = decode(factories.transparent_palette_png()).gray
    paper = luma(factories.page_array()) > 250
    assert np.median(gray[paper]) == 255


@pytest.mark.parametrize("make", [factories.page_jpeg, factories.progressive_jpeg, factories.grayscale_jpeg])
def test_jpeg_is_read_near_the_page_it_was_made_of(make: Callable[[], bytes]) -> None:
    page = decode(make())
    assert (page.format, page.width_px, page.height_px) == ("JPEG", 2213, 1572)
    assert mean_difference(page, luma(factories.page_array())) < 4


@pytest.mark.parametrize("orientation", range(2, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    page = decode(factories.rotated_jpeg(orientation))
    assert (page.width_px, page.height_px) == (2213, 1572)
    assert page.gray.flags.c_contiguous
    assert mean_difference(page, luma(factories.page_array())) < 4


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "an empty file"),
        (b"hello", "text"),
        (factories.cmyk_jpeg(), "CMYK"),
        (factories.mpo(), "several pictures"),
        (factories.apng(), "animated"),
        (factories.gray16_png(), "16 bits"),
        (factories.rgb16_png(), "16 bits"),
        (factories.transparent_gray_png(2), "2 bits with a transparent level"),
        (factories.transparent_gray_png(4), "4 bits with a transparent level"),
        (b"\xff\xd8\xff" + bytes(MAX_BYTES), "bytes"),
        (factories.jpeg_in_pieces(1000), "more than 1000 segments"),
        (factories.jpeg_in_pieces(1000, piece=b"\xff"), "more than 1000 segments"),
        (factories.jpeg_in_scans(100), "more than 100 scans"),
        (factories.png_in_chunks(20_000), "more than 20000 chunks"),
    ],
    ids=[
        "empty",
        "text",
        "cmyk",
        "mpo",
        "apng",
        "gray16",
        "rgb16",
        "gray2-trns",
        "gray4-trns",
        "too-many-bytes",
        "too-many-segments",
        "too-many-fill-bytes",
        "too-many-scans",
        "too-many-chunks",
    ],
)
def test_unsupported_formats_are_named(data: bytes, found: str) -> None:
    with pytest.raises(UnsupportedFormatError, match=found):
        decode(data)


@pytest.mark.parametrize(
    "data",
    [
        factories.truncated_jpeg(),
        factories.truncated_jpeg(0.999),
        factories.truncated_jpeg() + b"\xff\xd9",
        factories.page_jpeg()[:100_000] + bytes(50) + factories.page_jpeg()[100_050:],
        factories.page_jpeg()[:20],
        factories.truncated_png(),
        factories.truncated_png(0.999),
        factories.page_png()[:20],
        factories.page_png()[:100_000] + bytes(50) + factories.page_png()[100_050:],
        factories.page_png()[:-12],
        factories.page_png()[:-13] + b"x" + factories.page_png()[-12:],
    ],
    ids=[
        "jpeg-half",
        "jpeg-almost",
        "jpeg-half-with-end-marker",
        "jpeg-zeroed-inside",
        "jpeg-header-only",
        "png-half",
        "png-almost",
        "png-header-only",
        "png-zeroed-inside",
        "png-without-end-marker",
        "png-with-a-wrong-crc",
    ],
)
def test_damage_is_refused_and_never_painted_over(data: bytes) -> None:
    with pytest.raises(UndecodableImageError, match="damaged or cut short"):
        decode(data)


@pytest.mark.parametrize(("width_px", "height_px"), [(2213, 1500), (2100, 1572), (1572, 2213), (1, 1)])
def test_other_sizes_are_refused_with_what_was_expected(width_px: int, height_px: int) -> None:
    with pytest.raises(UnsuitableDimensionsError) as refusal:
        decode(factories.resized_png(width_px, height_px))
    assert (refusal.value.width_px, refusal.value.height_px) == (width_px, height_px)
    assert refusal.value.expected == "2213 x 1572 px, each within 20 px"


@pytest.mark.parametrize(("width_px", "height_px"), [(2193, 1552), (2233, 1592)])
def test_sizes_within_the_tolerance_are_read(width_px: int, height_px: int) -> None:
    page = decode(factories.resized_png(width_px, height_px))
    assert (page.width_px, page.height_px) == (width_px, height_px)
    assert len(page_masks(page, MASKS_150)) == 13


@pytest.mark.parametrize("side_px", [13_000, 50_000])
def test_a_decompression_bomb_is_refused_from_its_header(side_px: int) -> None:
    bomb = factories.bomb_png(side_px)
    tracemalloc.start()
    with pytest.raises(UnsuitableDimensionsError, match=f"{side_px} x {side_px} px"):
        decode(bomb)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 2**20


def test_synthetic_pages_give_masks_like_real_ones() -> None:
    """Ink share of a lead box: 2.96 % (sd 0.66) over real pages."""
    for class_name in ("normal", "abnormal_heartbeat", "myocardial_infarction", "history_of_mi"):
        masks = page_masks(decode(factories.page_jpeg(class_name, seed=3)), MASKS_150)
        share = np.mean([mask.mean() / 255 for mask in masks.values()])
        assert 0.015 < share < 0.05


@settings(max_examples=20)
@given(
    st.sampled_from([factories.page_jpeg, factories.palette_png]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=4),
    st.floats(0, 1),
)
def test_mutated_bytes_are_read_or_refused(
    make: Callable[[], bytes], flips: list[tuple[float, int]], keep: float
) -> None:
    """Nothing but a page or a refusal of ours comes out, whatever bytes are hit, headers above all."""
    data = bytearray(make())
    for place, value in flips:
        data[int(place**4 * (len(data) - 1))] = value
    try:
        page = decode(bytes(data[: max(1, int(len(data) * (1 - keep**8)))]))
    except PreprocError:
        return
    assert EDAN_3X4_R1.fits(page.width_px, page.height_px)
