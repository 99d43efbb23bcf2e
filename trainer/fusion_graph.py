"""Trained class networks and findings networks, joined and calibrated, to the graph that is served.

The graph takes ``traces``, float32 (pages, samples, 3), NaN where nothing was recorded. It gives the fused
probabilities of the page, those of the leads, what each reader says by itself, and the findings. Networks of one kind
are averaged as logits, so that one calibration holds for the whole.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from model_registry.manifest import (
    FINDING_PROBABILITIES,
    LEAD_PROBABILITIES,
    PAGE_PROBABILITIES,
    READER_PROBABILITIES,
)
from shared_preproc.spec import TRACES_50_HZ
from trainer.calibrate import Calibration
from trainer.classes import CLASS_NAMES
from trainer.export import convert
from trainer.findings import FINDINGS
from trainer.fuse import INFARCTIONS, NORMAL, WITHOUT_AGE, Fusion
from trainer.members import Weights
from trainer.models.class_network import LEAD_LOGITS, PAGE_LOGITS, build_class_network
from trainer.models.findings_network import CLASS_LOGITS, FINDING_LOGITS, build_findings_network
from trainer.policy import Choice

__all__ = ["TRACES", "fusion_graph"]

TRACES = "traces"


def fusion_graph(
    class_networks: Sequence[Weights], findings_networks: Sequence[Weights], choice: Choice, lead_temperature: float
) -> bytes:
    """Join the networks as ``choice`` says, and convert the whole to serialized ONNX."""
    class_models = _models(lambda: build_class_network(TRACES_50_HZ, len(CLASS_NAMES)), class_networks)
    findings_models = _models(
        lambda: build_findings_network(TRACES_50_HZ, len(FINDINGS), len(CLASS_NAMES)), findings_networks
    )
    slopes, offsets = (array.astype(np.float32) for array in (choice.slopes, choice.offsets))

    @tf.function(  # type: ignore[untyped-decorator]
        input_signature=[tf.TensorSpec((None, *TRACES_50_HZ.tensor_shape), tf.float32, name=TRACES)]
    )
    def read_pages(traces: tf.Tensor) -> dict[str, Any]:
        by_class = [model(traces, training=False) for model in class_models]
        by_finding = [model(traces, training=False) for model in findings_models]
        class_logits = _mean([answer[PAGE_LOGITS] for answer in by_class])
        lead_logits = _mean([answer[LEAD_LOGITS] for answer in by_class])
        findings_logits = _mean([answer[CLASS_LOGITS] for answer in by_finding])
        by_class_network = _calibrated(class_logits, choice.class_network)
        by_findings_network = _calibrated(findings_logits, choice.findings_network)
        fused = _fused(by_class_network, findings_logits, choice.fusion)
        of_findings_network = tf.nn.softmax(by_findings_network) @ WITHOUT_AGE.astype(np.float32)
        return {
            PAGE_PROBABILITIES: tf.nn.softmax(_calibrated(fused, choice.fused)),
            LEAD_PROBABILITIES: tf.nn.softmax(tf.reshape(lead_logits, (-1, *lead_logits.shape[1:])) / lead_temperature),
            READER_PROBABILITIES: tf.stack([tf.nn.softmax(by_class_network), of_findings_network], axis=1),
            FINDING_PROBABILITIES: tf.sigmoid(
                slopes * _mean([answer[FINDING_LOGITS] for answer in by_finding]) + offsets
            ),
        }

    return convert(read_pages)


def _models(build: Callable[[], Any], networks: Sequence[Weights]) -> list[Any]:
    models = []
    for weights in networks:
        model = build()
        model.set_weights(weights)
        models.append(model)
    return models


def _fused(by_class_network: tf.Tensor, findings_logits: tf.Tensor, fusion: Fusion) -> tf.Tensor:
    """As `Fusion.logits`."""
    fused = tf.maximum(tf.nn.log_softmax(by_class_network), -fusion.cap)
    by_findings = tf.nn.log_softmax(findings_logits)
    for axis, weight in (((NORMAL,), fusion.normal_weight), (INFARCTIONS, fusion.infarction_weight)):
        others = [place for place in range(len(CLASS_NAMES)) if place not in axis]
        within, without = (
            tf.reduce_logsumexp(tf.gather(by_findings, list(places), axis=1), axis=1, keepdims=True)
            for places in (axis, others)
        )
        moved = np.isin(np.arange(len(CLASS_NAMES)), axis).astype(np.float32)
        fused += weight * (within - without) * moved
    return fused


def _calibrated(logits: tf.Tensor, calibration: Calibration) -> tf.Tensor:
    return logits / calibration.temperature + calibration.bias.astype(np.float32)


def _mean(tensors: Sequence[tf.Tensor]) -> tf.Tensor:
    return tf.add_n(list(tensors)) / len(tensors)
