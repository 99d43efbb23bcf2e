"""Curves varied in signal space."""

import numpy as np
import pytest
from numpy.typing import NDArray

from shared_preproc.recording import Recording, recording_tensor
from shared_preproc.spec import TRACES_50_HZ
from synthetic.heartbeat import SAMPLING_RATE_HZ
from synthetic.pages import synth_signals
from trainer.augment import Augmentation, augment
from trainer.rates import heart_rates

LEADS, SAMPLES = 12, 125
STILL = Augmentation(
    page_gain=0,
    lead_gain=0,
    offset_mv=0,
    wander_mv=0,
    lead_shift=0,
    lead_loss=0,
    strip_loss=0,
    rate=0,
    same_rate=1,
)


@pytest.fixture
def traces() -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(6, LEADS * SAMPLES + 500, 3)).astype(np.float32)


def leads(traces: NDArray[np.float32]) -> NDArray[np.float32]:
    return traces[:, : LEADS * SAMPLES].reshape(-1, LEADS, SAMPLES, 3)


def strip(traces: NDArray[np.float32]) -> NDArray[np.float32]:
    return traces[:, LEADS * SAMPLES :]


def test_nothing_but_the_strip_moves_when_every_amount_is_zero(traces: NDArray[np.float32]) -> None:
    varied = augment(traces, TRACES_50_HZ, np.random.default_rng(1), STILL)
    np.testing.assert_array_equal(leads(varied), leads(traces))
    for before, after in zip(strip(traces), strip(varied), strict=True):
        assert any(np.array_equal(np.roll(before, steps, axis=0), after) for steps in range(500))


def test_leads_of_a_page_are_shifted_together(traces: NDArray[np.float32]) -> None:
    amount = Augmentation(**{**vars(STILL), "lead_shift": 1 / 8})
    varied = augment(traces, TRACES_50_HZ, np.random.default_rng(1), amount)
    steps = [
        [next(step for step in range(-16, 17) if np.array_equal(np.roll(old, step, axis=0), new)) for old, new in pairs]
        for pairs in (zip(a, b, strict=True) for a, b in zip(leads(traces), leads(varied), strict=True))
    ]
    assert all(len(set(of_page)) == 1 for of_page in steps)
    assert len({of_page[0] for of_page in steps}) > 1


def test_gain_never_turns_a_curve_upside_down(traces: NDArray[np.float32]) -> None:
    amount = Augmentation(**{**vars(STILL), "page_gain": 0.5, "lead_gain": 0.5})
    ratio = leads(augment(traces, TRACES_50_HZ, np.random.default_rng(1), amount)) / leads(traces)
    assert (ratio > 0).all()
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :, :1, :1], ratio.shape), rtol=1e-3)


def test_lost_leads_are_flat_and_channels_keep_their_order(traces: NDArray[np.float32]) -> None:
    ordered = np.sort(traces, axis=-1)
    amount = Augmentation(lead_loss=0.5, strip_loss=0.5)
    varied = augment(ordered, TRACES_50_HZ, np.random.default_rng(1), amount)
    recorded = varied[np.isfinite(varied).all(axis=-1)]
    assert (np.diff(recorded, axis=-1) >= -1e-6).all()
    flat = (leads(varied) == 0).all(axis=(2, 3))
    assert 0.3 < flat.mean() < 0.7


def test_the_pages_given_are_left_as_they_were(traces: NDArray[np.float32]) -> None:
    before = traces.copy()
    varied = augment(traces, TRACES_50_HZ, np.random.default_rng(1), Augmentation())
    np.testing.assert_array_equal(traces, before)
    assert varied.dtype == np.float32
    assert varied.shape == traces.shape


@pytest.fixture(scope="module")
def hearts() -> NDArray[np.float32]:
    """One heart, forty times."""
    heart = Recording(synth_signals("normal", 3).mv, SAMPLING_RATE_HZ)
    return np.repeat(recording_tensor(heart, TRACES_50_HZ)[np.newaxis], 40, axis=0)


def test_rate_factor_changes_the_measured_rate(hearts: NDArray[np.float32]) -> None:
    amount = Augmentation(**{**vars(STILL), "rate": 0.15, "same_rate": 0})
    before, after = (heart_rates(pages) for pages in (hearts, augment(hearts, TRACES_50_HZ, drawing(), amount)))
    assert np.log(after / before).std() == pytest.approx(0.15, abs=0.05)


def test_same_rate_keeps_the_measured_rate(hearts: NDArray[np.float32]) -> None:
    amount = Augmentation(**{**vars(STILL), "rate": 0.15, "same_rate": 1})
    before, after = (heart_rates(pages) for pages in (hearts, augment(hearts, TRACES_50_HZ, drawing(), amount)))
    np.testing.assert_allclose(after, before, rtol=0.06)  # a strip that is rolled has a seam
    assert np.isfinite(augment(hearts, TRACES_50_HZ, drawing(), amount)).all()


def test_leads_and_strip_are_played_at_one_speed(hearts: NDArray[np.float32]) -> None:
    amount = Augmentation(**{**vars(STILL), "rate": 0.3, "same_rate": 0})
    recorded = np.isfinite(augment(hearts, TRACES_50_HZ, drawing(), amount)[..., 0])
    of_leads, of_strip = recorded[:, :SAMPLES].mean(axis=1), recorded[:, LEADS * SAMPLES :].mean(axis=1)
    np.testing.assert_allclose(of_leads, of_strip, atol=0.01)
    assert 0.3 < (of_strip < 1).mean() < 0.7


def drawing() -> np.random.Generator:
    return np.random.default_rng(1)
