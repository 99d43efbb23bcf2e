"""The printed grid of a picture: its pitch, and a map from pixels to millimetres on the paper.

Tiles of the spectrum give the pitch by a comb over the harmonics of 5 mm. The grid's phase, demodulated and fitted by a
polynomial, gives the map. What remains after the fit is the residual.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["GridMap", "find_grid", "local_darkness"]

Floats = NDArray[np.float64]
Plane = NDArray[np.float32]

HEAVY_MM = 5.0
_LEAST_PX, _MOST_PX = 10.0, 100.0  # of 5 mm
_NARROWEST_MM, _WIDEST_MM = 120.0, 450.0  # longer side of a picture; the narrowest where 1 mm and 5 mm look alike
_SPAN = 1.3
_TILE_PX = 256
_TILES = (6, 5)  # across, down
_TILT_DEG = 14.0
_LEAST_CONTRAST = 1.5  # gray levels, of a tile that has any print
_HARMONICS = 10
_HIGHEST = 0.49  # cycles a pixel
_FINEST_PX = 2.3  # period that is followed
_FEWEST = 30  # places where the grid must be seen
_TRUSTED = 0.25  # periods from the fit beyond which a place is not trusted
_ALIKE = (41, 13)  # pitches of the two axes differ by 12 % at most, their tilts by 3 degrees
_LEAST_SCORE = 0.32
_LEAST_FINE = 0.5
_REACH = 2.0  # periods of 5 mm over which the phase is averaged
_BETTER = 0.6
_AFFINE, _RIDGE = 3, 0.002  # terms that are free; how much the others must explain
_START = 0.15  # of half the picture, around its middle: where the phase is followed from
_DRIFT = 0.004  # 1 mm lines whose pitch differs more from the 5 mm lines' do not belong to them
_WORSE = 0.004  # periods
_LEAST_LINE_PX = 3.7  # 1 mm lines nearer than this are taken for 5 mm lines


@dataclass(frozen=True, eq=False)
class GridMap:
    """Pixel to millimetre, in both directions.

    Attributes:
        pitch_px: pixels in 5 mm, across and down, at the middle of the grid.
        residual_mm: RMS distance of the grid's lines from the fitted map.
        tilt_deg: angle of the rows to the picture's, counter-clockwise positive.
        coverage: share of the picture in which the grid was followed, 0 to 1.
    """

    pitch_px: tuple[float, float]
    residual_mm: float
    tilt_deg: float
    coverage: float
    size_px: tuple[int, int]
    _across: "_Phase"
    _down: "_Phase"

    def millimetres(self, x_px: Floats, y_px: Floats) -> tuple[Floats, Floats]:
        """Place on the paper of pixels: (across, down) in millimetre from the picture's middle."""
        return HEAVY_MM * self._across.at(x_px, y_px), HEAVY_MM * self._down.at(x_px, y_px)

    def pixels(self, x_mm: Floats, y_mm: Floats) -> tuple[Floats, Floats]:
        """Pixel of places on the paper, by Newton's method with the middle's slope."""
        width, height = self.size_px
        slope = np.array([self._across.slope, self._down.slope]) * HEAVY_MM
        inverse = np.linalg.inv(slope)
        start = self.millimetres(np.array(width / 2), np.array(height / 2))
        x_px = width / 2 + inverse[0, 0] * (x_mm - start[0]) + inverse[0, 1] * (y_mm - start[1])
        y_px = height / 2 + inverse[1, 0] * (x_mm - start[0]) + inverse[1, 1] * (y_mm - start[1])
        for _ in range(_NEWTON):
            at_x, at_y = self.millimetres(x_px, y_px)
            off_x, off_y = x_mm - at_x, y_mm - at_y
            x_px = x_px + inverse[0, 0] * off_x + inverse[0, 1] * off_y
            y_px = y_px + inverse[1, 0] * off_x + inverse[1, 1] * off_y
        return x_px, y_px


_NEWTON = 8


