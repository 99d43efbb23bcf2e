"""Find a report page in a picture of any size, and bring it to the place of the printed form.

Separators give a first homography, pulses the way up; then the printed grid is followed outwards from the separators.
docs/any-page.md says how far this goes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_preproc.errors import UnsuitableDimensionsError
from shared_preproc.form import FormSpec
from shared_preproc.grid import grid_phases
from shared_preproc.layout import Box, Layout
from shared_preproc.page import Gray
from shared_preproc.placement import Placement
from shared_preproc.pulses import Pulses, find_pulses, half_page
from shared_preproc.rectify import PageMap, fit_map, rectified
from shared_preproc.separators import Corners, Strength, line_strength, separator_corners
from shared_preproc.surface import Points, Surface, find_homography

__all__ = ["Registered", "register"]

_FORM = FormSpec()
_SEARCHED_PX = 1600  # longer side of the picture in which the form is looked for
_LEAST_LIKENESS = 0.6  # of three pulses of four
_AS_LIKE = 0.15  # poses that are as like as the best; upside down, a page is less like
_MOST_POSES = 3  # that the grid is looked for from
_LEAST_FIT = 0.3  # of a piece of grid
_LEAST_PIECES = 100  # of the grid's 1450
_SMOOTH_PX = 0.7  # dots that are about as far apart as pixels would beat with them
_INK = 90  # strength that no dot of the grid has
_GROWTH_PX = 130.0
_ALIAS_PX = 4.0  # half way to the next line of dots
_SURE_PX = 0.8
_AGAIN_PX = 5.0  # a first map that was further off is measured once more
_FINEST_DEGREE, _GROWING_DEGREE = 5, 3
_MARGIN_PX = 10  # of a box, in which no curve stands


@dataclass(frozen=True, eq=False)
class Registered:
    """A page as its layout prints it, uint8 (layout.height_px, layout.width_px), and how it came."""

    page: Gray
    placement: Placement


def register(gray: Gray, layout: Layout) -> Registered:
    """Find the form of ``layout`` in a picture, uint8 (height_px, width_px), and bring it to its place.

    Raises:
        UnsuitableDimensionsError: the form is not found.
    """
    shrink = min(1.0, _SEARCHED_PX / max(gray.shape))
    size = max(1, round(gray.shape[1] * shrink)), max(1, round(gray.shape[0] * shrink))
    searched = np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8) if shrink < 1 else gray
    strength = line_strength(searched)
    poses = list(_poses(strength, layout))
    if not poses:
        form_or_export = f"a picture that shows the report's form, or an export of {layout.expected_size}"
        raise UnsuitableDimensionsError(gray.shape[1], gray.shape[0], expected=form_or_export)
    clearest = max(pose.likeness for pose in poses)
    poses = sorted((pose for pose in poses if pose.likeness > clearest - _AS_LIKE), key=lambda pose: pose.off_px)
    best, located = _located(strength, poses, layout)
    seen = (located.seen_px + 0.5) * np.array(gray.shape[::-1]) / np.array(size) - 0.5
    page_map = fit_map(located.at_px, seen)
    quarters = round(page_map.angle_deg / 90)
    placement = Placement(
        kind=page_map.kind,
        scale=page_map.scale,
        turned_deg=quarters % 4 * 90,
        tilt_deg=page_map.angle_deg - 90 * quarters,
        residual_mm=page_map.residual_px / layout.px_per_mm if located.by_grid else None,
        cut=tuple(lead for lead, box in layout.lead_boxes if not _shown(page_map, box, gray)),
        several=any(best.is_apart(pose, layout) for pose in poses),
    )
    return Registered(rectified(gray, page_map, layout), placement)


def _shown(page_map: PageMap, box: Box, gray: Gray) -> bool:
    """Whether a picture shows a box of the page, but for its margin."""
    columns, rows = (box.left + _MARGIN_PX, box.right - _MARGIN_PX), (box.top + _MARGIN_PX, box.bottom - _MARGIN_PX)
    seen = page_map.at(np.array([(x, y) for x in columns for y in rows], np.float64))
    return bool((seen > -1).all() and (seen < gray.shape[::-1]).all())


@dataclass(frozen=True, eq=False)
class _Pose:
    """A first guess at where a page is: ``homography`` goes from a page of half the layout's size to the picture."""

    homography: NDArray[np.float64]
    ends: Corners
    pulses: Pulses

    @property
    def likeness(self) -> float:
        """Of the pulses, but for the worst, which a curve may cross."""
        return float(np.sort(self.pulses.likeness)[1:].mean())

    @property
    def off_px(self) -> float:
        """How far the pulses are from their places, but for the worst."""
        return float(np.sort(np.abs(self.pulses.by_px).max(axis=1))[:-1].mean())

    def is_apart(self, other: "_Pose", layout: Layout) -> bool:
        """Whether the middle of another pose's separators lies outside this pose's page."""
        middle = other.ends.mean(axis=0)[np.newaxis, np.newaxis]
        x, y = 2 * cv2.perspectiveTransform(middle, np.linalg.inv(self.homography))[0, 0]
        return not (0 <= x < layout.width_px and 0 <= y < layout.height_px)


