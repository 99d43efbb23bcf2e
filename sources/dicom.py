"""DICOM objects: the picture, PDF or waveform inside.

An object is taken by what it holds, not by its SOP class, as real files break the standard. Sections are those of
DICOM PS3.3 2025.
"""

import io
import logging
import re
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared_preproc.decoders.stored import unsupported
from shared_preproc.errors import PreprocError
from shared_preproc.leads import Lead
from sources.pdf import read_pdf
from sources.recorded import LEAD_NAMES, MILLIVOLT, recording_of
from sources.refusals import damaged, not_installed
from sources.source import ImageSource, RecordingSource, Source

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.tag import BaseTag

__all__ = ["read_dicom"]

_PREAMBLE_BYTES = 132
_MOST_READS = 100_000  # of the file; an element takes two to four
_META_GROUP = 2  # file meta information: PS3.10, 7.1
_JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
_UNCOMPRESSED = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")
_PDF = "application/pdf"
_EXPECTED = "Secondary Capture (one frame, 8 bits, JPEG Baseline or uncompressed), Encapsulated PDF or ECG Waveform"
_EXPORT = "Export the ECG as one of these, or send the page as JPEG or PNG."
_RHYTHM, _MEDIAN = "RHYTHM", "MEDIAN"
# The number that ends SCPECG codes (5.6.3-9-1) and MDC codes (2:1) of leads: PS3.16, CID 3001.
_BY_NUMBER = {
    1: Lead.I,
    2: Lead.II,
    3: Lead.V1,
    4: Lead.V2,
    5: Lead.V3,
    6: Lead.V4,
    7: Lead.V5,
    8: Lead.V6,
    61: Lead.III,
    62: Lead.AVR,
    63: Lead.AVL,
    64: Lead.AVF,
}
_NUMBERED = re.compile(r"(?:5\.6\.3-9-|2:)(\d+)")
_NAMED = re.compile(r"(?<![-\u2212\w])(aV[RLF]|V[1-6]|I{1,3})(?!\w)", re.IGNORECASE)

Floats = NDArray[np.float64]


def read_dicom(data: bytes) -> Source:
    """Read one DICOM object with its file header (PS3.10).

    Raises:
        UnsupportedFormatError: pydicom is not installed, or the object holds nothing that is taken here.
        UndecodableImageError: it cannot be parsed.
    """
    if find_spec("pydicom") is None:
        raise not_installed("a DICOM object", "dicom")
    try:
        return _read(data)
    except PreprocError:
        raise
    except (
        Exception
    ) as error:  # pydicom raises nearly anything on hostile bytes: KeyError, struct.error, RecursionError
        raise damaged("a DICOM object") from error


def _read(data: bytes) -> Source:
    dataset, syntax = _dataset(data)
    if "WaveformSequence" in dataset:
        return _waveform(dataset)
    if "EncapsulatedDocument" in dataset:
        return _document(dataset)
    if "PixelData" in dataset:
        return _picture(dataset, syntax)
    raise unsupported("a DICOM object without waveform, document or picture", _EXPECTED, _EXPORT)


