"""Find the three separators of a report page in a picture: the longest thin lines that every such page prints."""

from collections.abc import Iterator
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_preproc.form import FormSpec

__all__ = ["Corners", "line_strength", "separator_corners"]

Strength = NDArray[np.uint8]
_Point = tuple[float, float]
_Line = tuple[_Point, _Point]
Corners = NDArray[np.float64]
"""float64 (6, 2): x, y in the picture of the upper ends of the three separators from the left, then the lower ends."""

_THIN_PX = 9  # what is wider is no line
_LINE = 56  # least strength of a line
_RUN_PX = 13  # over which a line is solid, unlike the grid's rows of dots
_GAP_PX = 5  # of a line that noise breaks
_SHORTEST = 0.08  # of the picture's longer side
_MOST_LINES = 24
_MOST_CANDIDATES = 6
_SEPARATORS = 3
_MOST_POINTS = 20_000  # of a line: of dense noise, all would be looked at
_EVERY = 3  # rows of the picture, of which one is looked at to find and place a line
_SLOPES = np.arange(-0.22, 0.22, 0.005)  # px across for each px down: up to 12 degrees
_NEAR_PX = 3
_SAME_PX = 4
_MOVED = 0.3  # misfit of an end that was not found but put in line
_UNEVEN = 0.2  # relative difference of spacing, length and shape that perspective may cause
_SKEW = 0.06  # how far the middle line's ends may be from the straight line between the others', in lengths


def line_strength(gray: NDArray[np.uint8]) -> Strength:
    """Measure how much darker each pixel is than the paper around: uint8, 0 to 255, as ``gray``; 0 on wide areas."""
    paper = cv2.morphologyEx(gray, cv2.MORPH_CLOSE, np.ones((_THIN_PX, _THIN_PX), np.uint8))
    least = np.maximum(np.asarray(paper, np.uint8), 32)
    return np.asarray(cv2.divide(cv2.subtract(paper, gray), least, scale=255), np.uint8)


def separator_corners(strength: Strength, spec: FormSpec) -> Iterator[Corners]:
    """Yield what may be the separators of an upright or upside-down page, best first; ``strength``: `line_strength`."""
    lines = _lines(strength)
    if len(lines) < _SEPARATORS:
        return
    triples = lines[np.array(list(combinations(range(len(lines)), _SEPARATORS)))]  # (triples, line, end, x and y)
    pairs = [
        (np.stack([top, bottom], axis=2), _MOVED * bool(one) + _MOVED * bool(other))
        for one, top in enumerate(_ends(triples[:, :, 0]))
        for other, bottom in enumerate(_ends(triples[:, :, 1]))
        if one != other or not one  # a line keeps one of its own ends
    ]
    variants = np.stack([corners for corners, _ in pairs], axis=1)
    misfits = _misfits(variants.reshape(-1, _SEPARATORS, 2, 2), spec).reshape(variants.shape[:2])
    misfits += [cost for _, cost in pairs]
    best = misfits.argmin(axis=1)
    for place in np.argsort(misfits.min(axis=1))[:_MOST_CANDIDATES]:
        if misfits[place].min() < 1:
            yield variants[place, best[place]].transpose(1, 0, 2).reshape(-1, 2)


