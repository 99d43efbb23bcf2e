"""Ink among the leads that belongs to no curve: handwriting, stamps, a stain."""

import cv2
import numpy as np
from numpy.typing import NDArray

from digitize.extent import FollowedRow
from digitize.flat import PX_PER_MM
from digitize.layouts import Layout
from digitize.sampling import Axes

__all__ = ["marked_leads"]

_PEN = 80  # ink from here on is the pen's
_BESIDE_PX = 4  # beside a curve, ink is the curve's
_WIDTH_MM, _SIZE_MM = 3.0, 9.0  # of a mark: wider than any beat that was not followed; width and height together


def marked_leads(ink: NDArray[np.uint8], rows: list[FollowedRow], axes: Axes, layout: Layout) -> list[str]:
    """Leads over which marks stand that are no curve, pulse or name.

    Args:
        ink: the flat page without names.
        rows: all rows, strips too.
        axes: of the page.
        layout: of the page.
    """
    left, right = max(0, round(axes.start)), round(axes.start + layout.columns * axes.column_px)
    half = min(each.reach for each in rows) / 2.8
    top, bottom = max(0, round(rows[0].row.baseline - half)), round(rows[-1].row.baseline + half)
    rest = (ink > _PEN).astype(np.uint8)
    for each in rows:
        _take_out(rest, each)
    _, _, stats, _ = cv2.connectedComponentsWithStats(
        np.ascontiguousarray(rest[top:bottom, left:right]), connectivity=8
    )
    widths, heights = stats[1:, cv2.CC_STAT_WIDTH], stats[1:, cv2.CC_STAT_HEIGHT]
    large = (widths >= _WIDTH_MM * PX_PER_MM) & (widths + heights >= _SIZE_MM * PX_PER_MM)
    marked = set()
    for x, y, width, height, _ in stats[1:][large]:
        for each in rows:
            if each.row.strip or y + top > each.row.baseline + half or y + top + height < each.row.baseline - half:
                continue
            columns = range(int(x / axes.column_px), min(layout.columns, int((x + width) / axes.column_px) + 1))
            marked |= {each.row.leads[column] for column in columns}
    return sorted(marked)


def _take_out(rest: NDArray[np.uint8], each: FollowedRow) -> None:
    """Take a row's curve and pulse out of what is left."""
    curve = each.curve
    known = np.flatnonzero(np.isfinite(curve.top))
    known = known[curve.left + known < rest.shape[1]]
    beside = _BESIDE_PX + curve.pen_px / 2
    tops = np.clip(np.floor(curve.top[known] - beside), 0, rest.shape[0]).astype(int)
    ends = np.clip(np.ceil(curve.bottom[known] + beside) + 1, 0, rest.shape[0]).astype(int)
    for column, top, end in zip((curve.left + known).tolist(), tops.tolist(), ends.tolist(), strict=True):
        rest[top:end, column] = 0
    if each.pulse:
        first, last = max(0, round(each.pulse.left) - _BESIDE_PX), round(each.pulse.right) + _BESIDE_PX
        rest[max(0, round(each.pulse.top) - _BESIDE_PX) : round(each.pulse.foot) + _BESIDE_PX, first:last] = 0
