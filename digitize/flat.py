"""The page laid flat: resampled once to 8 px/mm, light removed, and the ink without the grid."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from digitize.gridmap import GridMap, Plane

__all__ = ["PX_PER_MM", "FlatPage", "flatten"]

PX_PER_MM = 8.0
"""Scale of the flat page; one pixel is 5 ms at 25 mm/s."""

_CELL_PX = 40  # 5 mm, over which the grid repeats
_BLOCK_CELLS = 8  # cells in each direction that share one picture of the grid
_PRINTED, _LEAST_CELLS = 0.4, 8  # darkness of a cell with a grid, of the others' upper quartile; such cells in a block
_MOST_MM = 420.0, 300.0  # of the page that is laid flat, around the middle of the grid: its longer side, the other
_COARSE_PX = 32  # the map is computed at this step and interpolated between
_PAPER_MM = 4.0
_OVER = 1.1  # of the grid's own darkness that is taken off, and a little more
_NOISE = 0.03
_FAINT = 0.12
_LEAST_PEN = 0.1
_PEN_PERCENTILE = 75
_LEAST_SHARE = 0.25  # of the pen's darkness that must remain over a grid line


@dataclass(frozen=True, eq=False)
class FlatPage:
    """A page at 8 px/mm.

    Attributes:
        ink: float32 (rows, columns), 0 paper or grid, 1 pen; the light and the grid removed.
        origin_mm: place of the first pixel in the grid map's millimetres, across and down, before any turn.
        grid: the map.
        quarters: turns by 90 degrees, counter-clockwise, by which the ink stands upright.
    """

    ink: Plane
    origin_mm: tuple[float, float]
    grid: GridMap
    quarters: int = 0

    @property
    def tilt_deg(self) -> float:
        """Angle of the rows to the picture's, clockwise positive, -180 to 180."""
        return (self.grid.tilt_deg + 90 * self.quarters + 180) % 360 - 180

    def turned(self, quarters: int) -> "FlatPage":
        """The page turned by quarters more, counter-clockwise."""
        ink = np.ascontiguousarray(np.rot90(self.ink, quarters))
        return replace(self, ink=ink, quarters=(self.quarters + quarters) % 4)

    def page_pixels(
        self, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pixels of the picture that flat pixels came from."""
        down, right = (extent - 1.0 for extent in self.ink.shape)
        for _ in range(self.quarters):
            x, y, right, down = down - y, x, down, right
        return self.grid.pixels(self.origin_mm[0] + x / PX_PER_MM, self.origin_mm[1] + y / PX_PER_MM)


def flatten(gray: NDArray[np.uint8], grid: GridMap) -> FlatPage:
    """Lay a picture flat by its grid map, and separate the ink from the grid."""
    height, width = gray.shape
    edge = np.linspace(0.0, 1.0, 9)
    border_x = np.concatenate([edge * width, edge * width, 0 * edge, 0 * edge + width])
    border_y = np.concatenate([0 * edge, 0 * edge + height, edge * height, edge * height])
    across, down = grid.millimetres(border_x, border_y)
    middle = grid.millimetres(np.array(width / 2), np.array(height / 2))
    spans = []
    wide = np.ptp(across) > np.ptp(down)
    for places, centre, most_mm in zip((across, down), middle, _MOST_MM if wide else _MOST_MM[::-1], strict=True):
        first = max(float(places.min()), float(centre) - most_mm / 2)
        last = min(float(places.max()), float(centre) + most_mm / 2)
        spans.append((np.floor(first / 5) * 5, np.ceil(last / 5) * 5))
    (left, right), (top, bottom) = spans
    size = round((right - left) * PX_PER_MM), round((bottom - top) * PX_PER_MM)
    map_x, map_y = _maps(grid, (left, top), size)
    flat = cv2.remap(
        gray,
        map_x,
        map_y,
        cv2.INTER_CUBIC if grid.pitch_px[0] < 5 * PX_PER_MM else cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    outside = (map_x < 0) | (map_y < 0) | (map_x > width - 1) | (map_y > height - 1)
    del map_x, map_y
    return FlatPage(_ink(np.asarray(flat, np.uint8), outside), (left, top), grid)


def _maps(grid: GridMap, origin_mm: tuple[float, float], size: tuple[int, int]) -> tuple[Plane, Plane]:
    """Source pixel of every flat pixel, interpolated between nodes."""
    width, height = size
    columns, rows = width // _COARSE_PX + 2, height // _COARSE_PX + 2
    x_mm = origin_mm[0] + np.arange(columns) * _COARSE_PX / PX_PER_MM
    y_mm = origin_mm[1] + np.arange(rows) * _COARSE_PX / PX_PER_MM
    nodes = grid.pixels(*np.meshgrid(x_mm, y_mm))
    # Nodes stand at the corners, so that linear interpolation is exact where the map is affine.
    matrix = np.array([[1 / _COARSE_PX, 0.0, 0.0], [0.0, 1 / _COARSE_PX, 0.0]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    map_x, map_y = (
        np.asarray(cv2.warpAffine(node.astype(np.float32), matrix, size, flags=flags), np.float32) for node in nodes
    )
    return map_x, map_y


def _ink(flat: NDArray[np.uint8], outside: NDArray[np.bool_]) -> Plane:
    """Darkness of the pen alone, 0 to 1."""
    height, width = flat.shape
    small = cv2.resize(flat, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
    reach = int(_PAPER_MM * PX_PER_MM / 4) | 1
    paper = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    paper = cv2.blur(paper, (reach, reach), borderType=cv2.BORDER_REPLICATE)
    light = cv2.resize((1.0 / np.maximum(paper, 1)).astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    dark = flat.astype(np.float32)
    np.multiply(dark, light, out=dark)
    np.maximum(np.subtract(1.0, dark, out=dark), 0.0, out=dark)
    dark[outside] = 0.0
    grid = cv2.dilate(_grid_darkness(dark), np.ones((3, 3), np.uint8))
    # The grid has 256 levels, so that tables give what is taken off, and the pen's contrast above it.
    taken = (_OVER * np.arange(256) / 255 + _NOISE).astype(np.float32)
    rest = np.asarray(cv2.LUT(grid, taken), np.float32)
    np.subtract(dark, rest, out=rest)
    inked = dark[::2, ::2][rest[::2, ::2] > _FAINT]
    pen = max(_LEAST_PEN, float(np.percentile(inked, _PEN_PERCENTILE))) if len(inked) else 1.0
    contrast = np.asarray(cv2.LUT(grid, 1 / np.maximum(pen - taken, _LEAST_SHARE * pen).astype(np.float32)), np.float32)
    np.multiply(rest, contrast, out=rest)
    return np.minimum(np.maximum(rest, 0.0, out=rest), 1.0, out=rest)


def _grid_darkness(dark: Plane) -> NDArray[np.uint8]:
    """Darkness of the grid alone, 0 to 255: the median over cells of 5 mm that have a grid, block by block."""
    height, width = dark.shape
    grid = np.zeros((height, width), np.uint8)
    rows, columns = height // _CELL_PX, width // _CELL_PX
    levels = np.asarray(cv2.convertScaleAbs(dark, alpha=255.0), np.uint8)[: rows * _CELL_PX, : columns * _CELL_PX]
    levels = levels.reshape(rows, _CELL_PX, columns, _CELL_PX)
    out = grid[: rows * _CELL_PX, : columns * _CELL_PX].reshape(rows, _CELL_PX, columns, _CELL_PX)
    darkness = levels.mean(axis=(1, 3))
    printed = darkness > _PRINTED * np.percentile(darkness, 75)
    for row_part in np.array_split(np.arange(rows), max(1, round(rows / _BLOCK_CELLS))):
        for column_part in np.array_split(np.arange(columns), max(1, round(columns / _BLOCK_CELLS))):
            rows_of, columns_of = slice(row_part[0], row_part[-1] + 1), slice(column_part[0], column_part[-1] + 1)
            cells = levels[rows_of, :, columns_of].transpose(0, 2, 1, 3)
            seen = printed[rows_of, columns_of]
            block = cells[seen] if seen.sum() >= _LEAST_CELLS else cells.reshape(-1, _CELL_PX, _CELL_PX)
            out[rows_of, :, columns_of] = np.partition(block, len(block) // 2, axis=0)[len(block) // 2][:, np.newaxis]
    return grid
