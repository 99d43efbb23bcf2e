"""What a mask's columns hold, against the same counted pixel by pixel."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shared_preproc.columns import Columns, ink_columns
from shared_preproc.masks import INK

pytestmark = pytest.mark.usefixtures("build")

COUNTS = arrays(np.int32, st.integers(1, 40), elements=st.integers(0, 3))


@settings(max_examples=50)
@given(
    arrays(np.bool_, st.tuples(st.integers(1, 20), st.integers(1, 20))),
    st.sampled_from([0, 250, 600]),
    st.sampled_from([1, 127, INK]),
)
def test_columns_hold_what_is_counted(ink: np.ndarray, paper_rows: int, value: int) -> None:
    """Whatever the height, as more than 255 rows do not fit into 8 bits; and whatever the ink's value."""
    ink = np.pad(ink, ((paper_rows, 0), (0, 0)))
    columns = ink_columns(ink.astype(np.uint8) * np.uint8(value))
    np.testing.assert_array_equal(columns.ink_px, ink.sum(axis=0))
    np.testing.assert_array_equal(columns.upper_px, ink.argmax(axis=0))


@pytest.mark.parametrize("width", [1, 31, 32, 33, 511, 512, 513, 1975])
def test_columns_hold_what_is_counted_whatever_the_width(width: int) -> None:
    ink = np.random.default_rng(width).random((300, width)) < 0.01
    columns = ink_columns(ink.astype(np.uint8) * INK)
    np.testing.assert_array_equal(columns.ink_px, ink.sum(axis=0))
    np.testing.assert_array_equal(columns.upper_px, ink.argmax(axis=0))


@pytest.mark.parametrize("row", [0, 1, 254, 255, 256, 509, 510, 511])
def test_the_upper_edge_is_the_first_of_all_rows_with_ink(row: int) -> None:
    mask = np.zeros((512, 3), np.uint8)
    mask[row:, 1] = mask[row, 2] = INK
    assert ink_columns(mask).upper_px.tolist() == [0, row, row]


def test_a_view_of_a_mask_is_counted_as_it_is_seen() -> None:
    mask = np.zeros((40, 30), np.uint8)
    mask[10:12, 5] = INK
    columns = ink_columns(mask[5:20, 4:7])
    assert (columns.ink_px.tolist(), columns.upper_px.tolist()) == ([0, 2, 0], [0, 5, 0])


@pytest.mark.parametrize(
    "mask", [np.zeros((2, 2), np.int32), np.zeros(4, np.uint8), np.zeros((1, 2**20 + 1), np.uint8)]
)
def test_what_is_no_mask_is_refused(mask: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        ink_columns(mask)


@settings(max_examples=100)
@given(COUNTS, st.data())
def test_the_nearest_columns_are_those_that_differ_least(ink_px: np.ndarray, data: st.DataObject) -> None:
    upper_px = data.draw(arrays(np.int32, ink_px.shape, elements=st.integers(0, 300)))
    start = data.draw(st.integers(0, len(ink_px) - 1))
    width, apart = data.draw(st.integers(1, len(ink_px) - start)), data.draw(st.integers(0, 20))
    counts = np.array([ink_px, upper_px])
    stretches = np.lib.stride_tricks.sliding_window_view(counts, width, axis=1).transpose(1, 0, 2)
    others = stretches[np.abs(np.arange(len(stretches)) - start) >= apart]
    expected_px = min((math.sqrt(np.square(other - stretches[start]).mean()) for other in others), default=math.inf)
    assert Columns(ink_px, upper_px).nearest_px(start, width, apart=apart) == pytest.approx(expected_px)


def test_columns_that_are_far_apart_are_told_how_far() -> None:
    counts = np.array([2**20, 0], np.int32)
    assert Columns(counts, counts).nearest_px(0, 1, apart=1) == 2**20
    assert Columns(counts, counts).nearest_px(0, 1, apart=2**32) == math.inf


@pytest.mark.parametrize(("start", "width", "apart"), [(-1, 1, 0), (0, 0, 0), (0, 4, 0), (3, 1, 0), (0, 1, -1)])
def test_columns_that_a_mask_does_not_have_are_refused(start: int, width: int, apart: int) -> None:
    counts = np.zeros(3, np.int32)
    with pytest.raises(ValueError, match="of 3"):
        Columns(counts, counts).nearest_px(start, width, apart=apart)


@pytest.mark.parametrize("upper_px", [np.zeros(3, np.int64), np.zeros(2, np.int32), np.zeros(6, np.int32)[::2]])
def test_columns_of_another_kind_are_refused(upper_px: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected int32"):
        Columns(np.zeros(3, np.int32), upper_px).nearest_px(0, 1, apart=1)
