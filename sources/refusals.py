"""Refusals that all readers of this package share."""

from shared_preproc.errors import UndecodableImageError, UnsupportedFormatError

__all__ = ["damaged", "not_installed"]


def damaged(what: str) -> UndecodableImageError:
    """Refuse a file of a known kind whose content cannot be parsed; ``what`` is "a PDF", "a DICOM object" and so on."""
    return UndecodableImageError(
        found=f"{what} that is damaged or cut short",
        expected=f"{what} that is complete",
        remedy="Export the ECG again from its source system and send that file.",
    )


def not_installed(what: str, extra: str) -> UnsupportedFormatError:
    """Refuse a kind of file whose reader is an optional dependency that this installation lacks."""
    return UnsupportedFormatError(
        found=what,
        expected="a format whose reader is installed",
        remedy=f"Send the page as JPEG or PNG; the operator can run `pip install ecg-report-classifier[{extra}]`.",
    )
