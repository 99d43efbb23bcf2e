"""Why a page is not digitized: what is missing, and what to send instead."""

from shared_preproc.errors import PreprocError

__all__ = ["NO_PAGE", "WHOLE_PAGE", "UndigitizedPageError"]

WHOLE_PAGE = "Send the whole page as an export or PDF, or a flat, sharp picture of it from straight above."
"""What to do about most of them."""

NO_PAGE = frozenset({"grid", "names"})
"""What is missing from a picture that may be no ECG page at all."""


class UndigitizedPageError(PreprocError):
    """A picture whose scale, names or timing are not proven.

    Attributes:
        missing: ``grid``, ``names``, ``layout``, ``speed``, ``gain``, ``timing``, ``curves`` or ``relations``.
    """

    def __init__(self, missing: str, *, found: str, expected: str, remedy: str) -> None:
        super().__init__(found=found, expected=expected, remedy=remedy)
        self.missing = missing