def _poses(strength: Strength, layout: Layout) -> Iterator[_Pose]:
    """Yield where pages may be: upright or upside down; or, where there are none, a quarter turn either way."""
    found = False
    for quarter in (False, True):
        view = np.ascontiguousarray(np.rot90(strength)) if quarter else strength
        for corners in separator_corners(view, _FORM):
            for ends in (corners, corners[::-1]):
                homography = find_homography(_printed_ends(), ends)
                if homography is None:
                    continue
                pose = _Pose(homography, ends, find_pulses(view, homography, layout, _FORM))
                if pose.likeness >= _LEAST_LIKENESS:
                    found = True
                    yield _turned_back(pose, strength) if quarter else pose
        if found:
            return


def _printed_ends() -> Points:
    """Where on the half page the separators end, in the order of `Corners`."""
    rows, columns = _FORM.separator_rows_px, _FORM.separator_columns_px
    return (np.array([(column, row) for row in rows for column in columns], np.float64) - 0.5) / 2


def _turned_back(pose: _Pose, strength: Strength) -> _Pose:
    """The same pose in the picture, from its view a quarter turn anticlockwise."""
    back = np.array(((0, -1, strength.shape[1] - 1), (1, 0, 0), (0, 0, 1)), np.float64)
    return _Pose(back @ pose.homography, pose.ends @ back[:2, :2].T + back[:2, 2], pose.pulses)


@dataclass(frozen=True, eq=False)
class _Located:
    """Points of the page, and where in the picture they are."""

    at_px: Points
    seen_px: Points
    by_grid: bool


def _located(strength: Strength, poses: list[_Pose], layout: Layout) -> tuple[_Pose, _Located]:
    """Locate points of the grid from the first pose that leads to it; where it is too pale, pulses and separators."""
    smooth = np.asarray(cv2.GaussianBlur(strength, (0, 0), _SMOOTH_PX), np.uint8)
    for pose in poses[:_MOST_POSES]:
        located = _grown(strength, smooth, pose.homography, layout)
        if located is None:
            continue
        if np.abs(_seen(located.at_px, pose.homography) - located.seen_px).max() > _AGAIN_PX:
            homography = find_homography((located.at_px - 0.5) / 2, located.seen_px, cv2.LMEDS)
            if homography is not None:
                located = _grown(strength, smooth, homography, layout) or located
        return pose, located
    best = poses[0]
    clear = best.pulses.likeness >= _LEAST_LIKENESS
    at = np.concatenate([2 * _printed_ends() + 0.5, best.pulses.at_px[clear]])
    seen = _seen(best.pulses.at_px[clear] + best.pulses.by_px[clear], best.homography)
    return best, _Located(at, np.concatenate([best.ends, seen]), by_grid=False)


def _seen(at_px: Points, homography: NDArray[np.float64]) -> Points:
    """Where points of the page are in the picture; ``homography`` from the half page."""
    return np.asarray(cv2.perspectiveTransform((at_px[np.newaxis] - 0.5) / 2, homography)[0], np.float64)


def _grown(strength: Strength, smooth: Strength, homography: NDArray[np.float64], layout: Layout) -> _Located | None:
    """Follow the grid outwards from the separators, where the guess is best; None if it is too pale."""
    page = half_page(strength, homography, layout)
    pictured = half_page(np.full_like(strength, 255), homography, layout) == 255  # noqa: PLR2004 - wholly
    clear = cv2.erode((pictured & (page < _INK)).astype(np.uint8), np.ones((3, 3), np.uint8))
    grid = grid_phases(half_page(smooth, homography, layout), np.asarray(clear, np.uint8), layout)
    if len(grid.at_px) < _LEAST_PIECES:
        return None
    first, last = grid.at_px.min(axis=0), grid.at_px.max(axis=0)
    (left, _, right), (top, bottom) = _FORM.separator_columns_px, _FORM.separator_rows_px
    low, high = np.array((left, top), np.float64), np.array((right, bottom), np.float64)
    guess, degree, complete = np.zeros_like(grid.at_px), 0, False
    while True:
        found, fit = grid.nearest(guess)
        off = np.abs(found - guess).max(axis=1)
        if degree > 0 and np.median(off) < _SURE_PX:
            low, high = first, last
        reached = (grid.at_px >= low).all(axis=1) & (grid.at_px <= high).all(axis=1)
        chosen = reached & (fit.min(axis=1) > _LEAST_FIT) & (off < _ALIAS_PX)
        if chosen.sum() < max(_LEAST_PIECES, reached.sum() / 3):
            return None
        places = grid.at_px[chosen] - found[chosen]
        if complete:
            return _Located(places, _seen(places + found[chosen], homography), by_grid=True)
        complete = bool((low <= first).all() and (high >= last).all())
        degree = _FINEST_DEGREE if complete else min(degree + 1, _GROWING_DEGREE)
        guess = Surface.through(places, found[chosen], degree)(grid.at_px)
        low, high = low - _GROWTH_PX, high + _GROWTH_PX
