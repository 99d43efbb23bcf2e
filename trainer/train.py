"""Lead images to a trained network, an epoch at a time, resumable after a kill."""

import sys
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from shared_preproc.spec import MASKS_150
from trainer.classes import CLASS_NAMES
from trainer.config import TrainConfig
from trainer.models import build
from trainer.prepare import LeadImages
from trainer.report import draw_curves
from trainer.run import Run

__all__ = ["train"]

Examples = tuple[NDArray[np.uint8], NDArray[np.float64]]
"""Lead images (images, height_px, width_px, 1), 0 or 255, and their classes, one-hot (images, classes)."""

_PROGRESS_BAR, _LINE_AN_EPOCH = 1, 2  # Keras's names for its levels of talk are numbers


def train(prepared: Path, folder: Path, config: TrainConfig) -> Run:
    """Train until ``config.epochs`` or until the validation loss has stopped falling; continue where a run stands.

    After each epoch the network and the history are on disk. The best epoch, not the last, is what later steps take.
    """
    run = Run.begin(folder, prepared, config)
    history = run.history
    if _finished(history, config):
        return run
    model = keras.models.load_model(run.checkpoint(len(history))) if history else _compiled(config)
    training, validation = _lead_examples(run.lead_images("train")), _lead_examples(run.lead_images("validation"))
    while not _finished(history, config):
        history.append(_fit_epoch(model, training, validation, config, epoch=len(history)))
        part = run.folder / ".epoch.part.keras"
        model.save(part)
        part.replace(run.checkpoint(len(history)))
        run.finish_epoch(history)
        draw_curves(history, run.folder)
    return run


def _compiled(config: TrainConfig) -> keras.Model:
    keras.utils.set_random_seed(config.seed)
    _, height_px, width_px = MASKS_150.tensor_shape
    model = build(config.architecture, height_px, width_px, len(CLASS_NAMES))
    optimizer = keras.optimizers.Adam(config.learning_rate)
    model.compile(optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
    return model


def _lead_examples(images: LeadImages) -> Examples:
    """Make one example of each lead image, with its page's class."""
    pages, leads, height_px, width_px = images.tensors.shape
    x = images.tensors.reshape(pages * leads, height_px, width_px, 1)
    return x, keras.utils.to_categorical(np.repeat(images.labels, leads), len(CLASS_NAMES))


def _fit_epoch(
    model: keras.Model, training: Examples, validation: Examples, config: TrainConfig, *, epoch: int
) -> dict[str, float]:
    x, y = training
    order = np.random.default_rng([config.seed, epoch]).permutation(len(x))
    print(f"{config.architecture}, epoch {epoch + 1} of at most {config.epochs}", flush=True)
    logs = model.fit(
        x[order],
        y[order],
        batch_size=config.batch_size,
        validation_data=validation,
        shuffle=False,
        verbose=_PROGRESS_BAR if sys.stdout.isatty() else _LINE_AN_EPOCH,
    ).history
    return {name: values[-1] for name, values in logs.items()}


def _finished(history: list[dict[str, float]], config: TrainConfig) -> bool:
    losses = [row["val_loss"] for row in history]
    stale = bool(losses) and len(losses) - 1 - int(np.argmin(losses)) >= config.patience_epochs
    return stale or len(history) >= config.epochs
