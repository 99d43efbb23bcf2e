"""A picture of any size to a report page: as it stands where the form is in place, else registered to the form."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared_preproc.errors import NotAnEcgPageError, UnsuitableDimensionsError
from shared_preproc.evidence import missing_parts
from shared_preproc.form import Form, FormSpec, measure_form
from shared_preproc.layout import Layout
from shared_preproc.page import Page
from shared_preproc.picture import Gray, Picture
from shared_preproc.placement import EXPORT, Placement
from shared_preproc.registration import register

__all__ = ["Sheet", "place"]

_FORM = FormSpec()
_IN_PLACE_PX = 1.0  # how far a part of the form may be off: the rounding of an exported page
_REACH_PX = 24  # how far a part is looked for
_MOST_MISSING = 1


@dataclass(frozen=True, eq=False)
class Sheet:
    """A page in which the boxes of its layout are in place, how it came, and its form."""

    page: Page
    placement: Placement
    form: Form


def place(picture: Picture, layout: Layout, *, judging: bool = True) -> Sheet:
    """Bring a picture of any size to its layout; one whose form is in place already stays as it is, bit for bit.

    Raises:
        NotAnEcgPageError: a picture of the layout's size that does not show the form; unless ``judging``, it stays as
            it is.
        UnsuitableDimensionsError: a picture of another size that does not show it.
    """
    fits = layout.fits(picture.width_px, picture.height_px)
    as_it_is = Page(picture.gray, picture.format)
    missing: list[str] = []
    if fits:
        form = measure_form(picture.gray, layout, _FORM)
        missing = missing_parts(form)
        if len(missing) <= _MOST_MISSING and _in_place(picture.gray, layout):
            return Sheet(as_it_is, EXPORT, form)
    try:
        registered = register(picture.gray, layout)
    except UnsuitableDimensionsError:
        if not fits:
            raise
        if judging:
            raise NotAnEcgPageError(found="; ".join(missing)) from None
        return Sheet(as_it_is, EXPORT, form)
    form = measure_form(registered.page, layout, _FORM)
    return Sheet(Page(registered.page, picture.format), registered.placement, form)


def _in_place(gray: Gray, layout: Layout) -> bool:
    """Whether a page of about the layout's size is unscaled: its last separator and its frame's bottom in place."""
    if gray.shape == (layout.height_px, layout.width_px):
        return True
    column, (top, bottom) = _FORM.separator_columns_px[-1], _FORM.separator_rows_px
    across = np.median(gray[top:bottom, column - _REACH_PX : column + _REACH_PX + 1], axis=0)
    zero = _FORM.zero_rows_px[-1]
    foot, rise, _, _ = _FORM.pulse_columns_px
    down = np.median(gray[zero - _REACH_PX : zero + _REACH_PX + 1, foot + 1 : rise - 2], axis=1)
    return all(abs(_centre(profile) - _REACH_PX) <= _IN_PLACE_PX for profile in (across, down))


def _centre(profile: NDArray[np.float64]) -> float:
    """Where the darkest line of a profile of gray levels is."""
    darkness = np.maximum(float(profile.max()) / 2 - profile, 0)
    near = slice(max(int(darkness.argmax()) - 3, 0), int(darkness.argmax()) + 4)
    return float((darkness[near] * np.arange(len(profile))[near]).sum() / max(darkness[near].sum(), 1e-9))
