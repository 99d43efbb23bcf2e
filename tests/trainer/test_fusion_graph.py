"""The served graph answers as its networks, calibrations and fusion do in Keras and NumPy."""

from collections.abc import Callable

import keras
import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray
from scipy.special import expit, softmax

from model_registry.manifest import (
    FINDING_PROBABILITIES,
    LEAD_PROBABILITIES,
    PAGE_PROBABILITIES,
    READER_PROBABILITIES,
)
from shared_preproc.recording import Recording, recording_tensor
from shared_preproc.spec import TRACES_50_HZ
from synthetic.heartbeat import SAMPLING_RATE_HZ
from synthetic.pages import synth_signals
from trainer.calibrate import Calibration
from trainer.findings import CODES
from trainer.fuse import WITHOUT_AGE, Fusion
from trainer.fusion_graph import TRACES, fusion_graph
from trainer.members import Weights
from trainer.models.class_network import LEAD_LOGITS, PAGE_LOGITS, build_class_network
from trainer.models.findings_network import CLASS_LOGITS, FINDING_LOGITS, build_findings_network
from trainer.policy import Choice

pytestmark = pytest.mark.slow

LEAD_TEMPERATURE = 0.8
OUTPUTS = (PAGE_PROBABILITIES, LEAD_PROBABILITIES, READER_PROBABILITIES, FINDING_PROBABILITIES)
SHIPPED_BYTES = 8_000_000
Traces = NDArray[np.float32]


def class_network() -> keras.Model:
    return build_class_network(TRACES_50_HZ, 4)


def findings_network() -> keras.Model:
    return build_findings_network(TRACES_50_HZ, len(CODES), 4)


def drawn_weights(build: Callable[[], keras.Model], seed: int) -> Weights:
    """Weights as after training: none is zero, and every normalisation has statistics of its own."""
    rng = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    return [np.asarray(array + rng.normal(0, 0.02, array.shape), np.float32) for array in build().get_weights()]


def answers(build: Callable[[], keras.Model], members: list[Weights], traces: Traces) -> dict[str, NDArray[np.float64]]:
    """Mean of the members' logits, by Keras."""
    model, given = build(), []
    for weights in members:
        model.set_weights(weights)
        given.append({name: value.numpy() for name, value in model(traces, training=False).items()})
    return {name: np.mean([answer[name] for answer in given], axis=0, dtype=np.float64) for name in given[0]}


@pytest.fixture(scope="module")
def choice() -> Choice:
    rng = np.random.default_rng(5)
    return Choice(
        fusion=Fusion(cap=1.2, normal_weight=0.4, infarction_weight=0.6),
        fused=Calibration(1.7, np.array([0.1, -0.3, 0.2, 0.0])),
        class_network=Calibration(0.9, np.array([0.2, 0.0, -0.2, 0.0])),
        findings_network=Calibration(1.3, np.array([0.0, 0.5, -0.5, 0.0])),
        slopes=rng.uniform(0.5, 2, len(CODES)),
        offsets=rng.normal(size=len(CODES)),
        thresholds=(0.5,) * len(CODES),
        policy=None,
    )


@pytest.fixture(scope="module")
def members() -> tuple[list[Weights], list[Weights]]:
    return [drawn_weights(class_network, seed) for seed in (1, 2)], [drawn_weights(findings_network, 3)]


@pytest.fixture(scope="module")
def graph(members: tuple[list[Weights], list[Weights]], choice: Choice) -> bytes:
    return fusion_graph(*members, choice, LEAD_TEMPERATURE)


@pytest.fixture(scope="module")
def traces() -> Traces:
    """Five hearts; of the last three something is missing."""
    recordings = [Recording(synth_signals("normal", seed).mv, SAMPLING_RATE_HZ) for seed in range(5)]
    pages = np.stack([recording_tensor(recording, TRACES_50_HZ) for recording in recordings])
    pages[2, 1500:], pages[3, 300:420], pages[4] = np.nan, np.nan, np.nan
    return pages


@pytest.fixture(scope="module")
def given(graph: bytes, traces: Traces) -> dict[str, NDArray[np.float32]]:
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return dict(zip(OUTPUTS, session.run(list(OUTPUTS), {TRACES: traces}), strict=True))


def test_every_output_is_that_of_keras_and_numpy(
    members: tuple[list[Weights], list[Weights]],
    choice: Choice,
    traces: Traces,
    given: dict[str, NDArray[np.float32]],
) -> None:
    by_class = answers(class_network, members[0], traces)
    by_finding = answers(findings_network, members[1], traces)
    by_class_network = choice.class_network.logits(by_class[PAGE_LOGITS])
    fused = choice.fusion.logits(by_class_network, by_finding[CLASS_LOGITS])
    readers = [
        choice.class_network.probabilities(by_class[PAGE_LOGITS]),
        choice.findings_network.probabilities(by_finding[CLASS_LOGITS]) @ WITHOUT_AGE,
    ]
    expected = {
        PAGE_PROBABILITIES: choice.fused.probabilities(fused),
        LEAD_PROBABILITIES: softmax(by_class[LEAD_LOGITS] / LEAD_TEMPERATURE, axis=-1),
        READER_PROBABILITIES: np.stack(readers, axis=1),
        FINDING_PROBABILITIES: expit(choice.slopes * by_finding[FINDING_LOGITS] + choice.offsets),
    }
    for name in OUTPUTS:
        np.testing.assert_allclose(given[name], expected[name], atol=1e-5, err_msg=name)


def test_probabilities_of_classes_sum_to_one(given: dict[str, NDArray[np.float32]]) -> None:
    for name in (PAGE_PROBABILITIES, LEAD_PROBABILITIES, READER_PROBABILITIES):
        np.testing.assert_allclose(given[name].sum(axis=-1), 1, atol=1e-5)


def test_pages_are_answered_one_by_one_as_together(
    graph: bytes, traces: Traces, given: dict[str, NDArray[np.float32]]
) -> None:
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    alone = session.run([PAGE_PROBABILITIES], {TRACES: traces[1:2]})[0]
    np.testing.assert_allclose(alone, given[PAGE_PROBABILITIES][1:2], atol=1e-5)


def test_shipped_ensemble_stays_within_8_megabytes(graph: bytes) -> None:
    """Three class networks and two findings networks, of which the graph here has two and one."""
    of_class, of_findings = (4 * build().count_params() for build in (class_network, findings_network))
    nodes = len(graph) - 2 * of_class - of_findings
    assert 3 * of_class + 2 * of_findings + 2 * nodes <= SHIPPED_BYTES
