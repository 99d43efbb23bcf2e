"""Trained fusion networks, as members of one ensemble, to the graph that is served. Knows no page and no figure.

The graph takes ``traces``, float32 (pages, samples, 3), and gives page and lead probabilities, calibrated, and the
embedding distance. Members are averaged as logits, so that one temperature calibrates the whole.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from model_registry.manifest import EMBEDDING_DISTANCE, LEAD_PROBABILITIES, PAGE_PROBABILITIES
from shared_preproc.spec import TRACES_50_HZ
from trainer.calibrate import Calibration
from trainer.classes import CLASS_NAMES
from trainer.export import convert
from trainer.fusion_training import embedding_scale
from trainer.members import Member
from trainer.models.fusion import EMBEDDING, LEAD_LOGITS, PAGE_LOGITS, build_fusion

__all__ = ["TRACES", "fusion_graph"]

TRACES = "traces"


def fusion_graph(members: Sequence[Member], calibration: Calibration, lead_temperature: float) -> bytes:
    """Join the members, calibrate them, and convert the whole to serialized ONNX."""
    models, bias = [_network(member) for member in members], calibration.bias.astype(np.float32)

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[tf.TensorSpec((None, *TRACES_50_HZ.tensor_shape), tf.float32, name=TRACES)]
    )
    def classify_pages(traces: tf.Tensor) -> dict[str, Any]:
        answers = [model(traces, training=False) for model in models]
        by_lead = _mean([answer[LEAD_LOGITS] for answer in answers])
        distances = [_distance(answer[EMBEDDING], member) for answer, member in zip(answers, members, strict=True)]
        return {
            PAGE_PROBABILITIES: tf.nn.softmax(
                _mean([answer[PAGE_LOGITS] for answer in answers]) / calibration.temperature + bias
            ),
            LEAD_PROBABILITIES: tf.nn.softmax(tf.reshape(by_lead, (-1, *by_lead.shape[1:])) / lead_temperature),
            EMBEDDING_DISTANCE: _mean(distances),
        }

    return convert(classify_pages)


def _network(member: Member) -> Any:  # noqa: ANN401 - a Keras model
    model = build_fusion(TRACES_50_HZ, len(CLASS_NAMES))
    model.set_weights(member.weights)
    return model


def _mean(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    return tf.add_n(list(tensors)) / len(tensors)


def _distance(embedding: tf.Tensor, member: Member) -> tf.Tensor:
    """As `trainer.fusion_training.nearest_distances`, by |a - b|² = |a|² - 2ab + |b|²: one product of matrices."""
    trained_on = member.embedding.astype(np.float32)
    squares = (
        tf.reduce_sum(embedding**2, axis=1, keepdims=True)
        - 2 * tf.matmul(embedding, trained_on.T)
        + (trained_on**2).sum(axis=1)
    )
    nearest = tf.reduce_min(squares, axis=1)
    return tf.sqrt(tf.maximum(nearest, 0.0)) / embedding_scale(member.embedding)
