"""What a mask's columns hold, against the same counted pixel by pixel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from shared_preproc.columns import ink_px, upper_edge_px
from shared_preproc.masks import INK


@settings(max_examples=50, deadline=None)
@given(arrays(np.bool_, st.tuples(st.integers(1, 20), st.integers(1, 20))), st.sampled_from([0, 250, 600]))
def test_columns_hold_what_is_counted(ink: np.ndarray, paper_rows: int) -> None:
    """Whatever the height: more than 255 rows do not fit into 8 bits."""
    ink = np.pad(ink, ((paper_rows, 0), (0, 0)))
    mask = ink.astype(np.uint8) * INK
    np.testing.assert_array_equal(ink_px(mask), ink.sum(axis=0))
    np.testing.assert_array_equal(upper_edge_px(mask), ink.argmax(axis=0))


@pytest.mark.parametrize("row", [0, 1, 254, 255, 256, 509, 510, 511])
def test_the_upper_edge_is_the_first_of_all_rows_with_ink(row: int) -> None:
    mask = np.zeros((512, 3), np.uint8)
    mask[row:, 1] = mask[row, 2] = INK
    assert upper_edge_px(mask).tolist() == [0, row, row]
