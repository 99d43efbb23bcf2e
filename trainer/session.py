"""A bundle's graph in ONNX Runtime, on the CPU, a few pages at a time."""

import os
from collections.abc import Sequence

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tqdm import tqdm

from shared_preproc.tensor import Tensor

__all__ = ["run_outputs"]

_PAGES_AT_ONCE = 8


def run_outputs(
    graph: bytes, tensors: Tensor, names: Sequence[str], *, progress: str | None = None
) -> list[NDArray[np.float32]]:
    """Answer for each page of ``tensors`` (pages, …), preprocessed for the graph.

    Args:
        graph: serialized ONNX.
        tensors: at least one page, as the graph takes them.
        names: outputs to give.
        progress: what a progress bar says; None: no bar.

    Returns:
        float32 (pages, …) for each of ``names``.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = os.cpu_count() or 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    starts = range(0, len(tensors), _PAGES_AT_ONCE)
    bar = tqdm(starts, desc=progress, unit="batch", disable=True if progress is None else None)
    answers = [session.run(list(names), {taken.name: tensors[start : start + _PAGES_AT_ONCE]}) for start in bar]
    return [np.concatenate(parts) for parts in zip(*answers, strict=True)]
