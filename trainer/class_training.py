"""Training of one class network on the curves of the data set's pages."""

from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from shared_preproc.spec import TRACES_50_HZ
from trainer.augment import augment
from trainer.classes import CLASS_NAMES
from trainer.config import ClassNetworkConfig
from trainer.models.class_network import LEAD_LOGITS, PAGE_LOGITS, build_class_network
from trainer.network_training import Batch, NetworkTrainer

__all__ = ["ClassTrainer"]

_SPEC = TRACES_50_HZ


class ClassTrainer:
    """A class network and how it is trained; every `fit` starts from new weights."""

    def __init__(self, config: ClassNetworkConfig) -> None:
        """Build the network."""
        self.config = config
        self.network = NetworkTrainer(
            lambda: build_class_network(_SPEC, len(CLASS_NAMES)), partial(_loss, config), config.schedule
        )

    def fit(
        self,
        traces: NDArray[np.float32],
        labels: NDArray[np.int64],
        seed: int,
        after_epoch: Callable[[int, float], None] = lambda _, __: None,
    ) -> None:
        """Train on ``traces`` (pages, samples, 3) and their ``labels`` (pages,).

        ``after_epoch`` gets the number of epochs done and the mean loss of the last; what it asks the network changes
        nothing of the training.
        """
        config, rng = self.config, np.random.default_rng(seed)
        targets = np.eye(len(CLASS_NAMES), dtype=np.float32)[labels]
        shares = _draw_probabilities(labels, config.balance)
        steps = max(1, len(labels) // config.batch_size)

        def draw() -> Batch:
            rows = rng.choice(len(labels), config.batch_size, p=shares)
            return augment(traces[rows], _SPEC, rng, config.augmentation), targets[rows]

        losses: list[float] = []

        def after_step(done: int, loss: float) -> None:
            losses.append(loss)
            if done % steps == 0:
                after_epoch(done // steps, float(np.mean(losses[-steps:])))

        self.network.fit(draw, config.epochs * steps, seed, after_step)


def _loss(config: ClassNetworkConfig, answer: dict[str, tf.Tensor], targets: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of the page's answer, and of what each lead says by itself."""
    page = keras.losses.categorical_crossentropy(
        targets, answer[PAGE_LOGITS], from_logits=True, label_smoothing=config.label_smoothing
    )
    each = tf.repeat(targets[:, tf.newaxis], len(_SPEC.layout.leads), axis=1)
    by_lead = keras.losses.categorical_crossentropy(each, answer[LEAD_LOGITS], from_logits=True)
    return tf.reduce_mean(page) + config.lead_loss_weight * tf.reduce_mean(by_lead)


def _draw_probabilities(labels: NDArray[np.int64], balance: float) -> NDArray[np.float64]:
    """How often each page is drawn: 0 as it stands, 1 every class as often as any other."""
    weights = (1 / np.bincount(labels)[labels]) ** balance
    return np.asarray(weights / weights.sum())
