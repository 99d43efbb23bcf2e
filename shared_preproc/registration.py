"""Bring a report page that was scaled, cropped, turned, scanned or photographed to the place of the printed form."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_preproc.errors import UnsuitableDimensionsError
from shared_preproc.form import FormSpec
from shared_preproc.grid import grid_phases
from shared_preproc.layout import Box, Layout
from shared_preproc.page import Gray
from shared_preproc.source import Source, SourceKind
from shared_preproc.separators import Corners, Strength, line_strength, separator_corners

__all__ = ["Registered", "register"]

_FORM = FormSpec()
_Points = NDArray[np.float64]
_Map = Callable[[_Points], _Points]
_SEARCHED_PX = 1600  # longer side of the picture in which the form is looked for
_LEAST_PX = 500
_LEAST_PULSE = 0.6
_LEAST_FIT = 0.3
_DEGREE = 5
_SMOOTH_PX = 0.7  # so that dots that are about as far apart as pixels do not beat with them
_LEAST_TILES = 100
_GROWTH_PX = 130.0
_ALIAS_PX = 4.0  # half way to the next line of dots
_SURE_PX = 0.8
_AGAIN_PX = 5.0
_INK = 90


@dataclass(frozen=True, eq=False)
class Registered:
    """A page as its layout prints it."""

    page: Gray
    source: Source


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
    points = _located(strength, best, layout)
    to_picture = np.array(gray.shape[::-1]) / np.array(size)
    seen_px = (points.seen_px + 0.5) * to_picture - 0.5
    return _brought(gray, _Located(points.at_px, seen_px, points.by_grid), layout)


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

    def seen(self, at_px: _Points) -> _Points:
        """Where in the view points of the page, (points, 2) x, y, are."""
        return cv2.perspectiveTransform((at_px[np.newaxis] - 0.5) / 2, self.homography)[0]


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
class _Located:
    """Points of the page, and where in a picture they are: both (points, 2) x, y."""

    at_px: _Points
    seen_px: _Points
    by_grid: bool = True


def _basis(points: _Points, powers: NDArray[np.intp]) -> NDArray[np.float64]:
    """Chebyshev polynomials of both coordinates: (points, powers)."""
    across = np.polynomial.chebyshev.chebvander((points[:, 0] - 1106) / 1106, 5)
    down = np.polynomial.chebyshev.chebvander((points[:, 1] - 900) / 700, 5)
    return across[:, powers[:, 0]] * down[:, powers[:, 1]]


def _powers(degree: int) -> NDArray[np.intp]:
    return np.array([(x, y) for x in range(degree + 1) for y in range(degree + 1 - x)])


_BILINEAR = np.array([(0, 0), (1, 0), (0, 1), (1, 1)])
_BENT = np.array([(0, 0), (1, 0), (0, 1), (1, 1), (0, 2)])


@dataclass(frozen=True, eq=False)
class _Surface:
    """A smooth map of the page: polynomials for both coordinates."""

    powers: tuple[NDArray[np.intp], NDArray[np.intp]]
    factors: tuple[NDArray[np.float64], NDArray[np.float64]]

    @classmethod
    def through(cls, at: _Points, to: _Points, degree: int) -> "_Surface":
        """Fit points robustly."""
        powers = _powers(degree)
        return cls((powers, powers), (_fitted(at, to[:, 0], powers), _fitted(at, to[:, 1], powers)))

    def __call__(self, at: _Points) -> _Points:
        """Map points (points, 2)."""
        return np.stack([_basis(at, powers) @ one for powers, one in zip(self.powers, self.factors, strict=True)], axis=1)


def _fitted(at: _Points, by: NDArray[np.float64], powers: NDArray[np.intp]) -> NDArray[np.float64]:
    """Least squares, three times, each without what is far off."""
    basis = _basis(at, powers)
    near = np.ones(len(at), bool)
    for _ in range(3):
        solution = _solved(basis[near], by[near])
        off = np.abs(basis @ solution - by)
        near = off <= max(1.0, 3 * float(np.median(off)))
    return solution


def _solved(basis: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least squares by the normal equations, leaning to 0 where the points do not decide."""
    return np.linalg.solve(basis.T @ basis + 1e-3 * np.eye(basis.shape[1]), basis.T @ values)


def _located(view: Strength, pose: _Pose, layout: Layout) -> _Located:
    """Points of the grid; where it is too pale, points that pulses and separators place."""
    smooth = cv2.GaussianBlur(view, (0, 0), _SMOOTH_PX)
    located = _grown(view, smooth, pose.homography, layout)
    if located is None:
        return _by_anchors(pose, layout)
    homography, _ = cv2.findHomography((located.at_px - 0.5) / 2, located.seen_px, cv2.LMEDS)
    moved = cv2.perspectiveTransform((located.at_px[np.newaxis] - 0.5) / 2, pose.homography)[0] - located.seen_px
    if np.abs(moved).max() > _AGAIN_PX:
        located = _grown(view, smooth, homography, layout) or located
    return located


