"""What a page gives away without its curves: the paper, and the names printed beside them.

A class that can be told from these is told by the stationery, not by the heart.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_preproc.crops import crop_leads
from shared_preproc.layout import Box
from shared_preproc.leads import Lead
from shared_preproc.masks import INK, Mask
from shared_preproc.page import Page
from shared_preproc.pipeline import PageReading
from shared_preproc.spec import PreprocSpec
from shared_preproc.tensor import trace_tensor
from shared_preproc.traces import page_traces

__all__ = ["Template", "read_template"]

_HALF_SIZE = (26, 12)
_AWAY_FROM_INK = np.ones((15, 15), np.uint8)  # smoothing and JPEG darken the paper up to 7 px around a stroke
_PERCENTILES = (1, 5, 25, 50, 75, 95)


@dataclass(frozen=True, eq=False)
class Template:
    """One page with its curves masked out, as rows of features."""

    paper: NDArray[np.float32]
    """Of each lead box: mean, deviation and percentiles of the gray levels away from all ink."""
    names: NDArray[np.float32]
    """Each lead's printed name in its mask, at half size, 0 to 1; not a number where the curve touches it."""
    traces: NDArray[np.float32]
    """The trace tensor of a page whose masks hold the names only, in one row."""


def read_template(page: Page, reading: PageReading, spec: PreprocSpec) -> Template:
    """Mask the curves of a page out, and describe what is left."""
    crops = crop_leads(page, spec.layout)
    paper = [_paper(crops[lead], mask) for lead, mask in reading.masks.items()]
    names = {lead: _name_only(reading.masks[lead], _name_box(lead, box, spec)) for lead, box in spec.layout.lead_boxes}
    pictures = [
        _picture(names[lead], reading.masks[lead], _name_box(lead, box, spec)) for lead, box in spec.layout.lead_boxes
    ]
    traces = trace_tensor(page_traces(names, spec.layout, spec.trace))
    return Template(np.concatenate(paper), np.concatenate(pictures), traces.ravel())


def _name_box(lead: Lead, box: Box, spec: PreprocSpec) -> Box:
    """Where the lead's name stands, from the corner of its box."""
    trace = spec.trace
    zero = int(trace.zero_row_px(box)) - box.top
    top, bottom = trace.name_rows_px
    width_px = trace.augmented_name_width_px if lead.startswith("aV") else trace.name_width_px
    return Box(zero + top, zero + bottom, 0, width_px)


def _name_only(mask: Mask, name: Box) -> Mask:
    """Keep the pieces of ink that lie wholly within the name's box."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    left, top, width, height = stats[:, : cv2.CC_STAT_AREA].T
    inside = (top >= name.top) & (top + height <= name.bottom) & (left + width <= name.right)
    return np.where(inside[labels], INK, 0).astype(np.uint8)


def _picture(name_only: Mask, mask: Mask, name: Box) -> NDArray[np.float32]:
    rows, columns = slice(name.top, name.bottom), slice(name.left, name.right)
    if (mask[rows, columns] != name_only[rows, columns]).any():
        return np.full(_HALF_SIZE[0] * _HALF_SIZE[1], np.nan, np.float32)
    cell = np.zeros((2 * _HALF_SIZE[1], 2 * _HALF_SIZE[0]), np.float32)
    cell[: name.height_px, : name.width_px] = name_only[rows, columns] / INK
    return cv2.resize(cell, _HALF_SIZE, interpolation=cv2.INTER_AREA).astype(np.float32).ravel()


def _paper(crop: NDArray[np.uint8], mask: Mask) -> NDArray[np.float32]:
    paper = crop[cv2.dilate(mask, _AWAY_FROM_INK) == 0]
    if not paper.size:
        return np.zeros(2 + len(_PERCENTILES), np.float32)
    return np.array([paper.mean(), paper.std(), *np.percentile(paper, _PERCENTILES)], np.float32)
