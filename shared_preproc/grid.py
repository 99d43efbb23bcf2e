"""Where the grid of a report page is printed, and how far a registered page's grid is from there."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_preproc.layout import Box, Layout

__all__ = ["GRID", "GridPhases", "GridSpec", "grid_dots", "grid_phases"]

_Field = NDArray[np.float32]

_FRAME = Box(287, 1515, 71, 2173)


@dataclass(frozen=True)
class GridSpec:
    """The dotted grid of the EDAN page, in page pixels: fitted to all 53 columns and 30 rows, each exact."""

    inside: Box = _FRAME
    """Within the frame's line."""
    bottom_px: int = 1507
    """Below the last printed row of dots."""
    pitch_px: tuple[float, float] = (39.726, 39.723)
    """From one heavy line to the next, down and across: 5 mm."""
    first_px: tuple[float, float] = (323.7, 105.45)
    """The first heavy line."""
    lines: tuple[int, int] = (31, 54)
    heavy_dots_px: tuple[tuple[int, int], ...] = (
        *((-4 * step, 0) for step in range(9)),
        *((0, -4 * step) for step in (1, 2, 3, 4, 5, 6, 7, 9)),
    )
    """Dots of the tile up and left of a crossing of heavy lines, as offsets down and right. The gaps are printed."""
    light_dots_px: tuple[tuple[int, int], ...] = (
        *((-8 * row, -8 * column) for row in (1, 2, 3, 4) for column in (1, 2, 3)),
        (-32, -32),
    )


GRID = GridSpec()


def grid_dots(layout: Layout, spec: GridSpec = GRID) -> NDArray[np.bool_]:
    """Draw the grid: bool (layout.height_px, layout.width_px), true where a dot is printed."""
    dots = np.zeros((layout.height_px, layout.width_px), np.bool_)
    crossings_y, crossings_x = (
        np.floor(first + pitch * np.arange(lines) + 0.5).astype(int)
        for first, pitch, lines in zip(spec.first_px, spec.pitch_px, spec.lines, strict=True)
    )
    for dot_y, dot_x in spec.heavy_dots_px + spec.light_dots_px:
        rows, columns = crossings_y + dot_y, crossings_x + dot_x
        rows = rows[(rows >= spec.inside.top) & (rows < spec.bottom_px)]
        columns = columns[(columns >= spec.inside.left) & (columns < spec.inside.right)]
        dots[np.ix_(rows, columns)] = True
    return dots


_TILE_PX = 20  # of a page at half its size: one cell of 5 mm
_AROUND = 3  # tiles that one offset is measured over
_HARMONICS = np.arange(1, 6)  # of a cell: from its 5 mm to the dots 1 mm apart
_SHIFTS_PX = np.linspace(-4.5, 4.5, 19)  # from a guess: nearer than the next line of dots
_EDGE_PX = 40  # from the frame, which is no part of the grid
_LEAST_CLEAR = 0.4  # share of a tile that shows paper


