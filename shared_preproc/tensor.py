"""Masks or traces to the array that a bundle's graph takes.

Scaling, channels and everything else that a network does to its input happen inside the graph.
"""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_preproc.leads import Lead
from shared_preproc.masks import Mask
from shared_preproc.spec import PreprocSpec
from shared_preproc.traces import Trace

__all__ = ["Tensor", "mask_tensor", "shrink_mask", "trace_tensor"]

Tensor = NDArray[np.uint8 | np.float32]
"""One page as its spec's ``tensor_shape`` and ``tensor_dtype`` say."""


def mask_tensor(masks: Mapping[Lead, Mask], spec: PreprocSpec) -> NDArray[np.uint8]:
    """Shrink each lead's mask: uint8 (leads, height_px, width_px), 0 or 255, in page order."""
    _, height_px, width_px = spec.tensor_shape
    return np.stack([shrink_mask(masks[lead], width_px, height_px) for lead in spec.layout.leads])


def shrink_mask(mask: Mask, width_px: int, height_px: int) -> Mask:
    """Resize one mask by nearest neighbour: values stay 0 and 255.

    ``INTER_NEAREST_EXACT`` picks the pixels that scikit-image's resize picks on a boolean image; OpenCV's other
    interpolations do not.
    """
    return cv2.resize(mask, (width_px, height_px), interpolation=cv2.INTER_NEAREST_EXACT).astype(np.uint8, copy=False)


def trace_tensor(traces: Mapping[Lead, Trace]) -> NDArray[np.float32]:
    """Put curves, already in page order, one after the other: float32 (samples, 3), signal, top, bottom in mV."""
    curves = [np.stack([trace.signal_mv, trace.top_mv, trace.bottom_mv], axis=1) for trace in traces.values()]
    return np.concatenate(curves)