def _grown(view: Strength, smooth: Strength, homography: NDArray[np.float64], layout: Layout) -> _Located | None:
    """Follow the grid outwards from the separators, where the first guess is best; None if it is too pale."""
    page = _half(view, homography, layout)
    paper = (_half(np.full_like(view, 255), homography, layout) == 255) & (page < _INK)  # noqa: PLR2004 - all
    clear = cv2.erode(paper.astype(np.uint8), np.ones((3, 3), np.uint8))
    grid = grid_phases(_half(smooth, homography, layout), clear, layout)
    left, _, right = _FORM.separator_columns_px
    low, high = np.array((left, _FORM.separator_rows_px[0])) - 40, np.array((right, _FORM.separator_rows_px[1])) + 40
    first, last = grid.at_px.min(axis=0), grid.at_px.max(axis=0)
    guess = np.zeros_like(grid.at_px)
    degree, complete = 1, False
    while True:
        found, fit = grid.nearest(guess)
        off = np.abs(found - guess).max(axis=1)
        fits = (fit.min(axis=1) > _LEAST_FIT) & (off < _ALIAS_PX)
        reached = (grid.at_px >= low).all(axis=1) & (grid.at_px <= high).all(axis=1)
        if not complete and degree > 1 and np.median(off) < _SURE_PX:
            low, high, reached = first, last, np.ones(len(grid.at_px), bool)
        chosen = reached & fits
        if chosen.sum() < max(_LEAST_TILES, reached.sum() / 3):
            return None
        places = grid.at_px[chosen] - found[chosen]
        if complete:
            return _Located(places, cv2.perspectiveTransform((places + found[chosen] - 0.5)[np.newaxis] / 2, homography)[0])
        complete = bool((low <= first).all() and (high >= last).all())
        degree = _DEGREE if complete else min(degree + 1, 3)
        guess = _Surface.through(places, found[chosen], degree)(grid.at_px)
        low, high = low - _GROWTH_PX, high + _GROWTH_PX


def _by_anchors(pose: _Pose, layout: Layout) -> _Located:
    x_known, y_known = pose.known.T
    x_powers = _BENT if x_known.sum() > 12 else _BILINEAR
    offset = _Surface(
        (x_powers, _BILINEAR),
        (
            _fitted(pose.at_px[x_known], pose.by_px[x_known, 0], x_powers),
            _solved(_basis(pose.at_px[y_known], _BILINEAR), pose.by_px[y_known, 1]),
        ),
    )
    at = _corners(layout)
    return _Located(at, pose.seen(at + offset(at)), by_grid=False)


def _corners(layout: Layout) -> _Points:
    frame = _FORM.frame
    return np.array([(x, y) for x in np.linspace(frame.left, frame.right, 9) for y in np.linspace(frame.top, frame.bottom, 7)])


_MARGIN_PX = 10
_BEND_PX = 0.3  # of the page: what a finer map has to mend to be used
_FINEST_SCALE = 1.2  # beyond it, pixels of the picture are averaged, not picked


def _brought(gray: Gray, located: _Located, layout: Layout) -> Registered:
    """Map the picture by the simplest map that is as good as the finest."""
    at, to = located.at_px, located.seen_px
    affine = _affine(at, to)
    scale = float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
    surface = _Surface.through(at, to / scale, _DEGREE)
    finest = _rms(surface(at) - to / scale)
    kind, mapped = _simplest(at, to, affine, scale, np.hypot(finest, _BEND_PX))
    whole: _Map = mapped or (lambda points: surface(points) * scale)
    angle = float(np.degrees(np.arctan2(affine[1, 0], affine[0, 0])))
    quarters = round(angle / 90)
    source = Source(
        kind=kind,
        scale=scale,
        turned_deg=quarters % 4 * 90,
        tilt_deg=angle - 90 * quarters,
        residual_mm=finest / layout.px_per_mm if located.by_grid else None,
        cut=tuple(lead for lead, box in layout.lead_boxes if not _shown(whole, box, gray)),
        pulses_shown=_shown(whole, _pulse_box(layout), gray),
    )
    return Registered(_lit(_warped(gray, whole, kind, scale, layout)), source)