@dataclass(frozen=True, eq=False)
class GridPhases:
    """Where the grid of a page may be, at points all over it.

    Attributes:
        at_px: float64 (points, 2): x, y of each point on the page.
        waves: complex (points, 2, harmonics): those of the lines across, and down, turned back by the printed ones.
        pitch_px: of the lines across, and down.
    """

    at_px: NDArray[np.float64]
    waves: NDArray[np.complex64]
    pitch_px: tuple[float, float]

    def nearest(self, guess_px: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Find where the grid fits best within `_SHIFTS_PX` of a guess.

        Args:
            guess_px: float64 (points, 2): how far right and down of its printed place.

        Returns:
            The offsets and how well the grid fits there, -1 to 1, both float64 (points, 2).
        """
        per_px = 2j * np.pi / np.array(self.pitch_px)[:, np.newaxis] * _HARMONICS
        turned = self.waves * np.exp(per_px * guess_px[..., np.newaxis]).astype(np.complex64)
        offsets, fits = np.empty_like(guess_px), np.empty_like(guess_px)
        for axis in (0, 1):
            shifted = np.exp(per_px[axis][:, np.newaxis] * _SHIFTS_PX).astype(np.complex64)
            fit = np.einsum("ph,hs->ps", turned[:, axis], shifted).real
            place = np.clip(fit.argmax(axis=1), 1, len(_SHIFTS_PX) - 2)
            before, here, after = (fit[np.arange(len(fit)), place + by] for by in (-1, 0, 1))
            bend = np.minimum(before - 2 * here + after, -1e-9)
            finer = np.clip(0.5 * (before - after) / bend, -1, 1)
            offsets[:, axis] = guess_px[:, axis] + _SHIFTS_PX[place] + finer * (_SHIFTS_PX[1] - _SHIFTS_PX[0])
            fits[:, axis] = here
        return offsets, fits


def grid_phases(
    strength: NDArray[np.uint8], clear: NDArray[np.uint8], layout: Layout, spec: GridSpec = GRID
) -> GridPhases:
    """Measure where the grid is by the phases of its harmonics (Takeda, Ina and Kobayashi 1982).

    Args:
        strength: uint8 (height_px // 2, width_px // 2): darkness of a page at half the layout's size.
        clear: the same shape, 1 where there is neither ink nor the picture's border, else 0.
        layout: of the page.
        spec: where the grid is printed.
    """
    seen, share = _harmonics(strength, clear, spec)
    printed = _printed(layout, spec)
    inside = spec.inside
    rows, columns = (np.arange(length) * _TILE_PX * 2 + _TILE_PX - 0.5 for length in share.shape)
    down, across = np.meshgrid(rows, columns, indexing="ij")
    chosen = (share > _LEAST_CLEAR) & (down > inside.top + _EDGE_PX) & (down < spec.bottom_px - _EDGE_PX)
    chosen &= (across > inside.left + _EDGE_PX) & (across < inside.right - _EDGE_PX)
    turned = seen[:, :, chosen] * np.conj(printed[:, :, chosen])
    size = np.sqrt((np.abs(seen[:, :, chosen]) ** 2).sum(axis=1) * (np.abs(printed[:, :, chosen]) ** 2).sum(axis=1))
    waves = (turned / np.maximum(size, 1e-6)[:, np.newaxis]).transpose(2, 0, 1)
    return GridPhases(np.stack([across[chosen], down[chosen]], axis=1), waves.astype(np.complex64), spec.pitch_px[::-1])


@cache
def _printed(layout: Layout, spec: GridSpec) -> NDArray[np.complex128]:
    dots = cv2.GaussianBlur(grid_dots(layout, spec).astype(np.float32) * 255, (0, 0), 1.0)
    size = layout.width_px // 2, layout.height_px // 2
    half = cv2.resize(dots[: size[1] * 2, : size[0] * 2], size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    return _harmonics(half, np.ones_like(half), spec)[0]


def _harmonics(
    strength: NDArray[np.uint8], clear: NDArray[np.uint8], spec: GridSpec
) -> tuple[NDArray[np.complex128], _Field]:
    """Harmonics of the lines across tiles and down them: (2, harmonics, rows, columns); each tile's clear share."""
    shape = tuple(length // _TILE_PX for length in strength.shape)
    cut = shape[0] * _TILE_PX, shape[1] * _TILE_PX
    open_ = clear[: cut[0], : cut[1]].astype(np.float32)
    level = strength[: cut[0], : cut[1]].astype(np.float32) * open_
    share = _around(_shrunk(open_, *shape))
    both = []
    for axis, pitch in ((1, spec.pitch_px[1]), (0, spec.pitch_px[0])):
        size = (shape[0], cut[1]) if axis else (cut[0], shape[1])
        band, seen = _shrunk(level, *size), _shrunk(open_, *size)
        band -= seen * cv2.resize(
            _around(_shrunk(band, *shape)) / np.maximum(share, 1e-3), size[::-1], interpolation=cv2.INTER_NEAREST
        )
        angle = (np.arange(cut[axis]) * 2 + 0.5) * (2 * np.pi / pitch)
        waves = []
        for harmonic in _HARMONICS:
            cosine, sine = (wave(harmonic * angle).astype(np.float32) for wave in (np.cos, np.sin))
            parts = [_around(_shrunk(band * (one if axis else one[:, np.newaxis]), *shape)) for one in (cosine, sine)]
            waves.append(parts[0] - 1j * parts[1])
        both.append(waves)
    return np.array(both), share


def _shrunk(field: _Field, rows: int, columns: int) -> _Field:
    return np.asarray(cv2.resize(field, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)


def _around(field: _Field) -> _Field:
    return np.asarray(cv2.blur(field, (_AROUND, _AROUND), borderType=cv2.BORDER_REPLICATE), np.float32)
