"""How networks learned, for people to look at: figures after each epoch, and the file a bundle has. Trains nothing."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from model_registry.history import Epoch, History

__all__ = ["FIGURES", "history_file", "page_figures"]

FIGURES = ("loss", "accuracy", "val_loss", "val_accuracy")
"""Columns of a history: of the pages trained on, then of the pages held out."""

_DIGITS = 4


def page_figures(logits: NDArray[np.floating], labels: NDArray[np.int64]) -> tuple[float, float]:
    """Mean cross-entropy in nats and share of pages right; ``logits`` (pages, classes), ``labels`` (pages,)."""
    losses = -log_softmax(logits.astype(np.float64), axis=1)[np.arange(len(labels)), labels]
    return float(losses.mean()), float((logits.argmax(axis=1) == labels).mean())


def history_file(about: str, histories: Sequence[NDArray[np.float64]]) -> bytes:
    """Give the content of history.json: one of ``histories`` (epochs, 4), columns `FIGURES`, for each network."""
    networks = tuple(
        tuple(Epoch(**dict(zip(FIGURES, row, strict=True))) for row in history.round(_DIGITS).tolist())
        for history in histories
    )
    return History(about=about, networks=networks).model_dump_json().encode() + b"\n"
