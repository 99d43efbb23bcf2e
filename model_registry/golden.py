"""A bundle's recorded answer to a reproducible tensor. The caller brings the model.

The publisher records the answer where the bundle was judged. The service checks that the graph still gives it, in
another runtime, on another processor.
"""

import hashlib
from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from shared_preproc.masks import INK
from shared_preproc.spec import MaskTensor, PreprocSpec
from shared_preproc.tensor import Tensor

__all__ = ["GOLDEN_FILE", "GOLDEN_LIMIT", "Golden", "golden_tensor", "record_golden"]

GOLDEN_FILE = "golden.json"
GOLDEN_LIMIT = 1e-4
"""Largest difference of a probability that passes for the same answer: processors round differently."""

_PAGES = 3
_STEP = 3  # a curve rises or falls by at most this from one column or sample to the next
_MV_UNITS = 64  # of a millivolt: all values are multiples of it, so that float32 holds them exactly
_STROKE_UNITS = 4  # how far the stroke's edges are from the curve

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Golden(BaseModel):
    """What a graph is known to answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: Literal["curves-1"] = "curves-1"
    """How the tensor is made; another name as soon as `golden_tensor` makes another one."""
    seed: Annotated[int, Field(ge=0)]
    page_probabilities: tuple[tuple[Share, ...], ...] = Field(min_length=1, max_length=100)
    """Of each page, by class in the order of the manifest."""

    def tensor(self, spec: PreprocSpec) -> Tensor:
        """Make the pages that were answered, (pages, …) as ``spec`` says."""
        return golden_tensor(spec, self.seed, len(self.page_probabilities))

    def largest_difference(self, page_probabilities: NDArray[np.float32]) -> float:
        """Compare an answer (pages, classes) with the recorded one; infinite if the shapes differ."""
        recorded = np.array(self.page_probabilities)
        if page_probabilities.shape != recorded.shape or not np.isfinite(page_probabilities).all():
            return float("inf")
        return float(np.abs(page_probabilities - recorded).max())


def record_golden(spec: PreprocSpec, run: Callable[[Tensor], NDArray[np.float32]], seed: int = 0) -> bytes:
    """Content of `GOLDEN_FILE` for a graph.

    Args:
        spec: the preprocessing that the graph is published with.
        run: gives the graph's page probabilities (pages, classes) for tensors (pages, …).
        seed: which tensors.
    """
    answer = run(golden_tensor(spec, seed, _PAGES))
    golden = Golden(seed=seed, page_probabilities=tuple(map(tuple, answer.astype(np.float64).tolist())))
    return golden.model_dump_json(indent=1).encode() + b"\n"


def golden_tensor(spec: PreprocSpec, seed: int, pages: int) -> Tensor:
    """Draw wandering curves instead of pages: (pages, …) as ``spec`` says, the same bits on every machine.

    Whole numbers only, from SHAKE-256 (FIPS 202): NumPy keeps the streams of its distributions from one release to
    the next no more than processors keep the last bit of a sine.
    """
    if isinstance(spec.tensor, MaskTensor):
        leads, height_px, width_px = spec.tensor_shape
        curves = _curves(f"{seed}", (pages, leads, width_px), height_px)
        rows = np.arange(height_px)[:, np.newaxis]
        return np.where(np.abs(rows - curves[:, :, np.newaxis]) <= 1, INK, 0).astype(np.uint8)
    signal = _curves(f"{seed}", (pages, spec.tensor_shape[0]), 2 * _MV_UNITS) - _MV_UNITS
    edges = np.stack([signal, signal + _STROKE_UNITS, signal - _STROKE_UNITS], axis=-1)
    return (edges / _MV_UNITS).astype(np.float32)


def _curves(seed: str, shape: tuple[int, ...], height: int) -> NDArray[np.int64]:
    """Random walks along the last axis, thrown back at 0 and at ``height`` - 1."""
    stream = np.frombuffer(hashlib.shake_256(seed.encode()).digest(int(np.prod(shape))), np.uint8)
    steps = stream.reshape(shape).astype(np.int64) % (2 * _STEP + 1) - _STEP
    top = height - 1
    walks: NDArray[np.int64] = (steps.cumsum(axis=-1) + height // 2) % (2 * top)
    return top - np.abs(walks - top)
