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
        places = np.flatnonzero(chosen)
        return Runs(self.column[places], self.first[places], self.last[places])


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
    rows, columns = zip(*map(_changes, inks, lefts), strict=True)
    in_rows = np.concatenate(columns)
    order = np.argsort(in_rows.astype(np.min_scalar_type(int(in_rows.max(initial=0)))), kind="stable")
    column, row = in_rows[order][::2], np.concatenate(rows)[order]  # a change begins a run, and the next one ends it
    first, end = row[::2], row[1::2]
    picture_end = np.repeat([len(ink) for ink in inks], [len(changed) // 2 for changed in rows])
    beyond_px = least_px // 2 * ((first == 0).astype(np.intp) + (end == picture_end))
    return Runs(column, first, end - 1).where(end - first + beyond_px >= least_px)


def _changes(ink: Mask, left: int) -> tuple[Numbers, Numbers]:
    """Rows and columns in which there is ink where there was none above, or none where there was: row by row.

    Above the picture and below it is paper.
    """
    height_px, width_px = ink.shape
    changed = np.empty((height_px + 1, width_px), np.bool_)
    changed[0], changed[-1] = ink[0], ink[-1]
    np.not_equal(ink[1:], ink[:-1], out=changed[1:-1])
    place = np.flatnonzero(changed)
    row = place // width_px
    return row, place - row * width_px + left


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
    starts = np.concatenate([[0], ends + 1])
    strand = np.repeat(np.arange(len(ends)), np.diff(starts))
    others = np.flatnonzero(~goes_on | forks)
    # Those of the next column that touch such a run: from `low` on, before `high`.
    low = np.searchsorted(last, lowest[others]) + goes_on[others]
    contacts = np.searchsorted(first, highest[others], "right") - low
    one = np.repeat(others, contacts)
    other = np.repeat(low - (np.cumsum(contacts) - contacts), contacts) + np.arange(len(one))
    piece = _joined(len(ends), strand[one].tolist(), strand[other].tolist())
    return Pieces(piece[strand], *_edges(runs, starts[:-1], ends, piece))


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
        if before == strand:
            pieces.append(firsts)
            firsts += 1
        else:
            pieces.append(pieces[before])
    return np.array(pieces, np.intp)


def _edges(runs: Runs, starts: Numbers, ends: Numbers, piece: Numbers) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Outermost columns and rows of each piece, whose strands are the runs from ``starts`` to ``ends``."""
    count = int(piece.max(initial=-1)) + 1
    left, top = np.full((2, count), np.iinfo(np.intp).max)
    right, bottom = np.full((2, count), -1)
    np.minimum.at(left, piece, runs.column[starts])
    np.maximum.at(right, piece, runs.column[ends])
    np.minimum.at(top, piece, np.minimum.reduceat(runs.first, starts))
    np.maximum.at(bottom, piece, np.maximum.reduceat(runs.last, starts))
    return left, right, top, bottom
