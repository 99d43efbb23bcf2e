"""The grid in the spectrum: tiles of a picture, and the comb over the harmonics of 5 mm that gives pitch and tilt."""

from dataclasses import dataclass

import cv2
import numpy as np

from digitize.gridmap import Floats, Plane

__all__ = ["Tile", "comb", "cut_tiles", "find_pitches"]

_SPAN = 1.3
_TILE_PX = 256
_TILES = (6, 5)  # across, down
_TILT_DEG = 14.0
_LEAST_CONTRAST = 1.5  # gray levels, of a tile that has any print
_HARMONICS = 10
_HIGHEST = 0.49  # cycles a pixel
_ALIKE = (41, 13)  # pitches of the two axes differ by 12 % at most, their tilts by 3 degrees


@dataclass(frozen=True, eq=False)
class Tile:
    """The spectrum of one part of a picture, and the pixel in its middle."""

    x_px: float
    y_px: float
    levels: Plane
    """Log spectrum over its surroundings: frequencies -1/2 to 1/2 cycles a pixel down, 0 to 1/2 across."""


def cut_tiles(dark: Plane) -> list[Tile]:
    """Spectra of the printed parts of a picture; none where it is too small or empty."""
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
            tiles.append(Tile(left + size / 2, top + size / 2, np.fft.fftshift(levels, axes=0)))
    return tiles


def _levels_at(levels: Plane, fx: Floats, fy: Floats) -> Floats:
    """Spectrum level at frequencies in cycles a pixel; 0 beyond Nyquist's."""
    negative = fx < 0
    fx, fy = np.where(negative, -fx, fx), np.where(negative, -fy, fy)
    at_x, at_y = fx * _TILE_PX, fy * _TILE_PX + _TILE_PX // 2
    beyond = (fx > _HIGHEST) | (np.abs(fy) > _HIGHEST)
    sampled = cv2.remap(levels, at_x.astype(np.float32), at_y.astype(np.float32), cv2.INTER_LINEAR)
    return np.where(beyond, np.nan, sampled)


def comb(
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


def find_pitches(
    levels: Plane, bounds_px: tuple[float, float], least_score: float, *, fine: bool = False
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Pitch of 5 mm in pixels and tilt in radian, of both axes, chosen together."""
    if bounds_px[0] * _SPAN > bounds_px[1]:
        return None
    pitches = bounds_px[0] * np.exp(np.arange(0, np.log(bounds_px[1] / bounds_px[0]), 0.006))
    tilts = np.radians(np.arange(-_TILT_DEG, _TILT_DEG + 0.1, 0.5))
    across, down = (comb(levels, axis, (pitches, tilts), 2.5, fine=fine)[0].astype(np.float32) for axis in (0, 1))
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
