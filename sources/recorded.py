"""Named signals to a twelve-lead `Recording`."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shared_preproc.decoders.stored import unsupported
from shared_preproc.leads import Lead
from shared_preproc.recording import RECORDED_LEADS, Recording

__all__ = ["LEAD_NAMES", "MILLIVOLT", "recording_of"]

DURATION_S = 10.0
_LEAST_S = 9.5  # the last column of a page begins at 7.5 s
_RATES_HZ = (50.0, 20_000.0)
_MOST_RANGE_MV = 300.0  # microvolt taken for millivolt exceed it
_INDEPENDENT = tuple(lead for lead in RECORDED_LEADS if lead in {Lead.I, Lead.II} or lead.startswith("V"))

Floats = NDArray[np.float64]

LEAD_NAMES: Mapping[str, Lead] = {lead.casefold(): lead for lead in RECORDED_LEADS}
"""Lead by its name in small letters."""

MILLIVOLT: Mapping[str, float] = {
    "nv": 1e-6,
    "uv": 1e-3,
    "µv": 1e-3,  # micro sign
    "μv": 1e-3,  # Greek mu
    "microvolt": 1e-3,
    "microvolts": 1e-3,
    "mv": 1.0,
    "millivolt": 1.0,
    "millivolts": 1.0,
    "v": 1e3,
}
"""Millivolt in a unit, by its name in small letters."""


def recording_of(signals_mv: Mapping[Lead, Floats], rate_hz: float, what: str) -> Recording:
    """Arrange signals on one clock: the first 10 s of twelve leads.

    III = II - I, aVR = -(I + II) / 2, aVL = I - II / 2 and aVF = II - I / 2 are added where they are not recorded
    (Einthoven 1913, Goldberger 1942).

    Args:
        signals_mv: float64 (samples,) in millivolt, NaN where nothing was recorded.
        rate_hz: samples a second.
        what: names the file in messages, "a DICOM waveform".

    Raises:
        UnsupportedFormatError: leads are missing or of different lengths, too short, or beyond any voltage of a heart.
    """
    if missing := [lead for lead in _INDEPENDENT if lead not in signals_mv]:
        raise _refused(f"{what} without {', '.join(missing)}")
    lengths = {len(signal_mv) for signal_mv in signals_mv.values()}
    if len(lengths) > 1:
        raise _refused(f"{what} whose leads have different lengths")
    if not _RATES_HZ[0] <= rate_hz <= _RATES_HZ[1]:
        raise _refused(f"{what} of {rate_hz:g} samples a second")
    (samples,) = lengths
    if samples < _LEAST_S * rate_hz:
        raise _refused(f"{what} of {samples / rate_hz:.1f} s")
    first, second = signals_mv[Lead.I], signals_mv[Lead.II]
    derived = {
        Lead.III: second - first,
        Lead.AVR: -(first + second) / 2,
        Lead.AVL: first - second / 2,
        Lead.AVF: second - first / 2,
    }
    by_lead = {**derived, **signals_mv}
    signal_mv = np.stack([by_lead[lead][: round(DURATION_S * rate_hz)] for lead in RECORDED_LEADS])
    recorded = signal_mv[~np.isnan(signal_mv)]
    if not recorded.size:
        raise _refused(f"{what} in which nothing is recorded")
    if not np.ptp(recorded) <= _MOST_RANGE_MV:
        raise _refused(f"{what} over a range of {np.ptp(recorded):.0f} mV")
    return Recording(signal_mv, rate_hz)


def _refused(found: str) -> Exception:
    return unsupported(
        found,
        "ten seconds of twelve leads in a voltage, or of I, II and V1 to V6, at 50 to 20,000 samples a second",
        "Export the whole resting ECG from its source system.",
    )
