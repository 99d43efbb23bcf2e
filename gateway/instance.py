"""A received DICOM object: its bytes as they came, and what of it a result has to repeat.

Real files break the standard, so attributes are read leniently. What is not valid is left out of results.
"""

import hashlib
import io
import re
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from pydicom import Dataset, config, dcmread
from pydicom.datadict import dictionary_VR
from pydicom.uid import (
    UID,
    EncapsulatedPDFStorage,
    GeneralECGWaveformStorage,
    SecondaryCaptureImageStorage,
    TwelveLeadECGWaveformStorage,
)
from pydicom.valuerep import validate_value

from gateway.errors import NoEcgError, UnusableInstanceError

__all__ = ["ECG_CLASSES", "MANUFACTURER", "MODEL_NAME", "Instance", "read_instance"]

ECG_CLASSES = (
    SecondaryCaptureImageStorage,
    EncapsulatedPDFStorage,
    TwelveLeadECGWaveformStorage,
    GeneralECGWaveformStorage,
)
"""SOP classes that can hold an ECG."""
MANUFACTURER = "ECG report classifier project"
MODEL_NAME = "ECG report classifier"
"""Manufacturer's model name of our results, by which a gateway knows them."""

_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
_UID = re.compile(r"[\d.]{1,64}")
_TEXTS = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "StudyDescription",
    "AccessionNumber",
    "ReferringPhysicianName",
)
_SEXES = ("M", "F", "O", "")
_ORDER = "PlacerOrderNumberImagingServiceRequest"
_TYPE_2 = set(_TEXTS) - {"IssuerOfPatientID", "StudyDescription"}  # present in every result, if only empty


@dataclass(frozen=True, eq=False)
class Instance:
    """One object.

    Attributes:
        data: the file (PS3.10), every byte as received.
        header: patient, study and identity of the object, valid and in UTF-8.
        order_number: the placer's order, or else the accession number; may be empty.
        is_result: whether a gateway wrote it.
    """

    data: bytes
    header: Dataset
    order_number: str
    is_result: bool

    @property
    def key(self) -> str:
        """Its name in spool, log and Idempotency-Key: SHA-256 of the SOP Instance UID, hexadecimal."""
        return hashlib.sha256(self.header.SOPInstanceUID.encode()).hexdigest()

    def result_uid(self, kind: str) -> UID:
        """The UID of a result of this object, the same whenever it is asked for."""
        return UID(f"2.25.{uuid5(NAMESPACE_OID, f'{kind}:{self.header.SOPInstanceUID}').int}")

    def result_attributes(self, kind: str, series_number: int) -> dict[str, Any]:
        """What highdicom has to know of each result: the one instance of a series of its own, and its maker."""
        return {
            "series_instance_uid": self.result_uid(f"{kind}-series"),
            "series_number": series_number,
            "series_description": "ECG classification, preliminary",
            "sop_instance_uid": self.result_uid(kind),
            "instance_number": 1,
            "manufacturer": MANUFACTURER,
            "manufacturer_model_name": MODEL_NAME,
            "specific_character_set": "ISO_IR 192",
        }


def read_instance(data: bytes) -> Instance:
    """Read the header of one DICOM file.

    Raises:
        UnusableInstanceError: it cannot be parsed, or lacks a UID that its results need.
        NoEcgError: it is of another SOP class than `ECG_CLASSES`.
    """
    # Values are checked below; a study's own UIDs are repeated even if they break the standard.
    config.settings.reading_validation_mode = config.settings.writing_validation_mode = config.IGNORE
    try:
        found = dcmread(
            io.BytesIO(data),
            stop_before_pixels=True,
            specific_tags=[*_UIDS, *_TEXTS, _ORDER, "ManufacturerModelName"],
        )
        values = {name: _text(found, name) for name in (*_UIDS, *_TEXTS, _ORDER, "ManufacturerModelName")}
    except Exception as error:  # pydicom raises nearly anything on hostile bytes
        raise UnusableInstanceError("the object cannot be parsed as DICOM") from error
    for name in _UIDS:
        if not _UID.fullmatch(values[name]):
            raise UnusableInstanceError(f"the object has no usable {name}")
    if values["SOPClassUID"] not in ECG_CLASSES:
        raise NoEcgError("the object is of a SOP class that holds no ECG")
    header = Dataset()
    header.SpecificCharacterSet = "ISO_IR 192"
    for name in (*_UIDS, *_TEXTS):
        if values[name] or name in _TYPE_2:
            setattr(header, name, values[name])
    order_number = values[_ORDER] or values["AccessionNumber"]
    return Instance(data, header, order_number, values["ManufacturerModelName"] == MODEL_NAME)


def _text(found: Dataset, name: str) -> str:
    """An attribute's text, or nothing where its value is not valid."""
    text = str(found.get(name) or "").strip("\0 ")
    if name in _UIDS:
        return text
    try:
        validate_value(dictionary_VR(name), text, config.RAISE)
    except ValueError:
        return ""
    return text if text.isprintable() and (name != "PatientSex" or text in _SEXES) else ""