@dataclass(frozen=True, eq=False)
class _Phase:
    """Grid periods from the picture's middle: a polynomial of the place, and what the paper adds to it."""

    coefficients: Floats
    degree: int
    size_px: tuple[int, int]
    bend: Plane | None
    """Smooth remainder in periods, on a coarse raster over the picture."""

    def at(self, x_px: Floats, y_px: Floats) -> Floats:
        periods = _terms(x_px, y_px, self.size_px, self.degree) @ self.coefficients
        if self.bend is not None:
            width, height = self.size_px
            rows, columns = self.bend.shape
            across = np.clip(x_px / width * columns - 0.5, 0, columns - 1).astype(np.float32)
            down = np.clip(y_px / height * rows - 0.5, 0, rows - 1).astype(np.float32)
            shape = across.shape
            flat = (across.reshape(1, -1), down.reshape(1, -1))
            parts = [
                cv2.remap(self.bend, flat[0][:, k : k + _REMAP], flat[1][:, k : k + _REMAP], cv2.INTER_LINEAR)
                for k in range(0, max(1, flat[0].shape[1]), _REMAP)
            ]
            periods = periods + np.concatenate(parts, axis=1).reshape(shape)
        return periods

    def raster(self, shape: tuple[int, int]) -> Plane:
        """Periods at the centres of a raster of ``shape`` (rows, columns) over the picture, float32."""
        width, height = self.size_px
        rows, columns = shape
        half = max(width, height) / 2
        x = (((np.arange(columns) + 0.5) * width / columns - 0.5 - width / 2) / half).astype(np.float32)
        y = (((np.arange(rows) + 0.5) * height / rows - 0.5 - height / 2) / half).astype(np.float32)[:, np.newaxis]
        one, x1, y1, xx, xy, yy, xxx, xxy, xyy, yyy = self.coefficients.astype(np.float32)
        along = (one + x * (x1 + x * (xx + x * xxx)))[np.newaxis]
        periods = along + y * ((y1 + x * (xy + x * xxy)) + y * (yy + x * xyy + y * yyy))
        if self.bend is not None:
            periods += cv2.resize(self.bend, (columns, rows), interpolation=cv2.INTER_LINEAR)
        return np.asarray(periods, np.float32)

    @property
    def slope(self) -> tuple[float, float]:
        """Periods a pixel at the picture's middle, across and down."""
        width, height = self.size_px
        half = max(width, height) / 2
        return float(self.coefficients[1] / half), float(self.coefficients[2] / half)


_REMAP = 30000


def _terms(x_px: Floats, y_px: Floats, size_px: tuple[int, int], degree: int) -> Floats:
    width, height = size_px
    half = max(width, height) / 2
    x, y = (np.asarray(x_px) - width / 2) / half, (np.asarray(y_px) - height / 2) / half
    powers = [(p, q) for total in range(degree + 1) for q in range(total + 1) for p in (total - q,)]
    return np.stack([x**p * y**q for p, q in powers], axis=-1)


