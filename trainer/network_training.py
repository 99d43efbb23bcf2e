"""Training of one network over curves: optimizer, schedule, and the loop over batches."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from trainer.config import Schedule

__all__ = ["Batch", "NetworkTrainer"]

Batch = tuple[NDArray[np.float32], ...]
"""Traces (pages, samples, 3), then what the loss compares the answer with."""
Loss = Callable[..., tf.Tensor]
"""Takes the network's dict of outputs and the rest of a `Batch`; gives a scalar."""

_PAGES_AT_ONCE = 64


class NetworkTrainer:
    """One network and its training step, compiled once; every `fit` starts from new weights."""

    def __init__(self, build: Callable[[], keras.Model], loss: Loss, schedule: Schedule) -> None:
        """Build the network; the first `fit` compiles its step."""
        self.model = build()
        self._build, self._loss, self._schedule = build, loss, schedule
        self._optimizer = keras.optimizers.AdamW(weight_decay=schedule.weight_decay)
        self._optimizer.build(self.model.trainable_variables)
        self._fresh = [variable.numpy() for variable in self._optimizer.variables]
        self._step = tf.function(self._train_step)
        self._answer = tf.function(lambda traces: self.model(traces, training=False))

    def fit(
        self,
        draw: Callable[[], Batch],
        steps: int,
        seed: int,
        after_step: Callable[[int, float], None] = lambda _, __: None,
    ) -> None:
        """Train on ``steps`` batches from ``draw``, from weights that ``seed`` decides.

        ``after_step`` gets the number of steps done and the loss of the last.
        """
        self._restart(seed)
        for step in range(steps):
            self._optimizer.learning_rate.assign(self._learning_rate(step, steps))
            loss = self._step(*draw())
            after_step(step + 1, float(loss))

    def predict(self, traces: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Answer for ``traces`` (pages, samples, 3): each output by name, pages first."""
        padded = np.concatenate([traces, np.zeros((-len(traces) % _PAGES_AT_ONCE, *traces.shape[1:]), np.float32)])
        answers = [self._answer(padded[at : at + _PAGES_AT_ONCE]) for at in range(0, len(padded), _PAGES_AT_ONCE)]
        return {name: np.concatenate([answer[name] for answer in answers])[: len(traces)] for name in answers[0]}

    def answer_with(
        self, weights: Sequence[NDArray[np.float32]], traces: NDArray[np.float32]
    ) -> Mapping[str, NDArray[np.float32]]:
        """As `predict`, by a network of these ``weights`` (Keras's order)."""
        self.model.set_weights(weights)
        return self.predict(traces)

    def _restart(self, seed: int) -> None:
        keras.utils.set_random_seed(seed)
        # Variables, not weights: the dropout layers' random states are among them.
        for variable, fresh in zip(self.model.variables, self._build().variables, strict=True):
            variable.assign(fresh)
        for variable, fresh in zip(self._optimizer.variables, self._fresh, strict=True):
            variable.assign(fresh)

    def _learning_rate(self, step: int, steps: int) -> float:
        schedule = self._schedule
        rising = min(1.0, (step + 1) / max(1.0, schedule.warm_up_share * steps))
        return schedule.learning_rate * rising * 0.5 * (1 + math.cos(math.pi * step / steps))

    def _train_step(self, traces: tf.Tensor, *targets: tf.Tensor) -> Any:  # noqa: ANN401 - a tensor
        variables = self.model.trainable_variables
        with tf.GradientTape() as tape:
            loss = self._loss(self.model(traces, training=True), *targets)
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, variables), self._schedule.largest_gradient)
        self._optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss
