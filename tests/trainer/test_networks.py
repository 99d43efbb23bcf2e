"""Both networks over curves, and how they are trained."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from shared_preproc.spec import TRACES_50_HZ
from trainer.class_training import ClassTrainer
from trainer.config import ClassNetworkConfig, FindingsConfig, Schedule
from trainer.findings import CODES
from trainer.findings_training import _loss
from trainer.history import page_figures
from trainer.models.class_network import LEAD_LOGITS, PAGE_LOGITS, build_class_network
from trainer.models.curves import Presence
from trainer.models.findings_network import CLASS_LOGITS, FINDING_LOGITS, Autocorrelation, build_findings_network
from trainer.network_training import Batch, NetworkTrainer

RATE_HZ = 50
Traces = NDArray[np.float32]


def class_network() -> keras.Model:
    return build_class_network(TRACES_50_HZ, 4)


def findings_network() -> keras.Model:
    return build_findings_network(TRACES_50_HZ, len(CODES), 4)


NETWORKS = pytest.mark.parametrize("build", [class_network, findings_network])


def pulses(beats_s: NDArray[np.float64], seconds: float) -> NDArray[np.float64]:
    """A peak at each beat."""
    clock_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    peaks: NDArray[np.float64] = np.exp(-0.5 * ((clock_s[:, np.newaxis] - beats_s) / 0.02) ** 2).sum(axis=1)
    return peaks


@pytest.fixture(scope="module")
def traces() -> Traces:
    """Forty pages of two kinds: with fast beats and with slow ones, on every lead and the strip."""
    rng = np.random.default_rng(0)
    pages = []
    for page in range(40):
        beats_s = np.arange(rng.random(), 10, 0.45 if page % 2 else 1.1)
        pages.append(np.concatenate([*(pulses(beats_s, 2.5) for _ in range(12)), pulses(beats_s, 10)]))
    return np.asarray(np.array(pages)[..., np.newaxis] + rng.normal(0, 0.02, (40, 2000, 3)), np.float32)


@NETWORKS
def test_network_is_small_and_gives_every_output(build: Callable[[], keras.Model]) -> None:
    model = build()
    assert model.count_params() < 250_000
    answer = model(np.zeros((2, *TRACES_50_HZ.tensor_shape), np.float32))
    shapes = {name: tuple(value.shape) for name, value in answer.items()}
    assert shapes in (
        {PAGE_LOGITS: (2, 4), LEAD_LOGITS: (2, 13, 4)},
        {FINDING_LOGITS: (2, len(CODES)), CLASS_LOGITS: (2, 4)},
    )


@NETWORKS
def test_what_is_missing_gives_finite_answers(build: Callable[[], keras.Model], traces: Traces) -> None:
    model, pages = build(), traces[:4].copy()
    pages[0, 1500:] = np.nan  # no strip
    pages[1, 250:375] = np.nan  # no third lead
    pages[2, 1800:] = np.nan  # a short strip
    pages[3] = np.nan
    for value in model(pages, training=False).values():
        assert np.isfinite(value).all()


@NETWORKS
def test_missing_strip_is_told_from_a_flat_one(build: Callable[[], keras.Model], traces: Traces) -> None:
    model, missing, flat = build(), traces[:1].copy(), traces[:1].copy()
    missing[:, 1500:], flat[:, 1500:] = np.nan, 0
    for name in {PAGE_LOGITS, FINDING_LOGITS} & set(model.output):
        one, other = (model(pages, training=False)[name].numpy() for pages in (missing, flat))
        assert np.abs(one - other).max() > 1e-6


def test_presence_marks_what_was_recorded() -> None:
    curve = np.array([[[1.0, 2.0, 0.5], [np.nan] * 3]], np.float32)
    np.testing.assert_array_equal(Presence()(curve), [[[1.0, 2.0, 0.5, 1.0], [0.0, 0.0, 0.0, 0.0]]])


def test_a_lead_head_sees_its_own_lead_only(traces: Traces) -> None:
    model, changed = class_network(), traces[:1].copy()
    changed[:, 3 * 125 : 4 * 125] = 0
    before, after = (model(x, training=False)[LEAD_LOGITS].numpy()[0] for x in (traces[:1], changed))
    differs = np.abs(after - before).max(axis=1) > 1e-6
    np.testing.assert_array_equal(np.flatnonzero(differs), [3])


def correlation(beats_s: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Autocorrelation of a strip's stroke height, and the interval of each value in seconds."""
    signal = pulses(beats_s, 10)
    strip = np.stack([signal, signal, -signal, np.ones_like(signal)], axis=-1)[np.newaxis].astype(np.float32)
    layer = Autocorrelation(RATE_HZ)
    return np.asarray(layer(strip))[0, :, 0], np.array(layer.lags) / RATE_HZ


def test_autocorrelation_peaks_at_the_beat_interval() -> None:
    for interval_s in (0.5, 0.8, 1.2):
        values, lags_s = correlation(np.arange(0.3, 10, interval_s))
        first = lags_s < 1.5 * interval_s
        assert lags_s[first][values[first].argmax()] == pytest.approx(interval_s, abs=0.02)
        assert values.max() > 0.9
        assert values.max() <= 1 + 1e-5


def test_irregular_beats_have_a_lower_autocorrelation() -> None:
    irregular = np.cumsum(0.8 * np.random.default_rng(0).gamma(22, 1 / 22, 13))
    assert correlation(irregular)[0].max() < 0.7 * correlation(np.arange(0.3, 10, 0.8))[0].max()


