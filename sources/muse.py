"""MUSE XML (GE HealthCare) as a recording: eight leads as 16-bit samples, usually 4.88 µV each."""

import base64
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared_preproc.decoders.stored import unsupported
from shared_preproc.errors import PreprocError
from shared_preproc.leads import Lead
from sources.recorded import LEAD_NAMES, MILLIVOLT, recording_of
from sources.refusals import damaged, not_installed
from sources.source import RecordingSource

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["MOST_TAGS", "read_muse_xml"]

MOST_TAGS = 100_000
"""Of an XML document; real ones have a few thousand."""

_WHAT = "a MUSE XML document"


def read_muse_xml(data: bytes) -> RecordingSource:
    """Read the rhythm waveform of a MUSE XML document.

    Raises:
        UnsupportedFormatError: defusedxml is not installed, or the document is not of a 12-lead resting ECG.
        UndecodableImageError: it cannot be parsed.
    """
    if find_spec("defusedxml") is None:
        raise not_installed(_WHAT, "signals")
    from defusedxml import DefusedXmlException  # noqa: PLC0415 - an optional dependency
    from defusedxml.ElementTree import fromstring  # noqa: PLC0415

    if data.count(b"<") > MOST_TAGS:
        raise unsupported(f"{_WHAT} of more than {MOST_TAGS} tags", "one resting ECG", "Export the ECG again.")
    try:
        return _rhythm(fromstring(data))
    except PreprocError:
        raise
    except DefusedXmlException as error:
        raise unsupported("an XML document that declares entities", "one without", "Export the ECG again.") from error
    except (SyntaxError, LookupError, ValueError, TypeError, ArithmeticError) as error:  # what hostile bytes lead to
        raise damaged(_WHAT) from error


def _rhythm(root: "Element") -> RecordingSource:
    waveforms = [one for one in root.iter("Waveform") if _text(one, "WaveformType").casefold() == "rhythm"]
    if not waveforms:
        raise unsupported(f"{_WHAT} without a rhythm waveform", "one with it", "Export the ECG with its waveforms.")
    waveform = waveforms[0]
    rate_hz = float(_text(waveform, "SampleBase")) * 10.0 ** int(_text(waveform, "SampleExponent") or 0)
    signals: dict[Lead, NDArray[np.float64]] = {}
    for lead_data in waveform.iter("LeadData"):
        name = _text(lead_data, "LeadID").casefold()
        if name in LEAD_NAMES:
            signals[LEAD_NAMES[name]] = _millivolt(lead_data)
    how = f"{len(signals)} leads of a MUSE XML document at {rate_hz:g} Hz; the others are derived."
    return RecordingSource("muse_xml", recording_of(signals, rate_hz, _WHAT), how)


def _millivolt(lead_data: "Element") -> NDArray[np.float64]:
    unit = _text(lead_data, "LeadAmplitudeUnits").casefold()
    if unit not in MILLIVOLT or _text(lead_data, "LeadSampleSize") not in {"", "2"}:
        raise unsupported(
            f"{_WHAT} in another unit or sample size", "16-bit samples in microvolts", "Export the ECG again."
        )
    samples = np.frombuffer(base64.b64decode(_text(lead_data, "WaveFormData")), "<i2").astype(np.float64)
    return samples * float(_text(lead_data, "LeadAmplitudeUnitsPerBit")) * MILLIVOLT[unit]


def _text(element: "Element", name: str) -> str:
    """The text of the first child of that name; empty where there is none."""
    return (element.findtext(name) or "").strip()