class _BoundedFile(io.BytesIO):
    """A file of which only so many pieces are read: millions of empty elements take minutes."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > _MOST_READS:
            raise ValueError("more elements than any ECG has")
        return super().read(size)


def _dataset(data: bytes) -> tuple["Dataset", str]:
    """The object and its transfer syntax, which is known before anything is inflated."""
    from pydicom import config, dcmread  # noqa: PLC0415 - an optional dependency, and 0.3 s
    from pydicom.filereader import read_dataset  # noqa: PLC0415

    # Warnings and log lines quote values, which may be a patient's.
    config.settings.reading_validation_mode = config.IGNORE
    logging.getLogger("pydicom").disabled = True
    warnings.filterwarnings("ignore", module=r"pydicom\.")

    def beyond_meta(tag: "BaseTag", _vr: str | None, _length: int) -> bool:
        return tag.group != _META_GROUP

    file = _BoundedFile(data)
    file.seek(_PREAMBLE_BYTES)
    meta = read_dataset(file, is_implicit_VR=False, is_little_endian=True, stop_when=beyond_meta)
    syntax = str(meta.get("TransferSyntaxUID", _UNCOMPRESSED[0]))
    if syntax not in {_JPEG_BASELINE, *_UNCOMPRESSED}:
        raise unsupported(f"a DICOM object in the transfer syntax {_printable(syntax)}", _EXPECTED, _EXPORT)
    file.seek(0)
    return dcmread(file), syntax


def _printable(uid: str) -> str:
    return uid[:64] if re.fullmatch(r"[\d.]{1,64}", uid) else "of an invalid UID"


# --- pictures and documents -----------------------------------------------------------------------------------------


def _picture(dataset: "Dataset", syntax: str) -> ImageSource:
    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames != 1:
        raise unsupported(f"a DICOM picture of {frames} frames", _EXPECTED, _EXPORT)
    if syntax == _JPEG_BASELINE:
        from pydicom.encaps import get_frame  # noqa: PLC0415 - as above

        frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
        end = frame.rfind(b"\xff\xd9")  # what pads it to an even length is not the picture's
        return ImageSource(
            "dicom_image", frame[: end + 2] if end > 0 else frame, "The JPEG of a DICOM Secondary Capture."
        )
    bits, kind = int(dataset.BitsAllocated), str(dataset.PhotometricInterpretation).strip("\0 ")
    if bits != 8 or kind not in {"RGB", "MONOCHROME1", "MONOCHROME2"}:  # noqa: PLR2004
        raise unsupported(f"a DICOM picture of {bits} bits, {kind[:16]}", _EXPECTED, _EXPORT)
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    channels = 3 if kind == "RGB" else 1
    pixels = np.frombuffer(dataset.PixelData, np.uint8)[: rows * columns * channels]
    if channels == 1:
        gray = pixels.reshape(rows, columns)
        gray = 255 - gray if kind == "MONOCHROME1" else gray
    elif int(dataset.get("PlanarConfiguration") or 0):
        gray = _luma(np.moveaxis(pixels.reshape(channels, rows, columns), 0, 2))
    else:
        gray = _luma(pixels.reshape(rows, columns, channels))
    return ImageSource("dicom_image", gray, f"The pixels of a DICOM Secondary Capture, {kind}.")


def _luma(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(np.ascontiguousarray(rgb)).convert("L"))


def _document(dataset: "Dataset") -> Source:
    kind = str(dataset.get("MIMETypeOfEncapsulatedDocument", "")).strip("\0 ").casefold()
    if kind != _PDF:
        raise unsupported("a DICOM object that encapsulates no PDF", _EXPECTED, _EXPORT)
    document = bytes(dataset.EncapsulatedDocument)
    length = int(dataset.get("EncapsulatedDocumentLength") or len(document))
    return read_pdf(document[:length])


# --- waveforms ------------------------------------------------------------------------------------------------------


def _waveform(dataset: "Dataset") -> RecordingSource:
    """The longest multiplex group that is no median beat: PS3.3, C.10.9."""
    groups = [one for one in enumerate(dataset.WaveformSequence) if _MEDIAN not in _label(one[1])]
    if not groups:
        raise unsupported("a DICOM waveform of median beats only", "the RHYTHM group", _EXPORT)
    place, group = max(groups, key=lambda one: (_label(one[1]) == _RHYTHM, int(one[1].NumberOfWaveformSamples)))
    rate_hz = float(group.SamplingFrequency)
    raw = _samples(dataset, place, group)
    signals: dict[Lead, Floats] = {}
    for channel, samples in zip(group.ChannelDefinitionSequence, raw.T, strict=True):
        lead = _lead(channel)
        if lead is not None:
            signals[lead] = _millivolt(channel, samples)
    recording = recording_of(signals, rate_hz, "a DICOM waveform")
    return RecordingSource(
        "dicom_waveform", recording, f"{len(signals)} channels of a DICOM waveform at {rate_hz:g} Hz."
    )


def _label(group: "Dataset") -> str:
    return str(group.get("MultiplexGroupLabel", "")).strip("\0 ").upper()


def _samples(dataset: "Dataset", place: int, group: "Dataset") -> Floats:
    """Raw samples, float64 (samples, channels); NaN where the group is padded."""
    from pydicom.waveforms.numpy_handler import multiplex_array  # noqa: PLC0415 - as above

    raw = multiplex_array(dataset, place, as_raw=True)
    samples = raw.astype(np.float64)
    padding = group.get("WaveformPaddingValue")
    if padding:
        value = np.frombuffer(padding, raw.dtype)[0] if isinstance(padding, bytes) else int(padding)
        samples[raw == value] = np.nan
    return samples


def _millivolt(channel: "Dataset", samples: Floats) -> Floats:
    """Samples x ChannelSensitivity x its correction factor + ChannelBaseline: C.10.9.1.4."""
    (unit,) = channel.ChannelSensitivityUnitsSequence
    name = str(unit.CodeValue).strip("\0 ").casefold()
    if name not in MILLIVOLT:
        raise unsupported("a DICOM channel in another unit than uV or mV", "a channel in uV or mV", _EXPORT)
    gain = float(channel.ChannelSensitivity) * float(channel.get("ChannelSensitivityCorrectionFactor") or 1)
    return (samples * gain + float(channel.get("ChannelBaseline") or 0)) * MILLIVOLT[name]


def _lead(channel: "Dataset") -> Lead | None:
    """A channel's lead by its code, or else by the words beside it; None: another channel."""
    sources = channel.get("ChannelSourceSequence") or [channel]
    texts = [str(sources[0].get(name) or "").strip("\0 ") for name in ("CodeValue", "CodeMeaning")]
    readers: tuple[Callable[[str], Lead | None], ...] = (_by_code, _by_words)
    return next(
        (
            lead
            for text in (*texts, str(channel.get("ChannelLabel") or ""))
            for read in readers
            if (lead := read(text)) is not None
        ),
        None,
    )


def _by_code(text: str) -> Lead | None:
    match = _NUMBERED.fullmatch(text)
    return None if match is None else _BY_NUMBER.get(int(match[1]))


def _by_words(text: str) -> Lead | None:
    found = {name.casefold() for name in _NAMED.findall(text.replace("_", " "))}
    return LEAD_NAMES[found.pop()] if len(found) == 1 else None