def local_darkness(gray: NDArray[np.uint8], reach_px: int) -> Plane:
    """How much darker than the paper around it each pixel is: float32, 0 to 255."""
    factor = max(1, reach_px // 8)
    small = cv2.resize(gray, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    size = max(3, reach_px // factor) | 1
    paper = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((size, size), np.uint8))
    paper = cv2.blur(paper, (size, size), borderType=cv2.BORDER_REPLICATE)
    large = cv2.resize(paper, (gray.shape[1], gray.shape[0]), interpolation=cv2.INTER_LINEAR)
    return cv2.subtract(large, gray).astype(np.float32)


def find_grid(gray: NDArray[np.uint8]) -> GridMap | None:
    """Find the grid of a picture; ``None`` where there is none that repeats across the page.

    Args:
        gray: uint8 (height, width), dark lines on light paper.
    """
    height, width = gray.shape
    dark = local_darkness(gray, 48)
    dark = np.minimum(dark, max(8.0, float(np.percentile(dark[::4, ::4], 92))))
    tiles = _tiles(dark)
    if not tiles:
        return None
    levels = np.mean([tile.levels for tile in tiles], axis=0)
    longest_px = max(height, width)
    least_px, most_px = HEAVY_MM * longest_px / _WIDEST_MM, HEAVY_MM * longest_px / _NARROWEST_MM
    found, fine = _pitches(levels, (max(_LEAST_PX, least_px), _MOST_PX), _LEAST_SCORE), False
    if found is None:
        bounds = max(HEAVY_MM * _LEAST_LINE_PX, least_px), min(_MOST_PX, most_px)
        found, fine = _pitches(levels, bounds, _LEAST_FINE, fine=True), True
    if found is None:
        return None
    first, second = (_follow(dark, tiles, axis, coarse, fine=fine) for axis, coarse in enumerate(found))
    if first is None or second is None:
        return None
    (across, residual_x, cover_x), (down, residual_y, cover_y) = first, second
    pitch = 1 / float(np.hypot(*across.slope)), 1 / float(np.hypot(*down.slope))
    residual_mm = HEAVY_MM * max(residual_x, residual_y)
    tilt_deg = float(np.degrees(np.arctan2(-down.slope[0], down.slope[1])))
    return GridMap(pitch, residual_mm, tilt_deg, min(cover_x, cover_y), (width, height), across, down)


@dataclass(frozen=True, eq=False)
class _Tile:
    x_px: float
    y_px: float
    levels: Plane
    """Log spectrum over its surroundings: frequencies -1/2 to 1/2 cycles a pixel down, 0 to 1/2 across."""


def _tiles(dark: Plane) -> list[_Tile]:
    height, width = dark.shape
    size = _TILE_PX if min(height, width) >= _TILE_PX * 1.5 else _TILE_PX // 2
    if min(height, width) < size:
        return []
    window = np.outer(np.hanning(size), np.hanning(size)).astype(np.float32)
    across, down = (
        np.linspace(0, extent - size, count).astype(int) for extent, count in zip((width, height), _TILES, strict=True)
    )
    tiles = []
    for top in down:
        for left in across:
            patch = dark[top : top + size, left : left + size]
            contrast = float(patch.std())
            if contrast < _LEAST_CONTRAST:
                continue
            spectrum = np.abs(np.fft.rfft2((patch - patch.mean()) * window, (_TILE_PX, _TILE_PX)))
            levels = np.log(spectrum + 1e-3 * spectrum.max() + 1e-6).astype(np.float32)
            levels -= cv2.blur(levels, (25, 25))
            tiles.append(_Tile(left + size / 2, top + size / 2, np.fft.fftshift(levels, axes=0)))
    return tiles


def _levels_at(levels: Plane, fx: Floats, fy: Floats) -> Floats:
    """Spectrum level at frequencies in cycles a pixel; 0 beyond Nyquist's."""
    negative = fx < 0
    fx, fy = np.where(negative, -fx, fx), np.where(negative, -fy, fy)
    at_x, at_y = fx * _TILE_PX, fy * _TILE_PX + _TILE_PX // 2
    beyond = (fx > _HIGHEST) | (np.abs(fy) > _HIGHEST)
    sampled = cv2.remap(levels, at_x.astype(np.float32), at_y.astype(np.float32), cv2.INTER_LINEAR)
    return np.where(beyond, np.nan, sampled)


def _comb(
    levels: Plane, axis: int, places: tuple[Floats, Floats], most: float, *, fine: bool = False
) -> tuple[Floats, Floats]:
    """How well a grid fits, and the mean level of its harmonics of 5 mm alone: shapes (pitch, tilt).

    Args:
        levels: of the spectrum.
        axis: 0 across, 1 down.
        places: pitches of 5 mm in pixels, and tilts in radian.
        most: level from which a line counts no more.
        fine: whether the grid has 1 mm lines alone.
    """
    pitch_px, tilt = places
    f = 1 / pitch_px[:, np.newaxis]
    cos, sin = np.cos(tilt)[np.newaxis], np.sin(tilt)[np.newaxis]
    direction = (cos, sin) if axis == 0 else (-sin, cos)

    def level(multiple: float) -> Floats:
        return np.clip(_levels_at(levels, multiple * f * direction[0], multiple * f * direction[1]), -0.5, most)

    if fine:  # a grid of 1 mm lines alone
        steps = (1, 2, 3, 4, 6, 7, 8, 9)
        series = (level(5.0) + np.nan_to_num(level(10.0))) / 2 - sum(np.nan_to_num(level(k)) for k in steps) / len(
            steps
        )
        return series, series
    lines = np.array([level(k) for k in range(1, _HARMONICS + 1)])
    between = np.array([level(k + 0.5) for k in range(_HARMONICS)])
    valid = np.isfinite(lines)
    series = np.where(valid, lines - np.nan_to_num(between), 0.0).sum(axis=0) / np.maximum(valid.sum(axis=0), 3)
    longer = [level(k / 5) - level((k + 0.5) / 5) for k in (1, 2, 3, 4)]
    missing = np.nan_to_num(lines[1::2]).mean(axis=0) - np.nan_to_num(lines[0::2]).mean(axis=0)
    doubt = 0.7 * np.clip(np.mean(np.nan_to_num(longer), axis=0), 0.0, None) + 0.5 * np.clip(missing, 0.0, None)
    return series - doubt, series


def _pitches(
    levels: Plane, bounds_px: tuple[float, float], least_score: float, *, fine: bool = False
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Pitch of 5 mm in pixels and tilt in radian, of both axes, chosen together."""
    if bounds_px[0] * _SPAN > bounds_px[1]:
        return None
    pitches = bounds_px[0] * np.exp(np.arange(0, np.log(bounds_px[1] / bounds_px[0]), 0.006))
    tilts = np.radians(np.arange(-_TILT_DEG, _TILT_DEG + 0.1, 0.5))
    across, down = (_comb(levels, axis, (pitches, tilts), 2.5, fine=fine)[0].astype(np.float32) for axis in (0, 1))
    together = across + cv2.dilate(down, np.ones(_ALIKE, np.uint8))
    row, column = np.unravel_index(int(together.argmax()), together.shape)
    half_row, half_column = _ALIKE[0] // 2, _ALIKE[1] // 2
    top, left = max(0, int(row) - half_row), max(0, int(column) - half_column)
    near = down[top : int(row) + half_row + 1, left : int(column) + half_column + 1]
    other_row, other_column = np.unravel_index(int(near.argmax()), near.shape)
    if min(float(across[row, column]), float(near.max())) < least_score:
        return None
    return (
        (float(pitches[row]), float(tilts[column])),
        (float(pitches[top + other_row]), float(tilts[left + other_column])),
    )


def _follow(
    dark: Plane, tiles: list[_Tile], axis: int, coarse: tuple[float, float], *, fine: bool
) -> tuple[_Phase, float, float] | None:
    """Fit the grid's phase along one axis: the phase, its residual in periods, the share of the picture with grid."""
    height, width = dark.shape
    start = np.zeros(10)
    start[:6] = _carrier(tiles, axis, coarse, (width, height), fine=fine)
    phase = _Phase(start, 3, (width, height), None)
    if fine:
        first = _refine(dark, phase, coarse[0], 5, grow=True)
        return first and (_refine(dark, first[0], coarse[0], 5) or first)
    heavy = _refine(dark, phase, coarse[0], 1, grow=True)
    heavy = heavy and _refine(dark, heavy[0], coarse[0], 1, grow=True)
    if heavy is None:
        return None
    light = _refine(dark, heavy[0], coarse[0], 5)
    light = light and _refine(dark, light[0], coarse[0], 5)
    if light is not None:
        change = np.hypot(*light[0].slope) / np.hypot(*heavy[0].slope) - 1
        if (abs(change) < _DRIFT and light[1] < heavy[1] + _WORSE) or light[1] < _BETTER * heavy[1]:
            return light
    return heavy


def _refine(
    dark: Plane, phase: _Phase, pitch_px: float, harmonic: int, *, grow: bool = False
) -> tuple[_Phase, float, float] | None:
    """Fit the phase anew to one harmonic of the grid, from an approximation that is right within half its period."""
    height, width = dark.shape
    period_px = pitch_px / harmonic
    factor = max(1, int(period_px // (12 if harmonic == 1 else 2.6)))
    if period_px / factor < _FINEST_PX:
        return None
    small = cv2.resize(dark, (width // factor, height // factor), interpolation=cv2.INTER_AREA)
    carrier = phase.raster(small.shape)
    angle = (carrier - np.floor(carrier)) * np.float32(2 * np.pi) * harmonic
    real, imaginary = cv2.polarToCart(small, angle)
    nodes = max(4, round(width / pitch_px)), max(4, round(height / pitch_px))
    level, real, imaginary = (
        cv2.GaussianBlur(
            cv2.resize(plane, nodes, interpolation=cv2.INTER_AREA), (0, 0), _REACH, borderType=cv2.BORDER_REFLECT
        )
        for plane in (small, real, imaginary)
    )
    weight = np.hypot(real, imaginary) / (level + 2.0)
    good = weight > 0.35 * np.percentile(weight, 85)
    if good.sum() < _FEWEST:
        return None
    x_px, y_px = np.meshgrid(
        (np.arange(nodes[0]) + 0.5) * width / nodes[0] - 0.5, (np.arange(nodes[1]) + 0.5) * height / nodes[1] - 0.5
    )
    total = phase.at(x_px, y_px) + np.arctan2(-imaginary, real) / (2 * np.pi * harmonic)
    terms = _terms(x_px, y_px, phase.size_px, 3)
    coefficients = phase.coefficients.copy()
    centre = np.hypot(x_px - width / 2, y_px - height / 2) / (max(width, height) / 2)

    def rest() -> Floats:
        off = (total - terms @ coefficients) * harmonic
        return (off - np.round(off)) / harmonic if grow else off / harmonic

    if grow:
        near = good & (centre < _START)
        turn = np.sum(weight[near] * np.exp(2j * np.pi * harmonic * (total - terms @ coefficients)[near]))
        coefficients[0] += np.angle(turn) / (2 * np.pi * harmonic)
    for reach_share, count in ((0.35, 3), (0.6, 6), (0.9, 6), (1.5, 10), (1.5, 10), (1.5, 10)):
        inside = good & (centre < (reach_share if grow else 2.0))
        if inside.sum() < 3 * count:
            continue
        off = rest()[inside]
        pull = weight[inside] / (1 + (off / 0.04) ** 2)
        a = terms[inside][:, :count]
        ridge = np.where(np.arange(count) < _AFFINE, 0.0, _RIDGE * pull.sum())
        pulled = a.T * pull
        coefficients[:count] += np.linalg.solve(
            pulled @ a + np.diag(ridge + 1e-9), pulled @ off - ridge * coefficients[:count]
        )
    off = rest()
    residual = float(np.sqrt(np.average(np.minimum(off[good] ** 2, 0.04), weights=weight[good])))
    bend = _bend(off, weight * good * (np.abs(off) < _TRUSTED))
    return _Phase(coefficients, 3, phase.size_px, bend), residual, float(good.mean())


def _bend(rest: Floats, weight: Floats) -> Plane:
    """What is left of the phase, smoothed over 15 mm; nothing where the grid was lost."""
    up, down = (cv2.GaussianBlur(part.astype(np.float32), (0, 0), 1.5) for part in (rest * weight, weight))
    return (up / (down + 0.1 * float(weight.max()))).astype(np.float32)


def _carrier(
    tiles: list[_Tile], axis: int, coarse: tuple[float, float], size: tuple[int, int], *, fine: bool
) -> Floats:
    """Quadratic phase whose slope agrees with the pitch and tilt of each tile."""
    pitch_px, tilt = coarse
    pitches = pitch_px * np.exp(np.arange(-0.2, 0.201, 0.004))
    tilts = tilt + np.radians(np.arange(-6, 6.1, 0.5))
    rows, wanted, weights = [], [], []
    width, height = size
    half = max(width, height) / 2
    for tile in tiles:
        _, series = _comb(tile.levels, axis, (pitches, tilts), 10.0, fine=fine)
        best = np.unravel_index(int(series.argmax()), series.shape)
        f, angle = half / pitches[best[0]], tilts[best[1]]
        slope = (f * np.cos(angle), f * np.sin(angle)) if axis == 0 else (-f * np.sin(angle), f * np.cos(angle))
        x, y = (tile.x_px - width / 2) / half, (tile.y_px - height / 2) / half
        # Slopes of 1, x, y, x2, xy, y2 across and down.
        rows += [(1.0, 0.0, 2 * x, y, 0.0), (0.0, 1.0, 0.0, x, 2 * y)]
        wanted += list(slope)
        weights += [max(0.0, float(series[best]))] * 2
    a, b, w = np.array(rows), np.array(wanted), np.array(weights)
    f = half / pitch_px
    start = (f * np.cos(tilt), f * np.sin(tilt)) if axis == 0 else (-f * np.sin(tilt), f * np.cos(tilt))
    slopes = np.array([*start, 0.0, 0.0, 0.0])
    ridge = np.diag([1e-6, 1e-6, 0.02, 0.02, 0.02]) * w.sum()
    for _ in range(6):
        off = b - a @ slopes
        pull = w / (1 + (off / (0.03 * f)) ** 2)
        slopes = slopes + np.linalg.solve(
            a.T @ (a * pull[:, np.newaxis]) + ridge * 0.05, a.T @ (off * pull) - 0.05 * ridge @ slopes * [0, 0, 1, 1, 1]
        )
    return np.array([0.0, *slopes])
