"""A result as one page that people read: a Secondary Capture in the study of its ECG.

The page shows nothing of the patient: viewers show that beside it, from the attributes.
"""

from textwrap import wrap

import numpy as np
from highdicom.sc import SCImage
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from gateway.answer import Answer, Refusal
from gateway.instance import MODEL_NAME, Instance
from gateway.report import NON_DIAGNOSTIC

__all__ = ["result_page"]

_WIDTH_PX = 1000
_MARGIN_PX = 60
_COLUMNS = 72
_SERIES_NUMBER = 9002
_HEADING, _BODY = 40, 24


def result_page(instance: Instance, said: Answer | Refusal) -> Dataset:
    """Draw the page of one ECG; its UIDs depend on the ECG's SOP Instance UID alone."""
    header = instance.header
    page = SCImage(
        pixel_array=_drawn(said),
        photometric_interpretation="MONOCHROME2",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=("L", "F"),  # which highdicom asks for
        study_instance_uid=header.StudyInstanceUID,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        **instance.result_attributes("page", _SERIES_NUMBER),
    )
    page.copy_patient_and_study_information(header)
    page.PatientOrientation = []  # a page of words has none
    page.BodyPartExamined = "HEART"
    page.BurnedInAnnotation = "NO"
    return page


def _drawn(said: Answer | Refusal) -> NDArray[np.uint8]:
    lines = _lines(said)
    height_px = 2 * _MARGIN_PX + sum(size * 3 // 2 for size, _ in lines)
    page = Image.new("L", (_WIDTH_PX, max(_WIDTH_PX, height_px)), 255)
    draw, y = ImageDraw.Draw(page), _MARGIN_PX
    for size, line in lines:
        draw.text((_MARGIN_PX, y), line, 0, ImageFont.load_default(size))
        y += size * 3 // 2
    return np.asarray(page)


def _lines(said: Answer | Refusal) -> list[tuple[int, str]]:
    """Each line with its size in pixels."""
    lines = [(_HEADING, "Preliminary ECG result"), (_BODY, "Made by software. Not confirmed by a person."), (_BODY, "")]
    if isinstance(said, Refusal):
        lines.append((_HEADING, NON_DIAGNOSTIC.meaning))
        return lines + [(_BODY, line) for text in (said.title, said.reason, said.remedy) for line in _wrapped(text)]
    lines.append((_HEADING, said.finding.meaning if said.finding else "A person has to look at the ECG"))
    lines += [(_BODY, line) for line in _wrapped(said.text)] + [(_BODY, "Probabilities")]
    lines += [(_BODY, f"{probability:.2f}   {code.meaning}") for code, probability in said.probabilities.items()]
    if said.heart_rate_bpm is not None:
        lines.append((_BODY, f"Heart rate {said.heart_rate_bpm:.0f} /min"))
    return [*lines, (_BODY, ""), (_BODY, f"{MODEL_NAME} {' '.join(said.versions)}")]


def _wrapped(text: str) -> list[str]:
    return [*wrap(text, _COLUMNS), ""]
