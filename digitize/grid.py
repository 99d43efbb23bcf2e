"""Finds the printed grid of a picture.

The spectrum gives the pitch. The grid's phase, demodulated and fitted by a polynomial, gives the map; what remains
after the fit is the residual.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from digitize.demodulation import demodulate, unwrap
from digitize.gridmap import HEAVY_MM, Floats, GridMap, Phase, Plane
from digitize.spectrum import Tile, comb, cut_tiles, find_pitches

__all__ = ["find_grid"]

_PAPER_PX = 48  # reach over which the paper's own gray is sought
_LEAST_PX, _MOST_PX = 10.0, 100.0  # of 5 mm
_NARROWEST_MM, _WIDEST_MM = 120.0, 450.0  # longer side of a picture; the narrowest where 1 mm and 5 mm look alike
_PULL = 0.2
_TRUSTED = 0.25  # periods from the fit beyond which a place is not trusted
_LEAST_SCORE = 0.32
_LEAST_FINE = 0.5
_BETTER = 0.6
_AFFINE, _RIDGE = 3, 0.0002  # terms that are free; how much the others must explain
_COARSE = 0.015  # by which the spectrum's pitch or tilt may be off
_SEEN, _EVEN = 0.7, 0.95  # share of the lines of 5 mm and 1 mm that one plane explains, where the grid is straight
_PLANES = 512  # slopes that are tried, in each direction
_LOOSE = 0.05  # periods
_DRIFT = 0.004  # 1 mm lines whose pitch differs more from the 5 mm lines' do not belong to them
_WORSE = 0.004  # periods
_CLEAR_MM, _EXACT_MM = 0.1, 0.03  # residual of heavy lines that need no comparison; of lines of 1 mm in an export
_LEAST_LINE_PX = 3.7  # 1 mm lines nearer than this are taken for 5 mm lines


def find_grid(gray: NDArray[np.uint8]) -> GridMap | None:
    """Find the grid of a picture; ``None`` where there is none that repeats across the page.

    Args:
        gray: uint8 (height, width), dark lines on light paper.
    """
    height, width = gray.shape
    dark = _darkness(gray, _PAPER_PX)
    dark = np.minimum(dark, max(8.0, float(np.percentile(dark[::4, ::4], 92))))
    tiles = cut_tiles(dark)
    if not tiles:
        return None
    levels = np.mean([tile.levels for tile in tiles], axis=0)
    longest_px = max(height, width)
    least_px, most_px = HEAVY_MM * longest_px / _WIDEST_MM, HEAVY_MM * longest_px / _NARROWEST_MM
    heavy = find_pitches(levels, (max(_LEAST_PX, least_px), _MOST_PX), _LEAST_SCORE)
    first = heavy and _mapped(dark, (levels, tiles), heavy, fine=False)
    if first and first.residual_mm < _CLEAR_MM:
        return first
    # Lines of 1 mm alone may look like heavy ones, of their own pitch or another, but lie well on their own alone.
    bounds = max(HEAVY_MM * _LEAST_LINE_PX, least_px), min(_MOST_PX, most_px)
    lines = find_pitches(levels, bounds, _LEAST_FINE, fine=True)
    tried = [each for each in (heavy, lines) if each and min(each[0][0], each[1][0]) >= bounds[0]]
    fine = [found for each in tried if (found := _mapped(dark, (levels, tiles), each, fine=True))]
    exact = [found for found in fine if found.residual_mm < _EXACT_MM]
    return next(iter([*exact, *([first] if first else fine)]), None)


def _mapped(
    dark: Plane, spectra: tuple[Plane, list[Tile]], pitches: tuple[tuple[float, float], ...], *, fine: bool
) -> GridMap | None:
    """The map of a grid whose pitch and tilt are about known, across and down; ``None`` where it cannot be followed."""
    first, second = (_follow(dark, spectra, axis, coarse, fine=fine) for axis, coarse in enumerate(pitches))
    if first is None or second is None:
        return None
    (across, residual_x, cover_x), (down, residual_y, cover_y) = first, second
    pitch = 1 / float(np.hypot(*across.slope)), 1 / float(np.hypot(*down.slope))
    residual_mm = HEAVY_MM * max(residual_x, residual_y)
    tilt_deg = float(np.degrees(np.arctan2(-down.slope[0], down.slope[1])))
    height, width = dark.shape
    return GridMap(pitch, residual_mm, tilt_deg, min(cover_x, cover_y), (width, height), across, down)


def _darkness(gray: NDArray[np.uint8], reach_px: int) -> Plane:
    """How much darker than the paper around it each pixel is: float32, 0 to 255."""
    factor = max(1, reach_px // 8)
    small = cv2.resize(gray, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    size = max(3, reach_px // factor) | 1
    paper = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((size, size), np.uint8))
    paper = cv2.blur(paper, (size, size), borderType=cv2.BORDER_REPLICATE)
    large = cv2.resize(paper, (gray.shape[1], gray.shape[0]), interpolation=cv2.INTER_LINEAR)
    return cv2.subtract(large, gray).astype(np.float32)


def _follow(
    dark: Plane, spectra: tuple[Plane, list[Tile]], axis: int, coarse: tuple[float, float], *, fine: bool
) -> tuple[Phase, float, float] | None:
    """Fit the grid's phase along one axis: the phase, its residual in periods, the share of the picture with grid."""
    levels, tiles = spectra
    height, width = dark.shape
    half, start = max(width, height) / 2, np.zeros(10)
    start[1:3] = half * _slope(axis, *_clearest(levels, axis, coarse, fine=fine)[:2])
    straight = _straight(dark, Phase(start, (width, height), None), coarse[0], fine=fine)
    if straight is not None:
        return straight
    start[:6] = _carrier(tiles, axis, coarse, (width, height), fine=fine)
    phase = Phase(start, (width, height), None)
    if fine:
        first = _refine(dark, phase, coarse[0], 5, grow=True)
        return first and (_refine(dark, first[0], coarse[0], 5) or first)
    heavy = _refine(dark, phase, coarse[0], 1, grow=True)
    heavy = heavy and _refine(dark, heavy[0], coarse[0], 1, grow=True)
    if heavy is None:
        return None
    light = _refine(dark, heavy[0], coarse[0], 5, grow=True)
    light = light and _refine(dark, light[0], coarse[0], 5, grow=True)
    if light is not None:
        change = np.hypot(*light[0].slope) / np.hypot(*heavy[0].slope) - 1
        if (abs(change) < _DRIFT and light[1] < heavy[1] + _WORSE) or light[1] < _BETTER * heavy[1]:
            return light
    return heavy


