"""The phase of a printed grid against an approximation of it, and its unwrapping."""

import cv2
import numpy as np
from numpy.typing import NDArray

from digitize.gridmap import Floats, Phase, Plane

__all__ = ["demodulate", "unwrap"]

_FINEST_PX = 2.3  # period that is followed
_FEWEST = 30  # places where the grid must be seen
_REACH = 1.2  # periods of 5 mm over which the phase is averaged
_STEPS, _NOTHING = (3, 7), 1e-9  # places to look back over for how the phase goes on; a wider step where none is near


def demodulate(
    dark: Plane, phase: Phase, pitch_px: float, harmonic: int
) -> tuple[Floats, Floats, Floats, Floats, NDArray[np.bool_]] | None:
    """One harmonic of the grid at places 5 mm apart: pixels, periods of 5 mm, weight, and where it is seen well."""
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
    return x_px, y_px, total, weight, good


def unwrap(total: Floats, near: Floats, weight: Floats, harmonic: int) -> Floats:
    """Add whole periods to the phase so that it goes on smoothly from where it is clearest; `weight` 0: unknown."""
    off = (total - near) * harmonic
    rows, columns = off.shape
    inner = np.zeros(off.shape)
    inner[rows // 4 : -(rows // 4), columns // 4 : -(columns // 4)] = 1.0
    known = np.zeros(off.shape, bool)
    known.flat[int((inner * weight).argmax())] = True
    for clear in (weight > np.median(weight[weight > 0]), weight > 0):
        for size in _STEPS:
            while True:
                trust, sums = (cv2.blur(part, (size, size)) for part in (weight * known, weight * known * off))
                fresh = (trust > _NOTHING) & clear & ~known
                if not fresh.any():
                    break
                off[fresh] -= np.round(off[fresh] - sums[fresh] / trust[fresh])
                known |= fresh
    return near + off / harmonic
