"""The fusion network, its training step, and the graph made of several."""

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

from model_registry.manifest import EMBEDDING_DISTANCE, LEAD_PROBABILITIES, PAGE_PROBABILITIES
from shared_preproc.spec import TRACES_50_HZ
from trainer.calibrate import Calibration
from trainer.config import FusionConfig
from trainer.export import PARITY_LIMIT
from trainer.fusion_graph import TRACES, fusion_graph
from trainer.fusion_training import FusionTrainer, embedding_scale, nearest_distances
from trainer.history import page_figures
from trainer.members import Member, mean_page_logits
from trainer.models.fusion import EMBEDDING, LEAD_LOGITS, PAGE_LOGITS, build_fusion


@pytest.fixture(scope="module")
def traces() -> NDArray[np.float32]:
    """Forty pages of two kinds: with fast beats and with slow ones, on every lead and the strip."""
    rng = np.random.default_rng(0)
    time_s = np.concatenate([np.tile(np.arange(125) / 50, 12), np.arange(500) / 50])
    rates = np.where(np.arange(40) % 2, 2.0, 1.0)[:, np.newaxis]
    beats = np.maximum(np.sin(2 * np.pi * rates * time_s), 0.9) - 0.9
    noisy = 10 * beats[..., np.newaxis] + rng.normal(0, 0.02, (40, 2000, 3))
    return np.asarray(noisy, np.float32)


@pytest.fixture(scope="module")
def trainer() -> FusionTrainer:
    return FusionTrainer(FusionConfig(epochs=8, batch_size=16))


def test_the_network_is_small_and_gives_every_output() -> None:
    model = build_fusion(TRACES_50_HZ, 4)
    assert model.count_params() < 200_000
    answer = model(np.zeros((2, *TRACES_50_HZ.tensor_shape), np.float32))
    assert {name: tuple(value.shape) for name, value in answer.items()} == {
        PAGE_LOGITS: (2, 4),
        LEAD_LOGITS: (2, 13, 4),
        EMBEDDING: (2, 128),
    }


def test_a_lead_head_sees_its_own_lead_only(traces: NDArray[np.float32]) -> None:
    model = build_fusion(TRACES_50_HZ, 4)
    changed = traces[:1].copy()
    changed[:, 3 * 125 : 4 * 125] = 0
    before, after = (model(x, training=False)[LEAD_LOGITS].numpy()[0] for x in (traces[:1], changed))
    differs = np.abs(after - before).max(axis=1) > 1e-6
    np.testing.assert_array_equal(np.flatnonzero(differs), [3])


def test_training_learns_and_starts_anew_each_time(trainer: FusionTrainer, traces: NDArray[np.float32]) -> None:
    labels = np.arange(40) % 2
    first = trainer.fit(traces, labels, seed=1)
    assert first[-1] < 0.7 * first[0]
    watched: list[tuple[float, float]] = []
    again = trainer.fit(
        traces, labels, seed=1, after_epoch=lambda: watched.append(page_figures(trainer.predict(traces)[0], labels))
    )
    np.testing.assert_allclose(again, first, rtol=1e-3, err_msg="watching must change nothing")
    assert len(watched) == len(first)
    assert watched[-1][0] < watched[0][0]


def test_distances_are_those_to_the_nearest_in_units_of_spread() -> None:
    trained_on = np.array([[0.0, 0.0], [4.0, 0.0]], np.float32)
    asked = np.array([[0.0, 3.0], [4.0, 0.0]], np.float32)
    assert embedding_scale(trained_on) == pytest.approx(2.0)
    np.testing.assert_allclose(nearest_distances(asked, trained_on), [1.5, 0.0])


def test_the_graph_answers_as_keras_and_scipy_do(trainer: FusionTrainer, traces: NDArray[np.float32]) -> None:
    members = []
    for seed in (1, 2):
        trainer.fit(traces[:20], np.arange(20) % 2, seed=seed)
        members.append(Member(trainer.model.get_weights(), trainer.predict(traces[:20]).embedding))
    calibration = Calibration(1.7, np.array([0.1, -0.3, 0.2, 0.0]))
    session = ort.InferenceSession(fusion_graph(members, calibration, 0.8), providers=["CPUExecutionProvider"])
    by_page, by_lead, distance = session.run(
        [PAGE_PROBABILITIES, LEAD_PROBABILITIES, EMBEDDING_DISTANCE], {TRACES: traces[20:]}
    )
    expected = calibration.probabilities(mean_page_logits(members, traces[20:]))
    np.testing.assert_allclose(by_page, expected, atol=PARITY_LIMIT)
    np.testing.assert_allclose(by_lead.sum(axis=-1), 1, atol=PARITY_LIMIT)
    distances = []
    for member in members:
        trainer.model.set_weights(member.weights)
        distances.append(nearest_distances(trainer.predict(traces[20:]).embedding, member.embedding))
    np.testing.assert_allclose(distance, np.mean(distances, axis=0), rtol=1e-2, atol=1e-3)


def test_the_shipped_size_holds_for_three_members_of_the_development_pages() -> None:
    rng = np.random.default_rng(0)
    members = [
        Member(build_fusion(TRACES_50_HZ, 4).get_weights(), rng.normal(size=(409, 128)).astype(np.float32))
        for _ in range(3)
    ]
    assert len(fusion_graph(members, Calibration(1.0, np.zeros(4)), 1.0)) <= 4_000_000
