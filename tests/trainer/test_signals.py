"""Recordings brought to one rate, one length, one unit and one order of leads."""

import numpy as np
import pytest
from numpy.typing import NDArray

from trainer.errors import DatasetError
from trainer.signals import SignalSet, class_row, conform, recording_sha256, spread


def _sine(rate_hz: float, duration_s: float = 10.0) -> NDArray[np.float64]:
    return np.asarray(np.sin(2 * np.pi * 3 * np.arange(round(duration_s * rate_hz)) / rate_hz))


@pytest.mark.parametrize("rate_hz", [100.0, 125.0, 250.0, 257.0, 500.0, 1000.0])
def test_other_rates_are_resampled(rate_hz: float) -> None:
    signal_mv = conform({"II": _sine(rate_hz)}, rate_hz, {"II": "mV"})[1]
    np.testing.assert_allclose(signal_mv[50:-50], _sine(100)[50:-50], atol=0.01)


@pytest.mark.parametrize(("unit", "factor"), [("uV", 1000), ("mV", 1), ("V", 0.001)])
def test_units_become_mv(unit: str, factor: float) -> None:
    signal_mv = conform({"II": factor * _sine(100)}, 100, {"II": unit})[1]
    np.testing.assert_allclose(signal_mv, _sine(100), atol=1e-6)


def test_leads_are_found_by_name() -> None:
    conformed = conform({"avl": _sine(100), " V6 ": -_sine(100), "RESP": _sine(100)}, 100, {"avl": "mV", " V6 ": "mV"})
    np.testing.assert_allclose(conformed[4], _sine(100), atol=1e-6)
    np.testing.assert_allclose(conformed[11], -_sine(100), atol=1e-6)
    assert np.isnan(np.delete(conformed, (4, 11), axis=0)).all()


def test_long_recording_is_cut_and_short_one_ends_in_nan() -> None:
    assert np.isfinite(conform({"I": _sine(500, 60)}, 500, {"I": "mV"})[0]).all()
    short = conform({"I": _sine(500, 5)}, 500, {"I": "mV"})[0]
    assert np.isfinite(short[:500]).all()
    assert np.isnan(short[500:]).all()


def test_gap_stays_a_gap() -> None:
    signal_mv = _sine(500)
    signal_mv[1000:2000] = np.nan
    conformed = conform({"I": signal_mv}, 500, {"I": "mV"})[0]
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(conformed)), np.arange(200, 400))


@pytest.mark.parametrize(
    ("signals", "rate_hz", "unit", "message"),
    [
        ({"X": _sine(100)}, 100, "mV", "no lead among X"),
        ({"II": _sine(100)}, 100, "adu", "lead II is in 'adu'"),
        ({"II": _sine(100, 2)}, 100, "mV", "has 2.00 s; expected at least 2.5"),
        ({"II": _sine(100)}, 0, "mV", "the sampling rate is 0"),
    ],
)
def test_unusable_recording_is_refused(
    signals: dict[str, NDArray[np.float64]],
    rate_hz: float,
    unit: str,
    message: str,
) -> None:
    with pytest.raises(DatasetError, match=message):
        conform(signals, rate_hz, dict.fromkeys(signals, unit))


def test_unknown_class_is_refused() -> None:
    with pytest.raises(DatasetError, match="unknown class healthy; the classes are abnormal_heartbeat"):
        class_row(["normal", "healthy"])


def test_rows_must_agree_and_ids_be_distinct() -> None:
    signal_mv = np.zeros((2, 12, 1000), np.float32)
    labels = (frozenset({"NORM"}),) * 2
    classes = np.stack([class_row(["normal"])] * 2)
    with pytest.raises(DatasetError, match=r"have \[1, 2\] rows"):
        SignalSet("set", ("a",), ("p", "q"), signal_mv, labels, classes)
    with pytest.raises(DatasetError, match="two recordings have the id a"):
        SignalSet("set", ("a", "a"), ("p", "q"), signal_mv, labels, classes)


def test_limit_spreads_over_all_rows() -> None:
    assert spread(5, None).tolist() == [0, 1, 2, 3, 4]
    assert spread(5, 9).tolist() == [0, 1, 2, 3, 4]
    assert spread(101, 3).tolist() == [0, 50, 100]


def test_checksum_is_of_microvolts() -> None:
    signal_mv = conform({"II": _sine(100)}, 100, {"II": "mV"})
    assert recording_sha256(signal_mv) == recording_sha256((signal_mv + 1e-5).astype(np.float32))
    assert recording_sha256(signal_mv) != recording_sha256((signal_mv + 2e-3).astype(np.float32))
