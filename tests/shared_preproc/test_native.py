"""Compiled tracing against the same in plain Python, bit by bit, on any ink; and that nothing else is loaded."""

from collections.abc import Mapping
from itertools import product

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from shared_preproc import native
from shared_preproc.layout import EDAN_3X4_R1, Box, Layout
from shared_preproc.leads import Lead
from shared_preproc.masks import INK, Mask
from shared_preproc.spec import TraceSpec
from shared_preproc.traces import page_traces
from tests.shared_preproc.plain_traces import plain_traces

WIDTH_PX, HEIGHT_PX = 21, 16
CORNERS = [(row * HEIGHT_PX, column * (WIDTH_PX + 2)) for row, column in product(range(3), range(4))]
BOXES = [Box(top, top + HEIGHT_PX, left, left + WIDTH_PX) for top, left in CORNERS]
# A page of which any detail may be hit by a few strokes: all that matters on a real one, in a hundredth of its size.
SMALL = Layout(
    name="small",
    width_px=90,
    height_px=64,
    tolerance_px=0,
    px_per_mm=0.4,
    mm_per_mv=10.0,
    mm_per_s=20.0,
    lead_boxes=tuple(zip(EDAN_3X4_R1.leads, [*BOXES, Box(50, 63, 0, 86)], strict=True)),
)
SPEC = TraceSpec(
    rate_hz=3.0,
    zero_rows_px=(9.0, 25.0, 40.75, 57.0),
    start_px=0.0,
    column_s=2.5,
    stroke_px=3,
    flank_px=2,
    name_rows_px=(-6, -1),
    name_width_px=7,
    augmented_name_width_px=10,
)

seeds = st.integers(0, 2**32 - 1)


def cut(page: NDArray[np.uint8]) -> dict[Lead, Mask]:
    return {lead: page[box.top : box.bottom, box.left : box.right].copy() for lead, box in SMALL.lead_boxes}


def curves(random: np.random.Generator) -> NDArray[np.uint8]:
    """A curve in each row of leads, low or high, names on some, holes and specks."""
    page = np.zeros((SMALL.height_px, SMALL.width_px), np.uint8)
    columns = np.arange(SMALL.width_px)
    for zero_px in SPEC.zero_rows_px:
        rows = zero_px + random.exponential(4) * np.cumsum(random.normal(0, 0.4, SMALL.width_px))
        beats = random.integers(0, SMALL.width_px, 3)
        rows += sum(random.normal(0, 15) * np.exp(-((columns - beat) ** 2)) for beat in beats)
        points = np.stack([columns, rows.clip(-50, 120)], axis=1).round().astype(np.int32)
        cv2.polylines(page, [points], False, INK, int(random.integers(1, 4)))
        for box in BOXES[:4]:
            top, left = int(zero_px) - 6, box.left + int(random.integers(0, 3))
            if random.random() < 1 / 2:
                page[top : top + 5, left : left + int(random.integers(1, 7)) : int(random.integers(1, 3))] = INK
    page[random.random(page.shape) < random.choice([0, 0.01, 0.1])] = 0
    page[random.random(page.shape) < random.choice([0, 0.01, 0.1])] = INK
    page[:, random.integers(0, SMALL.width_px, int(random.integers(0, 9)))] = 0
    return page


def assert_same(masks: Mapping[Lead, Mask]) -> None:
    ours, plain = page_traces(masks, SMALL, SPEC), plain_traces(masks, SMALL, SPEC)
    assert list(ours) == list(SMALL.leads)
    for lead, (signals, coverage) in plain.items():
        trace = ours[lead]
        np.testing.assert_array_equal([trace.signal_mv, trace.top_mv, trace.bottom_mv], signals, strict=True)
        assert trace.coverage == coverage


@pytest.mark.usefixtures("build")
@settings(max_examples=50)
@given(seeds)
def test_curves_are_traced_as_in_plain_python(seed: int) -> None:
    assert_same(cut(curves(np.random.default_rng(seed))))


@pytest.mark.usefixtures("build")
@settings(max_examples=40)
@given(seeds, st.sampled_from([0.003, 0.05, 0.2, 0.5, 0.8, 0.97]))
def test_any_ink_is_traced_as_in_plain_python(seed: int, share: float) -> None:
    page = np.random.default_rng(seed).random((SMALL.height_px, SMALL.width_px)) < share
    assert_same(cut(page.astype(np.uint8) * INK))


def test_a_build_of_other_sources_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "_SOURCES", native._SOURCES[1:])
    with pytest.raises(ImportError, match=r"libpreproc\.so was made of other sources: run `make native`"):
        native._load("")


def test_without_a_build_it_is_said_how_to_make_it() -> None:
    with pytest.raises(ImportError, match=r"libpreproc-of-none\.so is not there.*requirements/compiler\.txt"):
        native._load("of-none")
