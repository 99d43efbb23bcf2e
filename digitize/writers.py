"""A digitized page as JSON, CSV or WFDB: pure functions, without files."""

import math
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitize.digitized import Digitized
from shared_preproc.recording import RECORDED_LEADS

__all__ = ["to_csv", "to_json", "to_wfdb"]

_UNITS_PER_MV = 1000.0
_INVALID = -32768  # WFDB's mark in format 16


def to_json(page: Digitized, *, places: bool = False) -> dict[str, Any]:
    """Make a JSON object: facts, and each lead's samples in millivolt from start to end, ``null`` where unread.

    Args:
        page: what was read.
        places: whether each sample's pixel in the picture is given, too.
    """
    leads = []
    for index, facts in enumerate(page.leads):
        inside = slice(round(facts.start_s * page.rate_hz), round(facts.end_s * page.rate_hz))
        lead = asdict(facts) | {"signal_mv": _numbers(page.signal_mv[index, inside], 3)}
        if places:
            lead |= {"x_px": _numbers(page.page_x[index, inside], 1), "y_px": _numbers(page.page_y[index, inside], 1)}
        leads.append(lead)
    strips = [
        {"name": strip.name, "coverage": strip.coverage, "signal_mv": _numbers(strip.signal_mv, 3)}
        for strip in page.strips
    ]
    return {
        "layout": page.layout,
        "runner_up": {"layout": page.runner_up[0], "share": round(page.runner_up[1], 3)},
        "rate_hz": page.rate_hz,
        "scale": asdict(page.scale),
        "checks": asdict(page.checks),
        "doubts": list(page.doubts),
        "leads": leads,
        "strips": strips,
    }


def to_csv(page: Digitized) -> str:
    """Make a table: seconds, then the twelve leads in millivolt; empty where nothing is printed or readable."""
    lines = [",".join(["time_s", *map(str, RECORDED_LEADS)])]
    for number, row in enumerate(page.signal_mv.T.tolist()):
        cells = ["" if math.isnan(value) else f"{value:.3f}" for value in row]
        lines.append(",".join([f"{number / page.rate_hz:.3f}", *cells]))
    return "\n".join(lines) + "\n"


def to_wfdb(page: Digitized, name: str) -> dict[str, bytes]:
    """Make a WFDB record: its header and its signal file (format 16), by file name.

    Args:
        page: what was read.
        name: of the record: letters, digits and underscores.
    """
    if not name.replace("_", "").isalnum():
        raise ValueError(f"the record name {name!r} has other characters than letters, digits and underscores")
    filled = np.nan_to_num(page.signal_mv * _UNITS_PER_MV, nan=_INVALID)
    units = np.where(np.isnan(page.signal_mv), _INVALID, np.clip(np.rint(filled), -32767, 32767)).astype("<i2")
    lines = [f"{name} {len(units)} {page.rate_hz:g} {units.shape[1]}"]
    for lead, samples in zip(RECORDED_LEADS, units, strict=True):
        checksum = int(samples.astype(np.int64).sum()) & 0xFFFF
        signed = checksum - 0x10000 if checksum >= 0x8000 else checksum  # noqa: PLR2004 - 16 bits
        lines.append(f"{name}.dat 16 {_UNITS_PER_MV:g}(0)/mV 16 0 {samples[0]} {signed} 0 {lead}")
    return {f"{name}.hea": ("\n".join(lines) + "\n").encode("ascii"), f"{name}.dat": units.T.tobytes()}


def _numbers(values: NDArray[np.float32], digits: int) -> list[float | None]:
    return [None if math.isnan(value) else round(value, digits) for value in values.tolist()]