def _simplest(
    at: _Points, to: _Points, affine: NDArray[np.float64], scale: float, enough: float
) -> tuple[SourceKind, "_Map | None"]:
    shift, scaled = _straight(at, to, np.round(affine[:, :2] / scale))
    affine_maps: tuple[tuple[SourceKind, NDArray[np.float64]], ...] = (
        ("shifted", shift),
        ("scaled", scaled),
        ("tilted", affine),
    )
    for kind, candidate in affine_maps:
        if _rms((_moved(at, candidate) - to) / scale) < enough:
            return kind, partial(_moved, affine=candidate)
    homography, _ = cv2.findHomography(at, to, cv2.LMEDS)
    if homography is not None and _rms((_projected(at, homography) - to) / scale) < enough:
        return "perspective", partial(_projected, homography=homography)
    return "bent", None


def _projected(at: _Points, homography: NDArray[np.float64]) -> _Points:
    return cv2.perspectiveTransform(at[np.newaxis], homography)[0]


def _pulse_box(layout: Layout) -> Box:
    foot, _, _, end = _FORM.pulse_columns_px
    height_px = round(layout.px_per_mm * layout.mm_per_mv)
    return Box(_FORM.zero_rows_px[0] - height_px, _FORM.zero_rows_px[-1], foot, end)


def _shown(whole: "_Map", box: Box, gray: Gray) -> bool:
    """Whether the picture shows a box of the page, but for a margin in which no curve stands."""
    inner = [(x, y) for x in (box.left + _MARGIN_PX, box.right - _MARGIN_PX) for y in (box.top + _MARGIN_PX, box.bottom - _MARGIN_PX)]
    seen = whole(np.array(inner, np.float64))
    return bool((seen > -1).all() and (seen < gray.shape[::-1]).all())


def _warped(gray: Gray, whole: "_Map", kind: SourceKind, scale: float, layout: Layout) -> Gray:
    """Resample the picture once: on whole pixels copied, else by cubic interpolation, averaged where it is finer."""
    ratio = np.ones(2)
    if scale > _FINEST_SCALE:
        size = round(gray.shape[1] / scale), round(gray.shape[0] / scale)
        ratio = np.array(size) / gray.shape[::-1]
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    size, flags = (layout.width_px, layout.height_px), cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    if kind in {"shifted", "scaled", "tilted"}:
        corners = np.array(((0, 0), (1000, 0), (0, 1000)), np.float64)
        affine = cv2.getAffineTransform(
            corners.astype(np.float32), ((whole(corners) + 0.5) * ratio - 0.5).astype(np.float32)
        )
        if kind == "shifted":
            affine, flags = np.round(affine), cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(gray, affine, size, flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=255)
    across = np.arange(0, layout.width_px + _STEP_PX, _STEP_PX, np.float64)
    down = np.arange(0, layout.height_px + _STEP_PX, _STEP_PX, np.float64)
    lattice = np.stack(np.meshgrid(across, down), axis=2)
    seen = ((whole(lattice.reshape(-1, 2)) + 0.5) * ratio - 0.5).reshape(lattice.shape).astype(np.float32)
    to_lattice = np.array(((1 / _STEP_PX, 0, 0), (0, 1 / _STEP_PX, 0)))
    linear = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    x, y = (cv2.warpAffine(np.ascontiguousarray(seen[..., axis]), to_lattice, size, flags=linear) for axis in (0, 1))
    return cv2.remap(gray, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT, borderValue=255)


def _rms(off: _Points) -> float:
    """Of what is not far off."""
    squares = np.square(off).sum(axis=1)
    return float(np.sqrt(squares[squares <= 9 * np.median(squares)].mean() / 2))


def _affine(at: _Points, to: _Points) -> NDArray[np.float64]:
    basis = np.column_stack([at, np.ones(len(at))])
    return np.linalg.solve(basis.T @ basis, basis.T @ to).T


def _moved(at: _Points, affine: NDArray[np.float64]) -> _Points:
    return at @ affine[:, :2].T + affine[:, 2]


def _straight(at: _Points, to: _Points, turn: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Affine maps without tilt: of the picture's own pixels, and scaled."""
    turned = at @ turn.T
    shift = np.column_stack([turn, np.round(np.median(to - turned, axis=0))])
    fits = [np.polyfit(turned[:, axis], to[:, axis], 1) for axis in (0, 1)]
    scaled = np.column_stack([turn * np.array([[fit[0]] for fit in fits]), [fit[1] for fit in fits]])
    return [shift, scaled]


def _lit(page: Gray) -> Gray:
    small = cv2.resize(page, None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_AREA)
    paper = cv2.blur(cv2.dilate(small, np.ones((7, 7), np.uint8)), (9, 9))
    if paper.min() > 250:
        return page
    return cv2.divide(page, cv2.resize(paper, page.shape[::-1], interpolation=cv2.INTER_LINEAR), scale=255)
