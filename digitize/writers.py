"""A recording as CSV or WFDB: pure functions, without files."""

import math

import numpy as np

from shared_preproc.recording import RECORDED_LEADS, Recording

__all__ = ["to_csv", "to_wfdb"]

_UNITS_PER_MV = 1000.0
_INVALID = -32768  # WFDB's mark in format 16


def to_csv(recording: Recording) -> str:
    """Make a table: seconds, then the twelve leads in millivolt; empty where nothing was recorded."""
    lines = [",".join(["time_s", *map(str, RECORDED_LEADS)])]
    for number, row in enumerate(recording.signal_mv.T.tolist()):
        cells = ["" if math.isnan(value) else f"{value:.3f}" for value in row]
        lines.append(",".join([f"{number / recording.rate_hz:.3f}", *cells]))
    return "\n".join(lines) + "\n"


def to_wfdb(recording: Recording, name: str) -> dict[str, bytes]:
    """Make a WFDB record: its header and its signal file (format 16), by file name.

    Args:
        recording: twelve leads; samples beyond 32 mV are cut off there.
        name: of the record: letters, digits and underscores.
    """
    if not name.replace("_", "").isalnum():
        raise ValueError(f"the record name {name!r} has other characters than letters, digits and underscores")
    filled = np.nan_to_num(recording.signal_mv * _UNITS_PER_MV, nan=_INVALID)
    units = np.where(np.isnan(recording.signal_mv), _INVALID, np.clip(np.rint(filled), -32767, 32767)).astype("<i2")
    lines = [f"{name} {len(units)} {recording.rate_hz:g} {units.shape[1]}"]
    for lead, samples in zip(RECORDED_LEADS, units, strict=True):
        checksum = int(samples.astype(np.int64).sum()) & 0xFFFF
        signed = checksum - 0x10000 if checksum >= 0x8000 else checksum  # noqa: PLR2004 - 16 bits
        lines.append(f"{name}.dat 16 {_UNITS_PER_MV:g}(0)/mV 16 0 {samples[0]} {signed} 0 {lead}")
    return {f"{name}.hea": ("\n".join(lines) + "\n").encode("ascii"), f"{name}.dat": units.T.tobytes()}
