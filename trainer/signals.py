"""Labelled twelve-lead recordings in memory, on one clock and in one order of leads."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from shared_preproc.recording import RECORDED_LEADS
from trainer.classes import CLASS_NAMES
from trainer.errors import DatasetError

__all__ = ["DURATION_S", "RATE_HZ", "SignalSet", "class_row", "conform", "recording_sha256", "spread"]

RATE_HZ = 100.0
DURATION_S = 10.0
_SHORTEST_S = 2.5  # one column of the page
_LARGEST_DENOMINATOR = 1000
_MILLIVOLT = {"nV": 1e-6, "uV": 1e-3, "µV": 1e-3, "μV": 1e-3, "mV": 1.0, "V": 1e3}

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class SignalSet:
    """Recordings with their labels, one row each.

    Raises:
        DatasetError: the fields do not have one row for each recording, or two recordings share an id.
    """

    name: str
    ids: tuple[str, ...]
    patients: tuple[str, ...]
    """What stays on one side of a split."""
    signal_mv: Floats
    """(recordings, 12, 1000) millivolt at `RATE_HZ`, leads as `RECORDED_LEADS`; NaN where nothing was recorded."""
    statements: tuple[frozenset[str], ...]
    """Codes of what each recording shows: SCP-ECG statements and the superclasses NORM MI STTC CD HYP."""
    classes: NDArray[np.bool_]
    """(recordings, 4) which of `CLASS_NAMES` is a right answer; none: the recording is not judged by class."""
    rate_hz: float = RATE_HZ

    def __post_init__(self) -> None:
        rows = {len(self.ids), len(self.patients), len(self.signal_mv), len(self.statements), len(self.classes)}
        if len(rows) > 1:
            raise DatasetError(f"{self.name}: ids, patients, signals and labels have {sorted(rows)} rows; expected one")
        if len(set(self.ids)) < len(self.ids):
            twice = next(name for name in self.ids if self.ids.count(name) > 1)
            raise DatasetError(f"{self.name}: two recordings have the id {twice}; give each its own")

    def __len__(self) -> int:
        return len(self.ids)


def class_row(names: Sequence[str]) -> NDArray[np.bool_]:
    """Mark the named classes: bool (4,) in the order of `CLASS_NAMES`.

    Raises:
        DatasetError: a name is not a class.
    """
    if unknown := sorted(set(names) - set(CLASS_NAMES)):
        raise DatasetError(f"unknown class {', '.join(unknown)}; the classes are {', '.join(CLASS_NAMES)}")
    return np.array([name in names for name in CLASS_NAMES])


def conform(signals: Mapping[str, NDArray[np.floating]], rate_hz: float, units: Mapping[str, str]) -> Floats:
    """Bring one recording to `RATE_HZ`, `DURATION_S`, millivolt and the order of `RECORDED_LEADS`.

    A longer recording is cut, a shorter one ends in NaN, a missing lead is NaN. Resampling is polyphase.

    Args:
        signals: samples by lead name, in any case (``AVR``, ``aVR``); other names are left out.
        rate_hz: samples a second.
        units: unit by the same names: nV, uV, mV or V.

    Returns:
        float32 (12, 1000).

    Raises:
        DatasetError: no lead is known, a unit is not a voltage, or the recording is too short.
    """
    known = {lead.casefold(): lead for lead in RECORDED_LEADS}
    found = {known[name.strip().casefold()]: name for name in signals if name.strip().casefold() in known}
    if not found:
        raise DatasetError(f"no lead among {', '.join(signals)}; expected names such as {', '.join(RECORDED_LEADS)}")
    if not rate_hz > 0:
        raise DatasetError(f"the sampling rate is {rate_hz}; expected a positive number of samples a second")
    conformed = np.full((len(RECORDED_LEADS), round(DURATION_S * RATE_HZ)), np.nan, np.float32)
    for row, lead in enumerate(RECORDED_LEADS):
        if lead in found:
            name = found[lead]
            samples = _resampled(np.asarray(signals[name], np.float64) * _factor(units[name], name), rate_hz)
            conformed[row, : len(samples)] = samples[: conformed.shape[1]]
    return conformed


def recording_sha256(signal_mv: Floats) -> str:
    """Give the SHA-256 (hex) of one recording in whole microvolts: the same however it is stored.

    A bundle's `training-pages.sha256` may list it, so that a validation can say what the bundle was trained on.
    ``signal_mv`` is (12, samples).
    """
    limits = np.iinfo(np.int16)
    signal_uv = np.clip(np.round(signal_mv.astype(np.float64) * 1000), limits.min + 1, limits.max)
    return hashlib.sha256(np.nan_to_num(signal_uv, nan=limits.min).astype("<i2").tobytes()).hexdigest()


def spread(count: int, limit: int | None) -> NDArray[np.int64]:
    """Choose ``limit`` of ``count`` rows, evenly over all of them; every row where there is no limit."""
    if limit is None or limit >= count:
        return np.arange(count)
    return np.linspace(0, count - 1, limit).round().astype(np.int64)


def _factor(unit: str, name: str) -> float:
    try:
        return _MILLIVOLT[unit.strip()]
    except KeyError:
        raise DatasetError(f"lead {name} is in {unit!r}; expected one of {', '.join(_MILLIVOLT)}") from None


def _resampled(signal_mv: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:
    """One lead at `RATE_HZ`; a gap (NaN) stays one."""
    if len(signal_mv) < _SHORTEST_S * rate_hz:
        raise DatasetError(
            f"the recording has {len(signal_mv) / rate_hz:.2f} s; expected at least {_SHORTEST_S} s, best {DURATION_S}"
        )
    signal_mv = signal_mv[: round((DURATION_S + 1) * rate_hz)]
    ratio = Fraction(RATE_HZ / rate_hz).limit_denominator(_LARGEST_DENOMINATOR)
    if ratio == 1:
        return signal_mv
    gap = np.isnan(signal_mv)
    resampled = np.asarray(resample_poly(np.where(gap, 0.0, signal_mv), ratio.numerator, ratio.denominator))
    if gap.any():
        nearest = np.minimum(np.round(np.arange(len(resampled)) * rate_hz / RATE_HZ).astype(int), len(gap) - 1)
        resampled[gap[nearest]] = np.nan
    return resampled
