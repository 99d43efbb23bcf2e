"""DICOM objects: pictures, documents and waveforms, written with pydicom."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmwrite
from pydicom.data import get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEGBaseline8Bit, generate_uid

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"
GENERAL_ECG = "1.2.840.10008.5.1.4.1.1.9.1.2"
CANARY = "CANARY^NAME"
LEAD_NUMBERS = (1, 2, 61, 62, 63, 64, 3, 4, 5, 6, 7, 8)


def shipped_waveform() -> bytes:
    """The 12-lead ECG that comes with pydicom."""
    path = get_testdata_file("waveform_ecg.dcm")
    assert isinstance(path, str)
    with open(path, "rb") as file:  # noqa: PTH123 - pydicom gives a string
        return file.read()


def written(dataset: Dataset, sop_class: str, syntax: UID = ExplicitVRLittleEndian) -> bytes:
    """The bytes of a file that holds ``dataset``."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = UID(sop_class)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.PatientName = CANARY
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def jpeg_capture(jpeg: bytes, size_px: tuple[int, int]) -> bytes:
    """A Secondary Capture of one JPEG Baseline frame."""
    dataset = _picture(size_px, "YBR_FULL_422", 3)
    dataset.PixelData = encapsulate([jpeg])
    dataset["PixelData"].VR = "OB"
    return written(dataset, SECONDARY_CAPTURE, JPEGBaseline8Bit)


def native_capture(pixels: NDArray[np.uint8], photometric: str, *, planar: bool = False) -> bytes:
    """A Secondary Capture of uncompressed pixels, (rows, columns) or (rows, columns, 3)."""
    rows, columns = pixels.shape[:2]
    dataset = _picture((columns, rows), photometric, pixels.ndim if pixels.ndim == 3 else 1)
    if pixels.ndim == 3:
        dataset.PlanarConfiguration = int(planar)
    data = (np.moveaxis(pixels, 2, 0) if planar else pixels).tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OB"
    return written(dataset, SECONDARY_CAPTURE)


def encapsulated_pdf(document: bytes) -> bytes:
    """An Encapsulated PDF, padded to an even length."""
    dataset = Dataset()
    dataset.MIMETypeOfEncapsulatedDocument = "application/pdf"
    dataset.EncapsulatedDocumentLength = len(document)
    dataset.EncapsulatedDocument = document + b"\0" * (len(document) % 2)
    return written(dataset, ENCAPSULATED_PDF)


@dataclass(frozen=True)
class Scale:
    """What turns stored samples into a voltage."""

    sensitivity: float = 2.5
    correction: float = 2.0
    baseline: float = 100.0
    unit: str = "uV"


def waveform(
    raw: NDArray[np.int16], scale: Scale = Scale(), *, scheme: str = "SCPECG", median_first: bool = False
) -> bytes:
    """A General ECG of ``raw`` (12, samples) at 500 Hz, leads in our order.

    Codes and units end in NUL, as some carts write them.
    """
    group = Dataset()
    group.MultiplexGroupLabel = "RHYTHM"
    group.WaveformOriginality = "ORIGINAL"
    group.NumberOfWaveformChannels, group.NumberOfWaveformSamples = raw.shape
    group.SamplingFrequency = 500
    group.WaveformBitsAllocated = 16
    group.WaveformSampleInterpretation = "SS"
    group.WaveformData = raw.T.astype("<i2").tobytes()
    prefix = {"SCPECG": "5.6.3-9-", "MDC": "2:"}[scheme]
    channels = []
    for number in LEAD_NUMBERS:
        channel, source, units = Dataset(), Dataset(), Dataset()
        source.CodeValue, source.CodingSchemeDesignator, source.CodeMeaning = f"{prefix}{number}\0", scheme, "Lead"
        units.CodeValue, units.CodingSchemeDesignator, units.CodeMeaning = f"{scale.unit}\0", "UCUM", "voltage"
        channel.ChannelSourceSequence = Sequence([source])
        channel.ChannelSensitivity = scale.sensitivity
        channel.ChannelSensitivityCorrectionFactor = scale.correction
        channel.ChannelSensitivityUnitsSequence = Sequence([units])
        channel.ChannelBaseline = scale.baseline
        channel.WaveformBitsStored = 16
        channels.append(channel)
    group.ChannelDefinitionSequence = Sequence(channels)
    groups = [group]
    if median_first:
        median = Dataset()
        median.MultiplexGroupLabel = "MEDIAN BEAT"
        median.NumberOfWaveformSamples = 10**6
        groups.insert(0, median)
    dataset = Dataset()
    dataset.WaveformSequence = Sequence(groups)
    return written(dataset, GENERAL_ECG)


def _picture(size_px: tuple[int, int], photometric: str, channels: int) -> Dataset:
    dataset = Dataset()
    dataset.Columns, dataset.Rows = size_px
    dataset.PhotometricInterpretation = photometric
    dataset.SamplesPerPixel = channels
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    return dataset
