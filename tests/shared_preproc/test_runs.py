"""Runs and their pieces, against OpenCV's opening and connected components on any ink."""

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from shared_preproc.masks import INK, Mask
from shared_preproc.runs import Runs, find_pieces, find_runs

STROKE_PX = 3
inks = st.lists(arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))), min_size=1, max_size=3)


def side_by_side(pictures: list[NDArray[np.bool_]]) -> tuple[list[Mask], list[int]]:
    """Masks, and their first columns with two left free between them."""
    masks = [picture.astype(np.uint8) * INK for picture in pictures]
    widths = [mask.shape[1] + 2 for mask in masks]
    return masks, [sum(widths[:number]) for number in range(len(widths))]


def drawn(runs: Runs, numbers: NDArray[np.intp], shape: tuple[int, int], left: int) -> NDArray[np.intp]:
    """Each run's number where it lies in one of the pictures, 0 elsewhere."""
    picture = np.zeros(shape, np.intp)
    for number, column, first, last in zip(numbers, *runs, strict=True):
        if left <= column < left + shape[1]:
            picture[first : last + 1, column - left] = number
    return picture


@settings(max_examples=200, deadline=None)
@given(inks)
def test_runs_are_what_an_opening_leaves(pictures: list[NDArray[np.bool_]]) -> None:
    masks, lefts = side_by_side(pictures)
    runs = find_runs(masks, lefts, STROKE_PX)
    for mask, left in zip(masks, lefts, strict=True):
        opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((STROKE_PX, 1), np.uint8))
        np.testing.assert_array_equal(drawn(runs, np.full(len(runs.column), INK), mask.shape, left), opened)


@settings(max_examples=200, deadline=None)
@given(inks)
def test_pieces_are_connected_components(pictures: list[NDArray[np.bool_]]) -> None:
    masks, lefts = side_by_side(pictures)
    runs = find_runs(masks, lefts, 1)
    pieces = find_pieces(runs)
    found = 0
    for mask, left in zip(masks, lefts, strict=True):
        ours = drawn(runs, pieces.of_run + 1, mask.shape, left)
        count, labels = cv2.connectedComponents(mask)
        pairs = np.unique(np.stack([ours.ravel(), labels.ravel()]), axis=1)
        assert pairs.shape[1] == len(np.unique(pairs[0])) == len(np.unique(pairs[1]))  # one of ours for each of theirs
        found += count - 1
        for piece in np.unique(ours[ours > 0]) - 1:
            rows, columns = np.nonzero(ours == piece + 1)
            box = columns.min() + left, columns.max() + left, rows.min(), rows.max()
            assert tuple(edge[piece] for edge in pieces[1:]) == box
    assert found == len(pieces.left)


def test_pieces_are_numbered_from_the_left() -> None:
    mask = np.zeros((9, 9), np.uint8)
    mask[5:8, 1] = mask[0:3, 3] = mask[5:8, 3] = INK
    pieces = find_pieces(find_runs([mask], [0], STROKE_PX))
    assert pieces.left.tolist() == [1, 3, 3]
    assert pieces.top.tolist() == [5, 0, 5]