def _straight(dark: Plane, phase: Phase, pitch_px: float, *, fine: bool) -> tuple[Phase, float, float] | None:
    """The grid of an export or a flat scan, whose lines are straight and even; ``None`` where they are not.

    One plane then fits the 1 mm lines of the whole picture, whatever hides some of them.
    """
    straight = phase
    for harmonic, reach, least in ((5, _COARSE, _EVEN),) if fine else ((1, _COARSE, _SEEN), (5, _DRIFT, _EVEN)):
        seen = demodulate(dark, straight, pitch_px, harmonic)
        if seen is None:
            return None
        x_px, y_px, total, weight, good = seen
        weight = weight * good
        field = weight * np.exp(2j * np.pi * harmonic * (total - straight.at(x_px, y_px)))
        # Slopes in periods a pixel, as fine as a transform of `_PLANES` places gives them.
        steps = x_px[0, 1] - x_px[0, 0], y_px[1, 0] - y_px[0, 0]
        most = [int(reach / pitch_px * step * harmonic * _PLANES) for step in steps]
        across, down = (np.arange(-k, k + 1) / _PLANES / step / harmonic for k, step in zip(most, steps, strict=True))
        waves = [
            np.exp(-2j * np.pi * harmonic * np.outer(slopes, places))
            for slopes, places in ((down, y_px[:, 0] - y_px[0, 0]), (across, x_px[0] - x_px[0, 0]))
        ]
        spectrum = np.abs(waves[0] @ field @ waves[1].T)
        spectrum[np.hypot(across[np.newaxis], down[:, np.newaxis]) * pitch_px > reach] = 0.0
        row, column = np.unravel_index(int(spectrum.argmax()), spectrum.shape)
        if spectrum[row, column] < least * weight.sum():
            return None
        coefficients = straight.coefficients.copy()
        coefficients[1:3] += np.array([across[column], down[row]]) * max(dark.shape) / 2
        terms = straight.terms(x_px, y_px)[..., :_AFFINE]
        turn = np.sum(weight * np.exp(2j * np.pi * harmonic * (total - terms @ coefficients[:_AFFINE])))
        coefficients[0] += np.angle(turn) / (2 * np.pi * harmonic)
        for _ in range(4):
            off = total - terms @ coefficients[:_AFFINE]
            off -= np.round(off * harmonic) / harmonic
            pull = weight / (1 + (off * harmonic / _LOOSE) ** 2)
            a = terms[good]
            pulled = a.T * pull[good]
            coefficients[:_AFFINE] += np.linalg.solve(pulled @ a, pulled @ off[good])
        straight = Phase(coefficients, phase.size_px, None)
    return straight, float(np.sqrt(np.average(off[good] ** 2, weights=weight[good]))), float(good.mean())