def _ends(ends: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """The lines' ends as found, and with one of them, where a curve may hide it, put in line with the others."""
    yield ends
    first, second, third = ends.transpose(1, 0, 2)
    yield np.stack([2 * second - third, second, third], axis=1)
    yield np.stack([first, (first + third) / 2, third], axis=1)
    yield np.stack([first, second, 2 * second - first], axis=1)


def _misfits(corners: NDArray[np.float64], spec: FormSpec) -> NDArray[np.float64]:
    """How unlike separators each of (n, line, end, x and y) is: 0 for even, parallel lines, 1 and more for no such."""
    lengths = np.linalg.norm(corners[:, :, 1] - corners[:, :, 0], axis=2)
    across = np.linalg.norm(corners[:, 1:] - corners[:, :-1], axis=3)
    left, _, right = spec.separator_columns_px
    printed = 2 * (spec.separator_rows_px[1] - spec.separator_rows_px[0]) / (right - left)
    with np.errstate(divide="ignore", invalid="ignore"):
        shape = np.log(lengths.mean(axis=1) / across.mean(axis=(1, 2)) / printed)
        length = np.log(lengths.max(axis=1) / lengths.min(axis=1))
        spacing = np.log(across[:, 0] / across[:, 1]).T
    skew = np.linalg.norm(corners[:, 1] - (corners[:, 0] + corners[:, 2]) / 2, axis=2).T / lengths.mean(axis=1)
    uneven = np.abs(np.stack([shape, length, *spacing])) / _UNEVEN
    return np.asarray(np.nan_to_num(np.concatenate([uneven, skew / _SKEW]).max(axis=0), nan=np.inf), np.float64)


def _lines(strength: Strength) -> NDArray[np.float64]:
    """Long, thin and nearly vertical lines, from the left: (lines, upper and lower end, x and y)."""
    solid = np.ascontiguousarray(cv2.blur(strength, (1, _RUN_PX))[::_EVERY])
    inked = cv2.threshold(solid, _LINE, 255, cv2.THRESH_BINARY)[1]
    _, labels, stats, _ = cv2.connectedComponentsWithStats(inked, connectivity=8, ltype=cv2.CV_32S)
    heights = stats[:, cv2.CC_STAT_HEIGHT] * _EVERY
    shortest_px = _SHORTEST * max(strength.shape)
    tall = [label for label in np.argsort(-heights) if label and heights[label] > shortest_px]
    lines = []
    for label in tall[:_MOST_LINES]:
        left, top, width, height = stats[label, : cv2.CC_STAT_AREA].tolist()
        rows, columns = np.nonzero(labels[top : top + height, left : left + width] == label)
        every = -(-len(rows) // _MOST_POINTS)
        rows, columns = (rows[::every] + top) * _EVERY, columns[::every] + left
        for _ in range(_SEPARATORS):  # curves may join as many
            if len(rows) * _EVERY < shortest_px:
                break
            line, near = _traced(strength, rows, columns)
            rows, columns = rows[~near], columns[~near]
            if line is not None and line[1][1] - line[0][1] > shortest_px:
                lines.append(line)
    lines = [line for place, line in enumerate(lines) if not any(_is_same(line, other) for other in lines[:place])]
    longest = sorted(lines, key=lambda line: line[0][1] - line[1][1])[:_MOST_LINES]
    return np.array(sorted(longest, key=lambda line: line[0][0] + line[1][0]), np.float64).reshape(-1, 2, 2)


def _is_same(line: _Line, other: _Line) -> bool:
    """Whether two lines are the two sides of one stroke, or partly the same."""
    (x, top), (_, bottom) = line
    (other_x, other_top), (_, other_bottom) = other
    return abs(x - other_x) < _SAME_PX and min(bottom, other_bottom) > max(top, other_top)


def _traced(
    strength: Strength, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> tuple[_Line | None, NDArray[np.bool_]]:
    """Find the line that most of the points are on (Hough 1962), and follow it to its ends.

    Returns:
        Its upper and lower end, None where it has none; and which of the points are on it.
    """
    middle = (rows.min() + rows.max()) // 2
    starts = np.rint((columns - _SLOPES[:, np.newaxis] * (rows - middle)) / 2).astype(np.intp)
    first = starts.min()
    width = int(starts.max() - first) + 1
    votes = np.bincount(((starts - first) + width * np.arange(len(_SLOPES))[:, np.newaxis]).ravel())
    slope_place, start_place = divmod(int(votes.argmax()), width)
    slope, start = float(_SLOPES[slope_place]), 2.0 * (start_place + first)
    near = np.abs(columns - start - slope * (rows - middle)) <= _NEAR_PX
    if np.ptp(rows[near]) < _RUN_PX:
        return None, near
    slope, start = np.polyfit(rows[near] - middle, columns[near], 1)
    height, width = strength.shape
    down = np.arange(height)
    across = np.rint(start + slope * (down - middle)).astype(np.intp)
    along = np.maximum.reduce([strength[down, np.clip(across + by, 0, width - 1)] for by in (-1, 0, 1)])
    dark = max(_LINE, float(np.median(along[rows[near]])) / 2)
    inked = np.flatnonzero((along >= dark) & (across >= 0) & (across < width))
    runs = np.split(inked, np.flatnonzero(np.diff(inked) > _GAP_PX) + 1)
    first, last = rows[near].min(), rows[near].max()
    run = max(runs, key=lambda run: np.count_nonzero((run >= first) & (run <= last)))
    if not len(run):
        return None, near
    top, bottom = float(run[0]), float(run[-1])
    return ((start + slope * (top - middle), top), (start + slope * (bottom - middle), bottom)), near
