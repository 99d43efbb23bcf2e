"""Views of recordings: shapes, what is missing, and what a turn keeps."""

import numpy as np
import pytest
from numpy.typing import NDArray

from shared_preproc.leads import Lead
from shared_preproc.recording import Recording, recording_tensor
from shared_preproc.spec import TRACES_50_HZ
from synthetic.pages import synth_signals
from trainer.views import BANDS_HZ, RATE_HZ, ViewSettings, band_passed, draw_views

FIRST_BAND = (1.0, 0.0, 0.0, 0.0, 0.0)
STILL = ViewSettings(
    band_shares=FIRST_BAND,
    arrangement_shares=(0.0, 1.0, 0.0),
    strip_shares=(1.0, 0.0, 0.0, 0.0, 0.0),
    short_leads=0,
    short_strip=0,
    missing_lead=0,
    flat_lead=0,
    page_gain=0,
    lead_gain=0,
    offset_mv=0,
    wander_mv=0,
    noise_mv=0,
)
"""All leads at once, with a strip of II, and nothing else."""

Signals = NDArray[np.float32]


@pytest.fixture(scope="module")
def signal_mv() -> Signals:
    return np.stack([synth_signals("normal", seed).mv[:, ::5] for seed in range(3)]).astype(np.float32)


@pytest.fixture(scope="module")
def banded(signal_mv: Signals) -> Signals:
    return band_passed(signal_mv)


def drawn(banded: Signals, amount: ViewSettings, *, seed: int = 0, pages: int = 3) -> Signals:
    return draw_views(banded, np.arange(pages) % banded.shape[1], np.random.default_rng(seed), amount)


def leads(views: Signals) -> Signals:
    """(pages, 12, 125, 3), page order."""
    return views[:, :1500].reshape(-1, 12, 125, 3)


def lead_of(views: Signals, name: Lead) -> Signals:
    """Signal of one lead, (pages, 125)."""
    signal: Signals = leads(views)[:, TRACES_50_HZ.layout.leads.index(name), :, 0]
    return signal


def test_bands_are_those_of_carts(signal_mv: Signals, banded: Signals) -> None:
    assert banded.shape == (len(BANDS_HZ), 3, 12, 1000)
    assert banded.dtype == np.float32
    expected = Recording(signal_mv[1].astype(float), RATE_HZ).band_passed(*BANDS_HZ[2]).signal_mv
    np.testing.assert_allclose(banded[2, 1], expected, atol=1e-5)


def test_views_have_the_shape_of_the_tensor(banded: Signals) -> None:
    views = drawn(banded, ViewSettings(), pages=8)
    assert views.shape == (8, *TRACES_50_HZ.tensor_shape)
    assert views.dtype == np.float32
    given = views[np.isfinite(views).all(axis=2)]
    assert (given[:, 1] - given[:, 2] > -0.1).all()


def test_same_seed_draws_the_same_views(banded: Signals) -> None:
    np.testing.assert_array_equal(drawn(banded, ViewSettings()), drawn(banded, ViewSettings()))
    assert not np.array_equal(drawn(banded, ViewSettings()), drawn(banded, ViewSettings(), seed=1), equal_nan=True)


def test_strip_is_what_the_page_shows(banded: Signals) -> None:
    strip = drawn(banded, STILL)[:, 1500:, 0]
    for row in range(3):
        shown = recording_tensor(Recording(banded[0, row].astype(float), RATE_HZ), TRACES_50_HZ)[1500:, 0]
        np.testing.assert_allclose(strip[row], shown, atol=1e-5)


def test_staggered_columns_are_those_of_the_page(banded: Signals) -> None:
    """Some draw has no jitter to speak of and starts with the first column, as the cart prints."""
    amount = ViewSettings(**{**vars(STILL), "arrangement_shares": (1.0, 0.0, 0.0)})
    page = recording_tensor(Recording(banded[0, 0].astype(float), RATE_HZ), TRACES_50_HZ)
    nearest = min(
        float(np.abs(view[:1500, 0] - page[:1500, 0]).mean())
        for view in draw_views(banded, np.zeros(400, np.intp), np.random.default_rng(0), amount)
    )
    assert nearest < 0.01


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"missing_lead": 0.3}, 0.3),
        ({"missing_lead": 0.0}, 0.0),
        ({"short_leads": 1.0}, 0.25),
    ],
)
def test_missing_leads_are_nan_as_often_as_asked(change: dict[str, float], missing: float, banded: Signals) -> None:
    views = drawn(banded, ViewSettings(**{**vars(STILL), **change}), pages=300)
    assert np.isnan(leads(views)).mean() == pytest.approx(missing, abs=0.03)
    assert np.isfinite(views[:, 1500:]).all()


def test_strip_is_missing_as_often_as_asked(banded: Signals) -> None:
    amount = ViewSettings(**{**vars(STILL), "strip_shares": (0.8, 0, 0, 0, 0.2)})
    views = drawn(banded, amount, pages=400)
    without = np.isnan(views[:, 1500:]).all(axis=(1, 2))
    assert without.mean() == pytest.approx(0.2, abs=0.06)
    assert np.isfinite(views[~without]).all()


def test_a_sample_is_there_or_missing_as_a_whole(banded: Signals) -> None:
    missing = np.isnan(drawn(banded, ViewSettings(), pages=60))
    np.testing.assert_array_equal(missing.all(axis=2), missing.any(axis=2))


def test_gain_is_common_to_a_page(banded: Signals) -> None:
    amount = ViewSettings(**{**vars(STILL), "page_gain": 0.4})
    ratios = drawn(banded, amount)[:, 1500:, 0] / drawn(banded, STILL)[:, 1500:, 0]
    assert np.ptp(ratios, axis=1).max() < 1e-2
    assert np.ptp(ratios[:, 0]) > 0.05


def test_turn_of_zero_degrees_changes_nothing(banded: Signals) -> None:
    barely = ViewSettings(**{**vars(STILL), "turn_deg": 1e-9})
    seen, turned = (
        np.sort(leads(drawn(banded, amount, pages=60))[..., 0].reshape(60, -1)) for amount in (STILL, barely)
    )
    for row in range(3):  # a turn draws more numbers, so that other windows are shown
        ranges = [np.abs(views[row::3]).max() for views in (seen, turned)]
        assert ranges[0] == pytest.approx(ranges[1], rel=0.02)


@pytest.mark.parametrize("turn_deg", [0.0, 15.0])
def test_limb_leads_keep_their_equations(turn_deg: float, banded: Signals) -> None:
    views = drawn(banded, ViewSettings(**{**vars(STILL), "turn_deg": turn_deg}), pages=12)
    one, two, three = (lead_of(views, name) for name in (Lead.I, Lead.II, Lead.III))
    np.testing.assert_allclose(two, one + three, atol=1e-3)
    np.testing.assert_allclose(lead_of(views, Lead.AVR), -(one + two) / 2, atol=1e-3)
    np.testing.assert_allclose(lead_of(views, Lead.AVL), (one - three) / 2, atol=1e-3)
    np.testing.assert_allclose(lead_of(views, Lead.AVF), (two + three) / 2, atol=1e-3)


def test_turn_changes_the_leads(banded: Signals) -> None:
    turned = drawn(banded, ViewSettings(**{**vars(STILL), "turn_deg": 30.0}))
    assert np.abs(turned[:, 1500:, 0] - drawn(banded, STILL)[:, 1500:, 0]).max() > 0.05
