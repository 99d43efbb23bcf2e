"""Properties that hold for any page, golden or not."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.filters import gaussian
from skimage.transform import resize

from shared_preproc.crops import crop_leads
from shared_preproc.layout import EDAN_3X4_R1, Box
from shared_preproc.leads import Lead
from shared_preproc.masks import INK, binarize
from shared_preproc.page import Page
from shared_preproc.pipeline import page_masks
from shared_preproc.spec import MASKS_150
from shared_preproc.tensor import mask_tensor, shrink_mask

crops = arrays(np.uint8, st.tuples(st.integers(20, 60), st.integers(20, 60)))


def page_of(gray: np.ndarray) -> Page:
    return Page(gray=gray, format="PNG")


@settings(max_examples=50)
@given(crops)
def test_a_mask_has_two_values_and_the_shape_of_its_crop(crop: np.ndarray) -> None:
    mask = binarize(crop, MASKS_150)
    assert mask.dtype == np.uint8
    assert mask.shape == crop.shape
    assert set(np.unique(mask)) <= {0, INK}


@settings(max_examples=50)
@given(crops)
def test_ink_is_darker_than_paper(crop: np.ndarray) -> None:
    mask = binarize(crop, MASKS_150)
    smooth = gaussian(crop, sigma=1, preserve_range=True)
    if mask.any() and not mask.all():
        assert smooth[mask == INK].max() < smooth[mask == 0].min() + 2  # two roundings of the 8-bit road


@pytest.mark.parametrize("level", [0, 1, 127, 254, 255])
def test_a_crop_of_one_level_has_no_ink(level: int) -> None:
    assert not binarize(np.full((300, 493), level, np.uint8), MASKS_150).any()


def is_tied(gray: np.ndarray) -> bool:
    """Whether two thresholds that give different masks separate the levels equally well (Otsu 1979)."""
    counts = np.bincount(gray.ravel(), minlength=256).astype(np.float64)
    below, level_sum = counts.cumsum(), (counts * np.arange(256)).cumsum()
    above = below[-1] - below
    apart = (below[-1] * level_sum - below * level_sum[-1]) ** 2
    variance = np.divide(apart, below * above, out=np.zeros(256), where=below * above > 0)
    best = np.flatnonzero(variance >= variance.max() * (1 - 1e-9))
    return bool(counts[best[0] + 1 : best[-1] + 1].any())


@pytest.mark.usefixtures("build")
@settings(max_examples=150)
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40))),
    st.sampled_from([(1.0, 4), (0.7, 4), (1.6, 4), (1.0, 2), (1.1, 4), (2.0, 6), (3.0, 5)]),
)
def test_a_mask_is_to_the_bit_what_opencv_makes_of_a_crop(crop: np.ndarray, kernel: tuple[float, int]) -> None:
    sigma_px, radius_px = kernel
    side_px = 2 * radius_px + 1
    smooth = cv2.GaussianBlur(crop, (side_px, side_px), sigma_px, borderType=cv2.BORDER_REPLICATE)
    _, expected = cv2.threshold(smooth, 0, INK, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    assume(not is_tied(smooth))
    mask = binarize(crop, replace(MASKS_150, gaussian_sigma_px=sigma_px, gaussian_radius_px=radius_px))
    np.testing.assert_array_equal(mask, expected if smooth.any() else 0)


@pytest.mark.parametrize("crop", [np.zeros((0, 5), np.uint8), np.zeros((5, 5), np.int32), np.zeros((9, 9), np.uint8).T])
def test_what_is_no_crop_is_refused(crop: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        binarize(crop, MASKS_150)


def test_smoothing_that_eight_bits_cannot_express_is_refused() -> None:
    spec = replace(MASKS_150, gaussian_sigma_px=100.0, gaussian_radius_px=500)
    with pytest.raises(ValueError, match="a sigma of"):
        binarize(np.zeros((9, 9), np.uint8), spec)


def test_a_drawn_line_is_found_where_it_is() -> None:
    crop = np.full((300, 493), 240, np.uint8)
    crop[150:153] = 20
    mask = binarize(crop, MASKS_150)
    np.testing.assert_array_equal(np.flatnonzero(mask.all(axis=1)), [150, 151, 152])
    assert mask.sum() == 3 * 493 * INK


def test_smoothing_stops_at_the_box() -> None:
    """What is drawn just outside a lead's box changes nothing inside it."""
    rng = np.random.default_rng(0)
    gray = rng.integers(0, 256, (1572, 2213), dtype=np.uint8)
    outside = np.ones(gray.shape, bool)
    for _, box in EDAN_3X4_R1.lead_boxes:
        outside[box.top : box.bottom, box.left : box.right] = False
    changed = np.where(outside, 255 - gray, gray)
    for lead, crop in crop_leads(page_of(gray), EDAN_3X4_R1).items():
        other = crop_leads(page_of(changed), EDAN_3X4_R1)[lead]
        np.testing.assert_array_equal(binarize(crop, MASKS_150), binarize(other, MASKS_150))


def test_a_box_is_read_alone_wherever_it_lies() -> None:
    """Also where boxes lie over one another, reach the page's edge, or are of other heights than their neighbours."""
    leads = EDAN_3X4_R1.leads
    boxes = [Box(0, 40, 60 * number, 60 * number + 90) for number in range(12)] + [Box(150, 171, 5, 750)]
    boxes[3] = Box(100, 130, 0, 9)
    spec = replace(MASKS_150, layout=replace(EDAN_3X4_R1, lead_boxes=tuple(zip(leads, boxes, strict=True))))
    page = page_of(np.random.default_rng(1).integers(0, 256, (171, 750), dtype=np.uint8))
    masks = page_masks(page, spec)
    assert tuple(masks) == leads
    for lead, (top, bottom, left, right) in zip(leads, boxes, strict=True):
        np.testing.assert_array_equal(masks[lead], binarize(page.gray[top:bottom, left:right].copy(), spec))


def test_crops_are_views_of_the_page_in_page_order() -> None:
    page = page_of(np.arange(1572 * 2213, dtype=np.uint32).astype(np.uint8).reshape(1572, 2213))
    leads = crop_leads(page, EDAN_3X4_R1)
    assert tuple(leads) == EDAN_3X4_R1.leads
    assert all(np.shares_memory(crop, page.gray) for crop in leads.values())
    np.testing.assert_array_equal(leads[Lead.V5], page.gray[600:900, 1630:2125])


@settings(max_examples=20)
@given(arrays(np.bool_, st.sampled_from([(300, 493), (300, 485), (230, 1975)])))
def test_shrinking_is_scikit_images(mask: np.ndarray) -> None:
    ours = shrink_mask(mask.astype(np.uint8) * INK, 150, 150)
    np.testing.assert_array_equal(ours == INK, resize(mask, (150, 150)))


def test_tensor_is_in_page_order_whatever_the_order_of_the_masks() -> None:
    masks = {
        lead: np.full((box.height_px, box.width_px), number, np.uint8)
        for number, (lead, box) in enumerate(EDAN_3X4_R1.lead_boxes)
    }
    tensor = mask_tensor(dict(reversed(masks.items())), MASKS_150)
    assert tensor.shape == (13, 150, 150)
    assert tensor.dtype == np.uint8
    np.testing.assert_array_equal(tensor[:, 0, 0], range(13))
