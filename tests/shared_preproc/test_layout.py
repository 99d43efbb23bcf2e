"""Invariants of the hand-typed lead boxes."""

from dataclasses import replace
from itertools import combinations

import pytest

from shared_preproc.layout import EDAN_3X4_R1, Box
from shared_preproc.leads import LEADS

BOXES = dict(EDAN_3X4_R1.lead_boxes)


def test_every_lead_has_one_box() -> None:
    assert sorted(EDAN_3X4_R1.leads) == sorted(LEADS)
    assert len(EDAN_3X4_R1.lead_boxes) == len(LEADS)


def test_a_layout_without_a_lead_is_refused() -> None:
    with pytest.raises(ValueError, match="one for each of I, II"):
        replace(EDAN_3X4_R1, lead_boxes=EDAN_3X4_R1.lead_boxes[1:])


def test_page_order_is_row_by_row() -> None:
    assert " ".join(EDAN_3X4_R1.leads) == "I aVR V1 V4 II aVL V2 V5 III aVF V3 V6 rhythm_strip"
    places = [(box.top, box.left) for box in BOXES.values()]
    assert places == sorted(places)


def test_boxes_lie_within_the_smallest_accepted_page() -> None:
    smallest_height_px = EDAN_3X4_R1.height_px - EDAN_3X4_R1.tolerance_px
    smallest_width_px = EDAN_3X4_R1.width_px - EDAN_3X4_R1.tolerance_px
    for box in BOXES.values():
        assert 0 <= box.top < box.bottom <= smallest_height_px
        assert 0 <= box.left < box.right <= smallest_width_px


def test_no_two_boxes_overlap() -> None:
    def overlap(a: Box, b: Box) -> bool:
        return a.top < b.bottom and b.top < a.bottom and a.left < b.right and b.left < a.right

    assert not [pair for pair in combinations(BOXES.values(), 2) if overlap(*pair)]


def test_boxes_hold_their_seconds() -> None:
    px_per_s = EDAN_3X4_R1.px_per_mm * EDAN_3X4_R1.mm_per_s
    for lead, box in BOXES.items():
        seconds = 10.0 if lead == "rhythm_strip" else 2.5
        assert box.width_px / px_per_s == pytest.approx(seconds, rel=0.02)


@pytest.mark.parametrize(
    ("width_px", "height_px", "fits"),
    [(2213, 1572, True), (2193, 1592, True), (2233, 1552, True), (2192, 1572, False), (2213, 1593, False)],
)
def test_tolerance_is_twenty_pixels_each_way(width_px: int, height_px: int, fits: bool) -> None:
    assert EDAN_3X4_R1.fits(width_px, height_px) is fits
