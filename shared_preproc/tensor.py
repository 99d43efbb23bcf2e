"""Masks to the array that a bundle's graph takes. Knows no model."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_preproc.leads import Lead
from shared_preproc.masks import Mask
from shared_preproc.spec import MaskTensor, PreprocSpec, TraceTensor
from shared_preproc.traces import page_traces

__all__ = ["Tensor", "shrink_mask", "to_tensor"]

Tensor = NDArray[np.uint8 | np.float32]
"""One page as its spec's ``tensor_shape`` and ``tensor_dtype`` say."""


def to_tensor(masks: Mapping[Lead, Mask], spec: PreprocSpec) -> Tensor:
    """Turn the full-size masks of one page into the representation that the spec asks for, in page order.

    Scaling, channels and everything else that a network does to its input happen inside the graph.
    """
    if isinstance(spec.tensor, MaskTensor):
        return _mask_tensor(masks, spec, spec.tensor)
    return _trace_tensor(masks, spec, spec.tensor)


def shrink_mask(mask: Mask, tensor: MaskTensor) -> Mask:
    """Resize one mask to the tensor's size, by nearest neighbour: values stay 0 and 255.

    ``INTER_NEAREST_EXACT`` picks the pixels that scikit-image's resize picks on a boolean image; OpenCV's other
    interpolations do not.
    """
    size = (tensor.width_px, tensor.height_px)
    return cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT).astype(np.uint8, copy=False)


def _mask_tensor(masks: Mapping[Lead, Mask], spec: PreprocSpec, tensor: MaskTensor) -> NDArray[np.uint8]:
    return np.stack([shrink_mask(masks[lead], tensor) for lead in spec.layout.leads])


def _trace_tensor(masks: Mapping[Lead, Mask], spec: PreprocSpec, tensor: TraceTensor) -> NDArray[np.float32]:
    traces = page_traces(masks, spec.layout, tensor.trace).values()
    curves = [np.stack([trace.signal_mv, trace.top_mv, trace.bottom_mv], axis=1) for trace in traces]
    return np.concatenate(curves)
