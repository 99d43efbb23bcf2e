"""Heart rates of tensors, and the same curves at the reference rate."""

import numpy as np
import pytest
from numpy.typing import NDArray

from shared_preproc.recording import Recording, recording_tensor
from shared_preproc.spec import TRACES_50_HZ
from synthetic.heartbeat import SAMPLING_RATE_HZ, record_heart
from trainer.rates import REFERENCE_RATE_BPM, at_reference_rate, heart_rates


@pytest.fixture(scope="module")
def hearts() -> tuple[NDArray[np.float32], list[float]]:
    """Six hearts, and the beats a minute that they were drawn with."""
    recorded = [record_heart("normal", np.random.default_rng(seed)) for seed in range(6)]
    tensors = [recording_tensor(Recording(signal_mv, SAMPLING_RATE_HZ), TRACES_50_HZ) for signal_mv, _ in recorded]
    return np.stack(tensors), [rate for _, rate in recorded]


def test_rates_are_those_that_were_drawn(hearts: tuple[NDArray[np.float32], list[float]]) -> None:
    np.testing.assert_allclose(heart_rates(hearts[0]), hearts[1], rtol=0.03)


def test_every_heart_beats_at_the_reference_rate(hearts: tuple[NDArray[np.float32], list[float]]) -> None:
    again = at_reference_rate(hearts[0], heart_rates(hearts[0]))
    np.testing.assert_allclose(heart_rates(again), REFERENCE_RATE_BPM, rtol=0.04)


def test_pages_without_strip_have_no_rate(hearts: tuple[NDArray[np.float32], list[float]]) -> None:
    traces = hearts[0][:2].copy()
    traces[0, 1500:] = np.nan
    traces[1, 1500:] = 0
    assert np.isnan(heart_rates(traces)).all()


def test_pages_without_rate_stay_as_they_are(hearts: tuple[NDArray[np.float32], list[float]]) -> None:
    again = at_reference_rate(hearts[0][:2], np.array([np.nan, REFERENCE_RATE_BPM]))
    np.testing.assert_allclose(again, hearts[0][:2], atol=1e-6)
