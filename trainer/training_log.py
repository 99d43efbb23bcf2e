"""How a training goes, while it runs: a progress bar, and event files for TensorBoard."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

import tensorflow as tf
from tqdm import tqdm

__all__ = ["TrainingLog"]


class TrainingLog:
    """Figures of one network by epoch; `tensorboard --logdir` on a folder above shows them.

    A log starts anew where a training starts anew: event files of a training that was killed are removed.
    """

    def __init__(self, folder: Path, words: str | None = None) -> None:
        """Log into ``folder``, with a bar that says ``words`` on a terminal; None: no bar."""
        self._folder, self._words = folder, words
        self._writer: Any = None
        self._bar: tqdm[NoReturn] | None = None

    def write(self, epoch: int, epochs: int, figures: Mapping[str, float]) -> None:
        """Log the figures after an epoch, counted from 1, of at most ``epochs``."""
        if self._writer is None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._writer = tf.summary.create_file_writer(str(self._folder))
            if self._words is not None:
                self._bar = tqdm(total=epochs, desc=self._words, unit="epoch", leave=False, disable=None)
        with self._writer.as_default(step=epoch):
            for name, figure in figures.items():
                tf.summary.scalar(name, figure)
        self._writer.flush()
        if self._bar is not None:
            self._bar.update()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._writer is not None:
            self._writer.close()
        if self._bar is not None:
            self._bar.close()
