"""The class networks of the served ensemble, each trained on every page."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer.class_training import ClassTrainer
from trainer.config import ClassNetworkConfig
from trainer.models.class_network import PAGE_LOGITS
from trainer.page_set import PageSet
from trainer.run import write_whole
from trainer.training_log import TrainingLog

__all__ = ["Weights", "mean_page_logits", "train_members"]

Weights = list[NDArray[np.float32]]
"""Of one network, in Keras's order."""

_FIRST_SEED = 1000
"""Out of the way of the seeds of cross-validation."""


def train_members(pages: PageSet, count: int, config: ClassNetworkConfig, folder: Path) -> list[Weights]:
    """Train ``count`` networks on ``pages``; one that stands in ``folder`` already is taken from there."""
    folder.mkdir(exist_ok=True)
    trainer, members = ClassTrainer(config), []
    for number in range(count):
        path = folder / f"member_{number}.npz"
        if not path.exists():
            words = f"class network {number + 1} of {count}"
            with TrainingLog(folder / "tensorboard" / f"member_{number}", words) as log:

                def watch(epoch: int, loss: float, log: TrainingLog = log) -> None:
                    log.write(epoch, config.epochs, {"loss": loss})

                trainer.fit(pages.traces, pages.labels, _FIRST_SEED + number, watch)
            _save(trainer.network.model.get_weights(), path)
            print(f"class network {number + 1} of {count} trained on {len(pages.labels)} pages", flush=True)
        members.append(_load(path))
    return members


def mean_page_logits(members: Sequence[Weights], traces: NDArray[np.float32]) -> NDArray[np.float64]:
    """What the members say of ``traces`` (pages, samples, 3) on average, by Keras: (pages, classes)."""
    network = ClassTrainer(ClassNetworkConfig()).network
    logits = [network.answer_with(weights, traces)[PAGE_LOGITS].astype(np.float64) for weights in members]
    return np.asarray(np.mean(logits, axis=0))


def _save(weights: Weights, path: Path) -> None:
    content = io.BytesIO()
    np.savez(content, *weights)
    write_whole(path, content.getvalue())


def _load(path: Path) -> Weights:
    with np.load(path) as stored:  # named arr_0, arr_1, … in the order of writing
        return [stored[f"arr_{number}"] for number in range(len(stored.files))]
