"""Curves to a trained fusion network. Knows no page, no fold and no figure."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from shared_preproc.spec import TRACES_50_HZ
from trainer.augment import augment
from trainer.classes import CLASS_NAMES
from trainer.config import FusionConfig
from trainer.models.fusion import EMBEDDING, LEAD_LOGITS, PAGE_LOGITS, build_fusion

__all__ = ["FusionAnswer", "FusionTrainer", "embedding_scale", "nearest_distances"]

_SPEC = TRACES_50_HZ
_PAGES_AT_ONCE = 64


class FusionAnswer(NamedTuple):
    """What a network says about pages, float32: (pages, classes), (pages, leads, classes), (pages, features)."""

    page_logits: NDArray[np.float32]
    lead_logits: NDArray[np.float32]
    embedding: NDArray[np.float32]


class FusionTrainer:
    """One network and its training step, compiled once; every `fit` starts from new weights."""

    def __init__(self, config: FusionConfig) -> None:
        """Build the network; its step is compiled by the first `fit`."""
        self.config = config
        self.model = build_fusion(_SPEC, len(CLASS_NAMES))
        self._optimizer = keras.optimizers.AdamW(weight_decay=config.weight_decay)
        self._optimizer.build(self.model.trainable_variables)
        self._fresh = [variable.numpy() for variable in self._optimizer.variables]
        self._step = tf.function(self._train_step, jit_compile=True)
        self._answer = tf.function(self._predict_step)

    def fit(
        self,
        traces: NDArray[np.float32],
        labels: NDArray[np.int64],
        seed: int,
        start: Sequence[NDArray[np.float32]] | None = None,
        after_epoch: Callable[[], None] | None = None,
    ) -> list[float]:
        """Train on ``traces`` (pages, samples, 3) and their ``labels`` (pages,); gives the mean loss of each epoch.

        ``start`` are weights to begin from, in Keras's order, in place of new ones. ``after_epoch`` is called
        after each epoch, when `predict` answers as the network then does; what it asks changes nothing of the training.
        """
        self._restart(seed)
        if start is not None:
            self.model.set_weights(start)
        config, rng = self.config, np.random.default_rng(seed)
        targets = np.eye(len(CLASS_NAMES), dtype=np.float32)[labels]
        lead_count, samples = len(_SPEC.layout.leads) - 1, self.model.get_layer("lead_encoder").input_shape[1]
        steps = max(1, len(labels) // config.batch_size)
        losses = []
        for epoch in range(config.epochs):
            drawn = rng.choice(len(labels), (steps, config.batch_size), p=_draw_probabilities(labels, config.balance))
            total = 0.0
            for number, rows in enumerate(drawn):
                self._optimizer.learning_rate.assign(self._learning_rate(epoch + number / steps))
                varied = augment(traces[rows], lead_count, samples, rng, config.augmentation)
                total += float(self._step(varied, targets[rows]))
            losses.append(total / steps)
            if after_epoch is not None:
                after_epoch()
        return losses

    def predict(self, traces: NDArray[np.float32]) -> FusionAnswer:
        """Answer for ``traces`` (pages, samples, 3)."""
        padded = np.concatenate([traces, np.zeros((-len(traces) % _PAGES_AT_ONCE, *traces.shape[1:]), np.float32)])
        answers = [self._answer(padded[at : at + _PAGES_AT_ONCE]) for at in range(0, len(padded), _PAGES_AT_ONCE)]
        parts = (np.concatenate([answer[name] for answer in answers])[: len(traces)] for name in _OUTPUTS)
        return FusionAnswer(*parts)

    def _restart(self, seed: int) -> None:
        keras.utils.set_random_seed(seed)
        fresh_model = build_fusion(_SPEC, len(CLASS_NAMES))
        # Variables, not weights: the dropout layers' random states are among them.
        for variable, fresh in zip(self.model.variables, fresh_model.variables, strict=True):
            variable.assign(fresh)
        for variable, fresh in zip(self._optimizer.variables, self._fresh, strict=True):
            variable.assign(fresh)

    def _learning_rate(self, epoch: float) -> float:
        """Rise over the first epochs, then fall by half a cosine (Loshchilov and Hutter 2017)."""
        config = self.config
        rising = min(1.0, (0.1 * config.warm_up_epochs + int(epoch)) / config.warm_up_epochs)
        return config.learning_rate * rising * 0.5 * (1 + math.cos(math.pi * epoch / config.epochs))

    def _train_step(self, traces: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        config, variables = self.config, self.model.trainable_variables
        with tf.GradientTape() as tape:
            answer = self.model(traces, training=True)
            page = keras.losses.categorical_crossentropy(
                targets, answer[PAGE_LOGITS], from_logits=True, label_smoothing=config.label_smoothing
            )
            each = tf.repeat(targets[:, tf.newaxis], len(_SPEC.layout.leads), axis=1)
            leads = keras.losses.categorical_crossentropy(each, answer[LEAD_LOGITS], from_logits=True)
            loss = tf.reduce_mean(page) + config.lead_loss_weight * tf.reduce_mean(leads)
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, variables), config.largest_gradient)
        self._optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss

    def _predict_step(self, traces: tf.Tensor) -> Any:  # noqa: ANN401 - a dict of tensors
        return self.model(traces, training=False)


def nearest_distances(embedding: NDArray[np.float32], trained_on: NDArray[np.float32]) -> NDArray[np.float64]:
    """How far each row of ``embedding`` (pages, features) lies from the nearest of ``trained_on`` (others, features).

    Euclidean, in units of `embedding_scale`, so that networks can be compared and averaged.
    """
    apart = np.linalg.norm(embedding[:, np.newaxis].astype(np.float64) - trained_on[np.newaxis], axis=-1)
    return np.asarray(apart.min(axis=1) / embedding_scale(trained_on))


def embedding_scale(trained_on: NDArray[np.float32]) -> float:
    """Root of the mean squared distance of rows (pages, features) from their mean."""
    return float(np.sqrt(trained_on.astype(np.float64).var(axis=0).sum()))


_OUTPUTS = (PAGE_LOGITS, LEAD_LOGITS, EMBEDDING)


def _draw_probabilities(labels: NDArray[np.int64], balance: float) -> NDArray[np.float64]:
    """How often each page is drawn: 0 as it stands, 1 every class as often as any other."""
    weights = (1 / np.bincount(labels)[labels]) ** balance
    return np.asarray(weights / weights.sum())
