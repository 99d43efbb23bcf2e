"""Bring a report page that was scaled, cropped, turned, scanned or photographed to the place of the printed form."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_preproc.errors import UnsuitableDimensionsError
from shared_preproc.form import FormSpec
from shared_preproc.grid import grid_phases
from shared_preproc.layout import Layout
from shared_preproc.page import Gray
from shared_preproc.separators import Corners, Strength, line_strength, separator_corners

__all__ = ["Registered", "Source", "register"]

_FORM = FormSpec()
_Points = NDArray[np.float64]
_SEARCHED_PX = 1600  # longer side of the picture in which the form is looked for
_LEAST_PX = 500
_LEAST_PULSE = 0.6
_LEAST_FIT = 0.3


@dataclass(frozen=True)
class Source:
    """How a page was brought to the printed form."""

    scale: float
    """Picture pixels for each pixel of the layout."""
    turned: int
    """Degrees clockwise: 0, 90, 180 or 270."""
    tilt_deg: float
    """Degrees clockwise beside that."""
    residual_mm: float
    """Root mean square distance of the printed grid from its place, after registration."""


@dataclass(frozen=True, eq=False)
class Registered:
    """A page as its layout prints it."""

    page: Gray
    source: Source
    debug: object = None


def register(gray: Gray, layout: Layout) -> Registered:
    """Find the form of ``layout`` in a picture of any size, uint8 (height_px, width_px), and bring it to its place."""
    shrink = min(1.0, _SEARCHED_PX / max(gray.shape))
    size = round(gray.shape[1] * shrink), round(gray.shape[0] * shrink)
    searched = cv2.resize(gray, size, interpolation=cv2.INTER_AREA) if shrink < 1 else gray
    strength = line_strength(searched)
    best: _Pose | None = None
    for quarter in (0, 1):
        view = strength if not quarter else np.ascontiguousarray(np.rot90(strength))
        for corners in separator_corners(view, _FORM):
            for ends in (corners, corners[::-1]):
                pose = _pose(view, ends, layout)
                if best is None or pose.score > best.score:
                    best = pose
            if best is not None and best.score > 0.8:
                break
        if best is not None and best.score >= _LEAST_PULSE:
            break
    if best is None or best.score < _LEAST_PULSE:
        raise UnsuitableDimensionsError(gray.shape[1], gray.shape[0], expected=layout.expected_size)
    if quarter:
        best = best.turned_back(strength.shape)
    offset, residual_px = _offset(strength, best, layout)
    lattice = best.map(offset, layout)
    lattice = (lattice + 0.5) / np.array(size) * gray.shape[::-1] - 0.5
    return _brought(gray, lattice, residual_px, layout)


@dataclass(frozen=True, eq=False)
class _Pose:
    homography: NDArray[np.float64]
    """From a page of half the layout's size to the view."""
    score: float
    at_px: _Points
    by_px: _Points
    known: NDArray[np.bool_]

    def turned_back(self, shape: tuple[int, int]) -> "_Pose":
        """The same in the picture of ``shape`` that the view is a quarter turn of."""
        back = np.array(((0, -1, shape[1] - 1), (1, 0, 0), (0, 0, 1)), np.float64)
        return _Pose(back @ self.homography, self.score, self.at_px, self.by_px, self.known)

    def map(self, offset: "_Offset", layout: Layout) -> _Points:
        """Where in the view the page's points are that are `_STEP_PX` apart: (rows, columns, x and y)."""
        across = np.arange(0, layout.width_px + _STEP_PX, _STEP_PX, np.float64)
        down = np.arange(0, layout.height_px + _STEP_PX, _STEP_PX, np.float64)
        at = np.stack(np.meshgrid(across, down), axis=2)
        at = (at + offset.at(at.reshape(-1, 2)).reshape(at.shape) - 0.5) / 2
        return cv2.perspectiveTransform(at.reshape(1, -1, 2), self.homography).reshape(at.shape)


_STEP_PX = 16
_PULSE_REACH_PX = (24, 24)


def _pose(view: Strength, ends: Corners, layout: Layout) -> _Pose:
    top, bottom = _FORM.separator_rows_px
    printed = np.array([(column, row) for row in (top, bottom) for column in _FORM.separator_columns_px], np.float64)
    homography, _ = cv2.findHomography((printed - 0.5) / 2, ends)
    if homography is None:
        homography = np.eye(3)
    page = _half(view, homography, layout)
    pulses = _pulses(page, layout)
    score = float(np.mean(sorted(pulses[:, 4])[1:]))
    separators = _separators(page)
    at = np.concatenate([pulses[:, :2], separators[:, :2]])
    by = np.concatenate([pulses[:, 2:4], separators[:, 2:4]])
    known = np.concatenate([np.repeat(pulses[:, 4:] > 0.6, 2, axis=1), ~np.isnan(separators[:, 2:4])])
    return _Pose(homography, score, at, by, known)


