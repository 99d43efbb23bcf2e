"""Ink as runs: in each column, the stretches of rows it takes without a break. Knows no page and no lead.

A pen's stroke is one run in nearly every column, so a curve is about as many runs as it has columns: once they are
found, what is asked of its ink costs little.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_preproc.masks import Mask

__all__ = ["Numbers", "Pieces", "Runs", "find_pieces", "find_runs"]

Numbers = NDArray[np.intp]


class Runs(NamedTuple):
    """Runs of ink, from left to right, and in a column from the top: (runs,) each."""

    column: Numbers
    first: Numbers
    """The uppermost row."""
    last: Numbers
    """The lowest."""

    def where(self, chosen: NDArray[np.bool_]) -> "Runs":
        """Those of the runs that are ``chosen``, (runs,)."""
        return Runs(self.column[chosen], self.first[chosen], self.last[chosen])


class Pieces(NamedTuple):
    """What hangs together, diagonally too: each run's piece, (runs,), and each piece's outermost pixels, (pieces,)."""

    of_run: Numbers
    left: Numbers
    right: Numbers
    top: Numbers
    bottom: Numbers


def find_runs(inks: Sequence[Mask], lefts: Sequence[int], least_px: int) -> Runs:
    """Every run of at least ``least_px`` rows in pictures that lie beside each other, with their first columns.

    A run that reaches a picture's first or last row counts for ``least_px // 2`` more, as it may go on beyond it.
    """
    # All columns one after the other, a row of paper before each: what changes there begins or ends a run.
    strides = np.array([len(ink) + 1 for ink in inks], np.intp)
    ends = np.cumsum(strides * [ink.shape[1] for ink in inks])
    pixels = np.zeros(ends[-1] + 1, np.uint8)
    for ink, end, stride in zip(inks, ends, strides, strict=True):
        pixels[end - stride * ink.shape[1] : end].reshape(-1, stride)[:, 1:] = cv2.transpose(ink)
    changes = np.flatnonzero(pixels[1:] != pixels[:-1])
    begin, length = changes[::2], changes[1::2] - changes[::2]

    picture = np.searchsorted(ends, begin, "right")
    stride = strides[picture]
    from_end = begin - ends[picture]
    column = from_end // stride
    first = from_end - column * stride
    last = first + length - 1
    beyond_px = least_px // 2 * ((first == 0).astype(np.intp) + (last == stride - 2))
    rights = np.array(lefts, np.intp) + [ink.shape[1] for ink in inks]
    return Runs(column + rights[picture], first, last).where(length + beyond_px >= least_px)


def find_pieces(runs: Runs) -> Pieces:
    """Put together the runs that touch; pieces are numbered by their leftmost run."""
    stride = int(runs.last.max(initial=0)) + 2  # a run lies so far before those of the next column, and touches none
    first, last = runs.column * stride + runs.first, runs.column * stride + runs.last
    # Those of the next column that touch a run: from `low` on, before `high`.
    low, high = np.searchsorted(last, first + (stride - 1)), np.searchsorted(first, last + (stride + 1), "right")
    goes_on = (low == np.arange(1, len(low) + 1)) & (high > low)
    # Runs that go on in the one after them are one strand from the start; other contacts are looked at one by one.
    strand = np.cumsum(~goes_on) - ~goes_on
    contacts = high - low - goes_on
    one = np.repeat(np.arange(len(low)), contacts)
    other = (low + goes_on)[one] + np.arange(len(one)) - np.repeat(np.cumsum(contacts) - contacts, contacts)
    pieces = _joined(int(strand.max(initial=-1)) + 1, strand[one].tolist(), strand[other].tolist())
    return _with_edges(runs, pieces[strand])


def _joined(count: int, ones: list[int], others: list[int]) -> Numbers:
    """Number each of ``count`` strands by its piece, where each of ``ones`` touches that of ``others``."""
    earlier = list(range(count))  # for each strand, an earlier one of its piece; for a piece's first, itself

    def first(strand: int) -> int:
        while earlier[strand] != strand:
            earlier[strand] = strand = earlier[earlier[strand]]
        return strand

    for one, other in zip(ones, others, strict=True):
        start, later = sorted((first(one), first(other)))
        earlier[later] = start
    is_first = np.array(earlier, np.intp) == np.arange(count)
    return (np.cumsum(is_first) - 1)[[first(strand) for strand in range(count)]]


def _with_edges(runs: Runs, piece: Numbers) -> Pieces:
    count = int(piece.max(initial=-1)) + 1
    left, top = np.full((2, count), np.iinfo(np.intp).max)
    right, bottom = np.full((2, count), -1)
    np.minimum.at(left, piece, runs.column)
    np.maximum.at(right, piece, runs.column)
    np.minimum.at(top, piece, runs.first)
    np.maximum.at(bottom, piece, runs.last)
    return Pieces(piece, left, right, top, bottom)
