"""What can be wrong with a page. No HTTP here: the service maps these to answers.

    PreprocError
    +-- UnsupportedFormatError        no supported picture, or a kind of one that cannot be read faithfully
    +-- UndecodableImageError         a picture whose data is damaged or cut short
    +-- UnsuitableDimensionsError     a picture without the report's form, or with too many pixels
    +-- NotAnEcgPageError             a picture of the export's size that does not show the form
    +-- UnreadableLeadsError          a report page some of whose leads cannot be read

Each carries what was found, what was expected and what to do, as text for the person who sent the page.
Messages hold measurements only: never file names, metadata or pixels.
"""

from typing import Any

from shared_preproc.leads import Lead

__all__ = [
    "UNSUITABLE_DIMENSIONS",
    "NotAnEcgPageError",
    "PreprocError",
    "UndecodableImageError",
    "UnreadableLeadsError",
    "UnsuitableDimensionsError",
    "UnsupportedFormatError",
]

UNSUITABLE_DIMENSIONS = "Uploaded image does not have suitable dimensions for preprocessing"
"""The sentence of the published method, word for word."""


class PreprocError(Exception):
    """A page that cannot be preprocessed.

    ``found`` says what came, ``expected`` what would have been accepted, ``remedy`` what the sender can do.
    """

    def __init__(self, *, found: str, expected: str, remedy: str) -> None:
        super().__init__(f"{found}; expected {expected}. {remedy}")
        self.found = found
        self.expected = expected
        self.remedy = remedy

    def __reduce__(self) -> tuple[Any, ...]:
        """Let errors be sent to another process: made again from their attributes, not by `__init__`."""
        return type(self).__new__, (type(self), *self.args), self.__dict__


class UnsupportedFormatError(PreprocError):
    """The bytes are no picture of a supported kind, or one that has no faithful 8-bit grayscale form."""


class UndecodableImageError(PreprocError):
    """The header is fine but the image data is truncated or corrupt."""


class UnsuitableDimensionsError(PreprocError):
    """Width or height is outside the layout's tolerance, or the picture has more pixels than can be read."""

    def __init__(
        self,
        width_px: int,
        height_px: int,
        *,
        expected: str,
        remedy: str = "Send the whole printed form, sharp and about upright, or the cart's own export.",
    ) -> None:
        super().__init__(found=f"{width_px} x {height_px} px", expected=expected, remedy=remedy)
        self.width_px = width_px
        self.height_px = height_px


class NotAnEcgPageError(PreprocError):
    """The picture does not show what every report page of the layout shows; ``found`` says which evidence failed."""

    def __init__(self, *, found: str) -> None:
        super().__init__(
            found=found,
            expected="an ECG report page with its frame, calibration pulses, separators and lead names in their places",
            remedy="Send a picture of the whole report page of this layout, or the cart's own export.",
        )


class UnreadableLeadsError(PreprocError):
    """The page is one of the layout, but the curves of ``leads`` are missing or contradict one another."""

    def __init__(self, leads: tuple[Lead, ...], *, found: str) -> None:
        super().__init__(
            found=found,
            expected="one thin curve across each of the thirteen lead boxes, all of one recording",
            remedy="Check the named leads on the page, and export the report again or record it anew.",
        )
        self.leads = leads
