"""WFDB records and Philips XML as recordings; their parsers run in a disposable process."""

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np

from shared_preproc.decoders.stored import unsupported
from shared_preproc.leads import Lead
from sources.disposable import Limits, run_disposable
from sources.recorded import LEAD_NAMES, MILLIVOLT, recording_of
from sources.refusals import damaged, not_installed
from sources.source import RecordingSource

__all__ = ["read_philips_xml", "read_wfdb"]

_PROCESS = Path(__file__).with_name("signal_process.py")
_LIMITS = Limits(cpu_s=10, address_space_bytes=1792 * 2**20)  # wfdb alone takes a second and maps 1.4 GB


def read_wfdb(data: bytes) -> RecordingSource:
    """Read a zip file of one WFDB record: its `.hea` and the signal files that this names.

    Raises:
        UnsupportedFormatError: wfdb is not installed, or the zip file is not of one 12-lead record.
        UndecodableImageError: the record cannot be read.
    """
    return _read(data, "wfdb", "wfdb", "a WFDB record")


def read_philips_xml(data: bytes) -> RecordingSource:
    """Read a Philips XML document, versions 1.03 and 1.04.

    Raises:
        UnsupportedFormatError: sierraecg is not installed, or the document is not of a 12-lead ECG.
        UndecodableImageError: sierraecg cannot read it.
    """
    return _read(data, "philips_xml", "sierraecg", "a Philips XML document")


def _read(data: bytes, kind: Literal["wfdb", "philips_xml"], package: str, what: str) -> RecordingSource:
    if find_spec(package) is None:
        raise not_installed(what, "signals")
    header, payload = run_disposable(_PROCESS, data, kind, what=what, limits=_LIMITS)
    if "refused" in header:
        raise unsupported(f"{what} {header['refused']}", header["expected"], "Pack or export the record again.")
    if "damaged" in header:
        raise damaged(what)
    names, units = header["names"], header["units"]
    samples = np.frombuffer(payload, "<f8").reshape(len(names), -1)
    signals: dict[Lead, np.ndarray] = {}
    for name, unit, row in zip(names, units, samples, strict=True):
        lead = LEAD_NAMES.get(name.strip().casefold())
        if lead is None:
            continue
        factor = MILLIVOLT.get(unit.strip().casefold())
        if factor is None:
            raise unsupported(
                f"{what} whose lead {lead} is in no voltage", "nV, uV, mV or V", "Export the record again."
            )
        signals[lead] = row * factor
    recording = recording_of(signals, float(header["rate_hz"]), what)
    return RecordingSource(kind, recording, f"{len(signals)} leads of {what} at {recording.rate_hz:g} Hz.")
