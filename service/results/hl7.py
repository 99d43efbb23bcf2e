r"""An answer as an HL7 version 2.5.1 message, ORU^R01: chapters 2.7 (escaping) and 7.3 (ORU).

Results are preliminary (`P` in OBX-11 and OBR-25).
"""

from collections.abc import Iterator
from datetime import datetime
from textwrap import wrap

from service.results.codes import CLASS_CODES, ECG_IMPRESSION, ECG_STUDY, HEART_RATE, Code, Subject, impression
from service.schemas.classification import Classification

__all__ = ["HL7_MEDIA_TYPE", "hl7_message"]

HL7_MEDIA_TYPE = "application/hl7-v2"

_APPLICATION = "ECG-CLASSIFIER"
_LONGEST_CONTROL_ID = 20
_LONGEST_LINE = 150  # strict readers take 199 characters, escapes included
_NULL = '""'
_NO_NAME = "^^^^^^U"  # PID-5 is required; type U (HL7 table 0200): unspecified
_ESCAPES = str.maketrans({"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"})


def hl7_message(answer: Classification, subject: Subject, made_at: datetime) -> bytes:
    """Make one message in UTF-8, its segments ended by CR; ``made_at`` has a time zone."""
    time = made_at.strftime("%Y%m%d%H%M%S%z")
    segments = [
        # MSH-1 is the separator itself.
        ["MSH", "^~\\&", _APPLICATION, "", "", "", time, "", "ORU^R01^ORU_R01", _control_id(answer), "P", "2.5.1"]
        + [""] * 5
        + ["UNICODE UTF-8"],
        ["PID", "1", "", _text(subject.patient_id) or _NULL, "", _NO_NAME],
        ["OBR", "1", _text(subject.order_number), answer.request_id, _coded(ECG_STUDY, "LN"), "", "", time]
        + [""] * 17
        + ["P"],
        *_observations(answer, time),
    ]
    return "".join("|".join(fields) + "\r" for fields in segments).encode()


def _observations(answer: Classification, time: str) -> Iterator[list[str]]:
    lines = wrap(impression(answer), _LONGEST_LINE)
    values = [("TX", ECG_IMPRESSION, "LN", str(number), _text(line), "") for number, line in enumerate(lines, 1)]
    coded = CLASS_CODES.get(answer.predicted_class)
    if answer.decision == "reported" and coded:
        values.append(("CWE", ECG_IMPRESSION, "LN", "", _coded(coded, "SCT"), ""))
    for number, (name, probability) in enumerate(answer.probabilities.items(), 1):
        code = Code(f"PROBABILITY-{name.upper()}", f"Probability of {name.replace('_', ' ')}")
        values.append(("NM", code, "L", str(number), f"{probability:.4f}", "1^^UCUM"))
    if answer.quality.heart_rate_bpm is not None:
        values.append(("NM", HEART_RATE, "LN", "", f"{answer.quality.heart_rate_bpm:.1f}", "/min^per minute^UCUM"))
    for number, (kind, code, system, sub_id, value, unit) in enumerate(values, 1):
        yield ["OBX", str(number), kind, _coded(code, system), sub_id, value, unit, "", "", "", "", "P", "", "", time]


def _coded(code: Code, system: str) -> str:
    return f"{_text(code.code)}^{_text(code.display)}^{system}"


def _control_id(answer: Classification) -> str:
    return _text(answer.request_id)[:_LONGEST_CONTROL_ID]


def _text(value: str | None) -> str:
    """Escape separators; control characters become spaces."""
    printable = "".join(one if one.isprintable() else " " for one in value or "")
    return printable.translate(_ESCAPES)