def _half(view: Strength, homography: NDArray[np.float64], layout: Layout) -> Strength:
    size = layout.width_px // 2, layout.height_px // 2
    return cv2.warpPerspective(view, homography, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def _pulses(page: Strength, layout: Layout) -> NDArray[np.float64]:
    """x, y, offset right and down, and likeness of each pulse: (pulses, 5)."""
    foot, rise, fall, end = _FORM.pulse_columns_px
    height_px = round(layout.px_per_mm * layout.mm_per_mv)
    margin = 12
    canvas = np.zeros((height_px + 2 * margin, end - foot + 2 * margin), np.uint8)
    points = np.array(
        ((foot, height_px), (rise, height_px), (rise, 0), (fall, 0), (fall, height_px), (end, height_px))
    ) - (foot - margin, -margin)
    cv2.polylines(canvas, [points.astype(np.int32)], isClosed=False, color=255, thickness=3)
    template = cv2.resize(canvas, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    template = cv2.GaussianBlur(template, (0, 0), 0.8)
    rows, columns = template.shape
    reach_x, reach_y = _PULSE_REACH_PX
    found = []
    padded = cv2.copyMakeBorder(page, reach_y, reach_y, reach_x, reach_x, cv2.BORDER_CONSTANT, value=0)
    for zero in _FORM.zero_rows_px:
        top, left = (zero - height_px - margin) // 2, (foot - margin) // 2
        window = padded[top : top + rows + 2 * reach_y, left : left + columns + 2 * reach_x]
        likeness = cv2.matchTemplate(window, template, cv2.TM_CCOEFF_NORMED)
        row, column = np.unravel_index(int(likeness.argmax()), likeness.shape)
        dx, dy = column + _peak(likeness[row], column), row + _peak(likeness[:, column], row)
        top_exact, left_exact = (zero - height_px - margin - 0.5) / 2 + 0.25, (foot - margin - 0.5) / 2 + 0.25
        found.append(
            (
                (rise + fall) / 2,
                zero - height_px / 2,
                2 * (dx - reach_x + left - left_exact),
                2 * (dy - reach_y + top - top_exact),
                float(likeness[row, column]),
            )
        )
    return np.array(found)


def _peak(values: NDArray[np.float32], place: int) -> float:
    if not 0 < place < len(values) - 1:
        return 0.0
    before, here, after = (float(value) for value in values[place - 1 : place + 2])
    bend = before - 2 * here + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0


def _separators(page: Strength) -> NDArray[np.float64]:
    """x, y, offset right, and not a number, for pieces of the separators: (pieces, 4)."""
    reach, piece = 10, 24
    top, bottom = _FORM.separator_rows_px
    found = []
    for column in _FORM.separator_columns_px:
        left = column // 2 - reach
        for row in range(top // 2 + 4, bottom // 2 - piece, piece):
            profile = np.median(page[row : row + piece, left : left + 2 * reach + 1], axis=0)
            place = int(profile.argmax())
            if profile[place] < 40 or not 0 < place < 2 * reach:
                continue
            near = profile[place - 1 : place + 2].astype(np.float64)
            at = left + place - 1 + float((near * (0, 1, 2)).sum() / near.sum())
            found.append((column, (row + piece / 2) * 2, 2 * at + 0.5 - column, np.nan))
    return np.array(found).reshape(-1, 4)


@dataclass(frozen=True, eq=False)
class _Offset:
    """A smooth field of offsets over the page."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    x_powers: NDArray[np.intp]
    y_powers: NDArray[np.intp]

    def at(self, points: _Points) -> _Points:
        """Offsets right and down, px, at (points, 2) x, y."""
        return np.stack([_basis(points, self.x_powers) @ self.x, _basis(points, self.y_powers) @ self.y], axis=1)


def _basis(points: _Points, powers: NDArray[np.intp]) -> NDArray[np.float64]:
    """Chebyshev polynomials of both coordinates: (points, powers)."""
    across = np.polynomial.chebyshev.chebvander((points[:, 0] - 1106) / 1106, 5)
    down = np.polynomial.chebyshev.chebvander((points[:, 1] - 900) / 700, 5)
    return across[:, powers[:, 0]] * down[:, powers[:, 1]]


def _powers(degree: int) -> NDArray[np.intp]:
    return np.array([(x, y) for x in range(degree + 1) for y in range(degree + 1 - x)])


_BILINEAR = np.array([(0, 0), (1, 0), (0, 1), (1, 1)])
_BENT = np.array([(0, 0), (1, 0), (0, 1), (1, 1), (0, 2)])


def _fitted(at: _Points, by: NDArray[np.float64], powers: NDArray[np.intp]) -> NDArray[np.float64]:
    """Least squares, three times, each without what is far off."""
    basis = _basis(at, powers)
    near = np.ones(len(at), bool)
    for _ in range(3):
        solution = np.linalg.lstsq(basis[near], by[near], rcond=1e-6)[0]
        off = np.abs(basis @ solution - by)
        near = off <= max(1.0, 3 * float(np.median(off)))
    return solution


def _offset(view: Strength, pose: _Pose, layout: Layout) -> tuple[_Offset, float]:
    x_known, y_known = pose.known.T
    x_powers = _BENT if x_known.sum() > 12 else _BILINEAR
    start = _Offset(
        _fitted(pose.at_px[x_known], pose.by_px[x_known, 0], x_powers),
        np.linalg.lstsq(_basis(pose.at_px[y_known], _BILINEAR), pose.by_px[y_known, 1], rcond=0.05)[0],
        x_powers,
        _BILINEAR,
    )
    page = _half(view, pose.homography, layout)
    inked = cv2.dilate(cv2.threshold(page, 90, 1, cv2.THRESH_BINARY)[1], np.ones((3, 3), np.uint8))
    measured = grid_phases(page, 1 - inked, layout)
    offset, residual = start, np.inf
    reached = (measured.at_px[:, 0] < 1628) & (measured.at_px[:, 1] < 1150)
    for degree in (1, 2, 2, 3, 4, 5, 5):
        guess = offset.at(measured.at_px)
        by, fit = measured.nearest(guess, 4.5)
        chosen = reached & (fit.min(axis=1) > _LEAST_FIT) & (np.abs(by - guess).max(axis=1) < 4)
        if chosen.sum() < 100:
            break
        powers = _powers(degree)
        places = measured.at_px[chosen] - by[chosen]
        offset = _Offset(*(_fitted(places, by[chosen, axis], powers) for axis in (0, 1)), powers, powers)
        residual = float(np.sqrt(np.median(np.square(offset.at(places) - by[chosen]))))
        hull = measured.at_px[chosen].max(axis=0) + (160, 160)
        reached = (measured.at_px < hull).all(axis=1)
    return offset, residual


def _brought(gray: Gray, lattice: _Points, residual_px: float, layout: Layout) -> Registered:
    middle = lattice[lattice.shape[0] // 2, lattice.shape[1] // 2]
    right = (lattice[lattice.shape[0] // 2, lattice.shape[1] // 2 + 1] - middle) / _STEP_PX
    down = (lattice[lattice.shape[0] // 2 + 1, lattice.shape[1] // 2] - middle) / _STEP_PX
    scale = float(np.sqrt(abs(right[0] * down[1] - right[1] * down[0])))
    angle = float(np.degrees(np.arctan2(right[1], right[0])))
    turned = round(angle / 90) * 90
    if scale > 1.2:
        size = round(gray.shape[1] / scale), round(gray.shape[0] / scale)
        lattice = (lattice + 0.5) / gray.shape[::-1] * size - 0.5
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    to_lattice = np.array(((1 / _STEP_PX, 0, 0), (0, 1 / _STEP_PX, 0)))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    x, y = (
        cv2.warpAffine(lattice[..., axis].astype(np.float32), to_lattice, (layout.width_px, layout.height_px), flags=flags)
        for axis in (0, 1)
    )
    page = cv2.remap(gray, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT, borderValue=255)
    page = _lit(page)
    return Registered(page, Source(scale, turned % 360, angle - turned, residual_px / layout.px_per_mm))


def _lit(page: Gray) -> Gray:
    small = cv2.resize(page, None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_AREA)
    paper = cv2.blur(cv2.dilate(small, np.ones((7, 7), np.uint8)), (9, 9))
    if paper.min() > 250:
        return page
    return cv2.divide(page, cv2.resize(paper, page.shape[::-1], interpolation=cv2.INTER_LINEAR), scale=255)
