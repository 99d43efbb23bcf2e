"""Masks to the array that a bundle's graph takes. Knows no model."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from shared_preproc.leads import Lead
from shared_preproc.masks import Mask
from shared_preproc.spec import PreprocSpec

__all__ = ["mask_tensor", "shrink_mask"]


def shrink_mask(mask: Mask, spec: PreprocSpec) -> Mask:
    """Resize one mask to the spec's tensor size, by nearest neighbour: values stay 0 and 255.

    ``INTER_NEAREST_EXACT`` picks the pixels that scikit-image's resize picks on a boolean image; OpenCV's other
    interpolations do not.
    """
    size = (spec.tensor_width_px, spec.tensor_height_px)
    return cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT).astype(np.uint8, copy=False)


def mask_tensor(masks: Mapping[Lead, Mask], spec: PreprocSpec) -> NDArray[np.uint8]:
    """Stack the masks of one page: uint8 (leads, tensor_height_px, tensor_width_px), 0 or 255, in page order.

    Scaling to [0, 1] and replication to three channels happen inside the graph.
    """
    return np.stack([shrink_mask(masks[lead], spec) for lead in spec.layout.leads])