def _refine(
    dark: Plane, phase: Phase, pitch_px: float, harmonic: int, *, grow: bool = False
) -> tuple[Phase, float, float] | None:
    """Fit the phase anew to one harmonic of the grid, from an approximation that is right within half its period."""
    seen = demodulate(dark, phase, pitch_px, harmonic)
    if seen is None:
        return None
    x_px, y_px, total, weight, good = seen
    terms = phase.terms(x_px, y_px)
    if grow:
        total = unwrap(total, terms @ phase.coefficients, weight * good, harmonic)
    coefficients = phase.coefficients.copy()
    for count in (3, 6, 6, 10, 10, 10):
        off = (total - terms @ coefficients)[good]
        if grow and count == _AFFINE:
            coefficients[0] += np.median(off)
            off -= np.median(off)
        pull = weight[good] / (1 + (off / _PULL) ** 2)
        a = terms[good][:, :count]
        ridge = np.where(np.arange(count) < _AFFINE, 0.0, _RIDGE * pull.sum())
        pulled = a.T * pull
        coefficients[:count] += np.linalg.solve(
            pulled @ a + np.diag(ridge + 1e-9), pulled @ off - ridge * coefficients[:count]
        )
    off = total - terms @ coefficients
    residual = float(np.sqrt(np.average(np.minimum(off[good] ** 2, 0.04), weights=weight[good])))
    bend = _bend(off, weight * good * (np.abs(off) < _TRUSTED))
    return Phase(coefficients, phase.size_px, bend), residual, float(good.mean())


def _bend(rest: Floats, weight: Floats) -> Plane:
    """What is left of the phase, smoothed over 15 mm; nothing where the grid was lost."""
    up, down = (cv2.GaussianBlur(part.astype(np.float32), (0, 0), 1.5) for part in (rest * weight, weight))
    return (up / (down + 0.1 * float(weight.max()))).astype(np.float32)


def _carrier(tiles: list[Tile], axis: int, coarse: tuple[float, float], size: tuple[int, int], *, fine: bool) -> Floats:
    """Quadratic phase whose slope agrees with the pitch and tilt of each tile."""
    pitch_px, tilt = coarse
    rows, wanted, weights = [], [], []
    width, height = size
    half = max(width, height) / 2
    for tile in tiles:
        *place, strength = _clearest(tile.levels, axis, coarse, fine=fine)
        slope = half * _slope(axis, *place)
        x, y = (tile.x_px - width / 2) / half, (tile.y_px - height / 2) / half
        # Slopes of 1, x, y, x2, xy, y2 across and down.
        rows += [(1.0, 0.0, 2 * x, y, 0.0), (0.0, 1.0, 0.0, x, 2 * y)]
        wanted += list(slope)
        weights += [max(0.0, strength)] * 2
    a, b, w = np.array(rows), np.array(wanted), np.array(weights)
    f = half / pitch_px
    slopes = np.array([*(half * _slope(axis, pitch_px, tilt)), 0.0, 0.0, 0.0])
    ridge = np.diag([1e-6, 1e-6, 0.02, 0.02, 0.02]) * w.sum()
    for _ in range(6):
        off = b - a @ slopes
        pull = w / (1 + (off / (0.03 * f)) ** 2)
        slopes = slopes + np.linalg.solve(
            a.T @ (a * pull[:, np.newaxis]) + ridge * 0.05, a.T @ (off * pull) - 0.05 * ridge @ slopes * [0, 0, 1, 1, 1]
        )
    return np.array([0.0, *slopes])


def _clearest(levels: Plane, axis: int, coarse: tuple[float, float], *, fine: bool) -> tuple[float, float, float]:
    """Pitch and tilt near an approximation at which the grid is clearest in a spectrum, and how clear."""
    pitches = coarse[0] * np.exp(np.arange(-0.2, 0.201, 0.004))
    tilts = coarse[1] + np.radians(np.arange(-6, 6.1, 0.5))
    _, series = comb(levels, axis, (pitches, tilts), 10.0, fine=fine)
    row, column = np.unravel_index(int(series.argmax()), series.shape)
    return float(pitches[row]), float(tilts[column]), float(series[row, column])


def _slope(axis: int, pitch_px: float, tilt: float) -> Floats:
    """Periods a pixel, across and down."""
    direction = (np.cos(tilt), np.sin(tilt)) if axis == 0 else (-np.sin(tilt), np.cos(tilt))
    return np.array(direction) / pitch_px
