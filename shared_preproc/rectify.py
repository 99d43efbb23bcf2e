"""Resample a picture to the page, by the simplest map that fits, and take the light off."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_preproc.layout import Layout
from shared_preproc.page import Gray
from shared_preproc.placement import PlacementKind
from shared_preproc.surface import Points, Surface, affine_through, moved, rms

__all__ = ["PageMap", "fit_map", "rectified"]

_DEGREE = 5
_BEND_PX = 0.3  # of the page: a finer map is used where it mends more than this
_FINEST_SCALE = 1.2  # a picture with more pixels for each of the page is averaged first
_STEP_PX = 16  # a smooth map is linear over so little
_PAPER = 250  # paper lighter than this everywhere needs no light taken off
_LIGHT_PX = 8  # one level of the paper for each so many pixels


class PageMap(NamedTuple):
    """Where in a picture the pixels of the page are.

    Attributes:
        kind: the simplest map that fits.
        affine: (2, 3): what of it is affine.
        at: the map: points of the page to points of the picture.
        residual_px: root mean square distance, in pixels of the page, of the points from the finest map.
    """

    kind: PlacementKind
    affine: NDArray[np.float64]
    at: Callable[[Points], Points]
    residual_px: float

    @property
    def scale(self) -> float:
        """Pixels of the picture for each of the page."""
        return float(np.sqrt(abs(np.linalg.det(self.affine[:, :2]))))

    @property
    def angle_deg(self) -> float:
        """How far the page is turned clockwise in the picture, -180 to 180."""
        return float(np.degrees(np.arctan2(self.affine[1, 0], self.affine[0, 0])))


def fit_map(at: Points, to: Points) -> PageMap:
    """Fit the simplest map from points of the page to points of a picture that is about as good as a smooth surface."""
    affine = affine_through(at, to)
    scale = float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))
    surface = Surface.through(at, to / scale, _DEGREE)
    finest = rms(surface(at) - to / scale)
    enough = np.hypot(finest, _BEND_PX)
    shift, scaled = _straight(at, to, np.round(affine[:, :2] / scale))
    candidates: tuple[tuple[PlacementKind, NDArray[np.float64]], ...] = (
        ("shifted", shift),
        ("scaled", scaled),
        ("tilted", affine),
    )
    for kind, candidate in candidates:
        if rms((moved(at, candidate) - to) / scale) < enough:
            return PageMap(kind, candidate, partial(moved, affine=candidate), finest)
    homography, _ = cv2.findHomography(at, to, cv2.LMEDS)
    if homography is not None and rms((_projected(at, homography) - to) / scale) < enough:
        return PageMap("perspective", affine, partial(_projected, homography=homography), finest)
    return PageMap("bent", affine, lambda points: surface(points) * scale, finest)


def _straight(at: Points, to: Points, turn: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Affine maps without tilt: of whole pixels, and with a scale for each axis."""
    turned = at @ turn.T
    shift = np.column_stack([turn, np.round(np.median(to - turned, axis=0))])
    fits = np.array([np.polyfit(turned[:, axis], to[:, axis], 1) for axis in (0, 1)])
    return shift, np.column_stack([turn * fits[:, :1], fits[:, 1]])


def _projected(at: Points, homography: NDArray[np.float64]) -> Points:
    return np.asarray(cv2.perspectiveTransform(at[np.newaxis], homography)[0], np.float64)


def rectified(gray: Gray, page_map: PageMap, layout: Layout) -> Gray:
    """Resample a picture once to a page of the layout; white where the picture shows nothing.

    Whole pixels are copied; else the interpolation is cubic, after averaging where the picture is finer than the page.
    """
    size, scale, ratio = (layout.width_px, layout.height_px), page_map.scale, np.ones(2)
    if page_map.kind == "shifted":
        flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        return _affine_warped(gray, page_map.affine, size, flags)
    if scale > _FINEST_SCALE:
        smaller = round(gray.shape[1] / scale), round(gray.shape[0] / scale)
        ratio = np.array(smaller) / gray.shape[::-1]
        gray = np.asarray(cv2.resize(gray, smaller, interpolation=cv2.INTER_AREA), np.uint8)
    if page_map.kind in {"scaled", "tilted"}:
        affine = page_map.affine * ratio[:, np.newaxis]
        affine[:, 2] += (ratio - 1) / 2  # pixel centres are half a pixel from the edge in either size
        return _lit(_affine_warped(gray, affine, size, cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP))
    x, y = _dense(page_map, ratio, layout)
    return _lit(
        np.asarray(cv2.remap(gray, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT, borderValue=255), np.uint8)
    )


def _affine_warped(gray: Gray, affine: NDArray[np.float64], size: tuple[int, int], flags: int) -> Gray:
    white = cv2.warpAffine(gray, affine, size, flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=255)
    return np.asarray(white, np.uint8)


def _dense(page_map: PageMap, ratio: NDArray[np.float64], layout: Layout) -> tuple[NDArray[np.float32], ...]:
    """The map for every pixel of the page, x and y, from every `_STEP_PX`-th."""
    across = np.arange(0, layout.width_px + _STEP_PX, _STEP_PX, np.float64)
    down = np.arange(0, layout.height_px + _STEP_PX, _STEP_PX, np.float64)
    lattice = np.stack(np.meshgrid(across, down), axis=2)
    seen = (page_map.at(lattice.reshape(-1, 2)) + 0.5) * ratio - 0.5
    fields = seen.astype(np.float32).reshape(lattice.shape).transpose(2, 0, 1)
    finer = np.array(((1 / _STEP_PX, 0, 0), (0, 1 / _STEP_PX, 0)))
    size, flags = (layout.width_px, layout.height_px), cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return tuple(
        np.asarray(cv2.warpAffine(np.ascontiguousarray(field), finer, size, flags=flags), np.float32)
        for field in fields
    )


def _lit(page: Gray) -> Gray:
    """Divide by the level of the paper around, where it is not white everywhere."""
    small = cv2.resize(page, None, fx=1 / _LIGHT_PX, fy=1 / _LIGHT_PX, interpolation=cv2.INTER_AREA)
    paper = cv2.blur(cv2.dilate(small, np.ones((7, 7), np.uint8)), (9, 9))
    if paper.min() > _PAPER:
        return page
    light = cv2.resize(paper, page.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.divide(page, light, scale=255), np.uint8)
