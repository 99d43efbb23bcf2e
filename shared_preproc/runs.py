"""Ink as runs: in each column, the stretches of rows it takes without a break. Knows no page and no lead.

A pen's stroke is one run in nearly every column, so a curve is about as many runs as it has columns: once they are
found, what is asked of its ink costs little.
"""

from collections.abc import Sequence
from typing import NamedTuple

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

    The pictures lie on their side: uint8 (columns, rows). A run that reaches a picture's first or last row counts for
    ``least_px // 2`` more, as it may go on beyond it.
    """
    # All columns one after the other, a row of paper before each: what changes there begins or ends a run.
    widths, heights = np.array([ink.shape for ink in inks], np.intp).T
    strides = heights + 1
    ends = np.cumsum(strides * widths)
    pixels = np.zeros(ends[-1] + 1, np.uint8)
    for ink, start, end in zip(inks, (ends - strides * widths).tolist(), ends.tolist(), strict=True):
        pixels[start:end].reshape(len(ink), -1)[:, 1:] = ink
    changes = np.flatnonzero(pixels[1:] != pixels[:-1])
    begin, length = changes[::2], changes[1::2] - changes[::2]

    picture = np.searchsorted(ends, begin, "right")
    stride = strides[picture]
    from_end = begin - ends[picture]
    column = from_end // stride
    first = from_end - column * stride
    last = first + length - 1
    beyond_px = least_px // 2 * ((first == 0).astype(np.intp) + (last == stride - 2))
    rights = np.array(lefts, np.intp) + widths
    return Runs(column + rights[picture], first, last).where(length + beyond_px >= least_px)


def find_pieces(runs: Runs) -> Pieces:
    """Put together the runs that touch; pieces are numbered by their leftmost run."""
    stride = int(runs.last.max(initial=0)) + 2  # a run lies so far before those of the next column, and touches none
    first, last = runs.column * stride + runs.first, runs.column * stride + runs.last
    lowest, highest = first + (stride - 1), last + (stride + 1)  # how far down and up what touches a run must reach
    goes_on, forks = np.zeros((2, len(first)), np.bool_)  # into the run after it, and into the next one
    goes_on[:-1] = (last[1:] >= lowest[:-1]) & (first[1:] <= highest[:-1])
    forks[:-2] = first[2:] <= highest[:-2]
    # Runs that go on in the one after them are one strand from the start; other contacts are looked at one by one.
    ends = np.flatnonzero(~goes_on)
    strand: Numbers = np.cumsum(~goes_on) - ~goes_on
    others = np.flatnonzero(~goes_on | forks)
    # Those of the next column that touch such a run: from `low` on, before `high`.
    low = np.searchsorted(last, lowest[others]) + goes_on[others]
    contacts = np.searchsorted(first, highest[others], "right") - low
    one = np.repeat(others, contacts)
    other = np.repeat(low - (np.cumsum(contacts) - contacts), contacts) + np.arange(len(one))
    piece = _joined(len(ends), strand[one].tolist(), strand[other].tolist())
    return Pieces(piece[strand], *_edges(runs, ends, piece))


def _joined(count: int, ones: list[int], others: list[int]) -> Numbers:
    """Number each of ``count`` strands by its piece, where each of ``ones`` touches that of ``others``.

    Rem's algorithm: Dijkstra, A Discipline of Programming (1976), chapter 23.
    """
    earlier = list(range(count))  # for each strand, an earlier one of its piece; for a piece's first, itself
    for contact in zip(ones, others, strict=True):
        one, other = contact
        while earlier[one] != earlier[other]:
            if earlier[one] < earlier[other]:
                one, other = other, one
            above, earlier[one] = earlier[one], earlier[other]
            one = above
    pieces: list[int] = []
    firsts = 0
    for strand, before in enumerate(earlier):
        pieces.append(firsts if before == strand else pieces[before])
        firsts += before == strand
    return np.array(pieces, np.intp)


def _edges(runs: Runs, ends: Numbers, piece: Numbers) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Outermost columns and rows of each piece, whose strands end with the runs at ``ends``."""
    count, starts = int(piece.max(initial=-1)) + 1, ends + 1 - np.diff(ends, prepend=-1)
    left, top = np.full((2, count), np.iinfo(np.intp).max)
    right, bottom = np.full((2, count), -1)
    np.minimum.at(left, piece, runs.column[starts])
    np.maximum.at(right, piece, runs.column[ends])
    np.minimum.at(top, piece, np.minimum.reduceat(runs.first, starts))
    np.maximum.at(bottom, piece, np.maximum.reduceat(runs.last, starts))
    return left, right, top, bottom