def test_no_strip_has_no_autocorrelation() -> None:
    values = np.asarray(Autocorrelation(RATE_HZ)(np.zeros((1, 500, 4), np.float32)))
    np.testing.assert_allclose(values, 0, atol=1e-6)


def linear() -> keras.Model:
    """One dense layer with dropout before it: compiled in a moment, and random as the networks are."""
    curve = keras.Input((6, 3))
    flat = keras.layers.Dropout(0.2)(keras.layers.Flatten()(curve))
    return keras.Model(curve, {"logits": keras.layers.Dense(2, name="logits")(flat)})


def toy_trainer() -> NetworkTrainer:
    def loss(answer: dict[str, tf.Tensor], targets: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, answer["logits"]))

    return NetworkTrainer(linear, loss, Schedule(learning_rate=0.05))


def toy_pages() -> tuple[Traces, NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200)
    return rng.normal(2.0 * labels[:, np.newaxis, np.newaxis] - 1, 1.5, (200, 6, 3)).astype(np.float32), labels


def toy_draw(seed: int) -> Callable[[], Batch]:
    pages, labels = toy_pages()
    rng = np.random.default_rng(seed)

    def draw() -> Batch:
        rows = rng.choice(len(labels), 32)
        return pages[rows], np.eye(2, dtype=np.float32)[labels[rows]]

    return draw


@pytest.fixture(scope="module")
def toy() -> NetworkTrainer:
    return toy_trainer()


def test_training_learns(toy: NetworkTrainer) -> None:
    pages, labels = toy_pages()
    toy.fit(toy_draw(0), 60, seed=1)
    assert page_figures(toy.predict(pages)["logits"], labels)[1] > 0.9


def test_every_training_starts_anew(toy: NetworkTrainer) -> None:
    pages, _ = toy_pages()
    answers = []
    for seed in (1, 2, 1):
        toy.fit(toy_draw(seed), 10, seed)
        answers.append(toy.predict(pages)["logits"])
    np.testing.assert_allclose(answers[2], answers[0], rtol=1e-4, atol=1e-5)
    assert np.abs(answers[1] - answers[0]).max() > 0.01


def test_watching_changes_nothing_of_the_training(toy: NetworkTrainer) -> None:
    pages, _ = toy_pages()
    done: list[int] = []

    def watch(steps: int, _: float) -> None:
        toy.predict(pages)
        done.append(steps)

    toy.fit(toy_draw(3), 5, seed=3)
    unwatched = toy.predict(pages)["logits"]
    toy.fit(toy_draw(3), 5, 3, watch)
    assert done == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(toy.predict(pages)["logits"], unwatched, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pages", [1, 64, 65])
def test_any_number_of_pages_is_answered(toy: NetworkTrainer, pages: int) -> None:
    given = np.tile(toy_pages()[0], (1, 1, 1))[:pages]
    answer = toy.predict(given)["logits"]
    assert answer.shape == (pages, 2)
    np.testing.assert_allclose(answer[:1], toy.predict(given[:1])["logits"], rtol=1e-5)


def test_given_weights_answer(toy: NetworkTrainer) -> None:
    pages, _ = toy_pages()
    weights = [np.zeros_like(array) for array in toy.model.get_weights()]
    weights[-1] = np.array([3.0, -1.0], np.float32)
    np.testing.assert_allclose(toy.answer_with(weights, pages[:5])["logits"], np.tile([3.0, -1.0], (5, 1)))


@pytest.mark.slow
def test_class_network_learns_what_beats_show(traces: Traces) -> None:
    labels = np.arange(40) % 2
    trainer = ClassTrainer(ClassNetworkConfig(epochs=12, batch_size=16))
    watched: list[tuple[float, float]] = []

    def watch(_: int, __: float) -> None:  # as in training: moving averages take hundreds of steps to settle
        answer = trainer.network.model(traces, training=True)[PAGE_LOGITS]
        watched.append(page_figures(answer.numpy(), labels))

    trainer.fit(traces, labels, 1, watch)
    assert len(watched) == 12
    assert watched[-1][0] < 0.8 * watched[0][0]


def findings_loss(finding_logits: float, class_logits: list[float], right: list[float]) -> float:
    """Loss of one recording that shows every finding."""
    answer = {
        FINDING_LOGITS: tf.fill((1, len(CODES)), finding_logits),
        CLASS_LOGITS: tf.constant([class_logits]),
    }
    return float(_loss(FindingsConfig(), answer, tf.ones((1, len(CODES))), tf.constant([right])))


def test_surer_right_findings_cost_less() -> None:
    even = [0.0] * 4
    losses = [findings_loss(logit, even, [1.0, 0, 0, 0]) for logit in (-1.0, 0.0, 1.0)]
    assert losses == sorted(losses, reverse=True)


def test_recordings_without_a_class_cost_by_findings_only() -> None:
    losses = {findings_loss(1.0, [logit, 0.0, 0.0, 0.0], [0.0] * 4) for logit in (0.0, 5.0)}
    assert len(losses) == 1


def test_either_of_two_right_classes_will_do() -> None:
    one, other = (findings_loss(1.0, logits, [0.0, 1.0, 1.0, 0.0]) for logits in ([0, 9.0, 0, 0], [0, 0, 9.0, 0]))
    assert one == pytest.approx(other)
    assert one < findings_loss(1.0, [9.0, 0, 0, 0], [0.0, 1.0, 1.0, 0.0]) - 1
