"""Uploaded bytes to a report page: a picture that has the size of one."""

from shared_preproc.errors import UnsuitableDimensionsError
from shared_preproc.layout import Layout
from shared_preproc.picture import Gray, ImageFormat, Picture, decoded, open_picture

__all__ = ["Gray", "ImageFormat", "Page", "decode_page"]


class Page(Picture):
    """A picture in which the boxes of a layout lie where the layout says."""


def decode_page(data: bytes, layout: Layout) -> Page:
    """Decode one picture that has the size of a report page in ``layout``; the size is judged before the pixels.

    Raises:
        UnsupportedFormatError, UndecodableImageError: as `shared_preproc.picture.decode_picture`.
        UnsuitableDimensionsError: width or height of the upright picture is outside the layout's tolerance.
    """
    stored = open_picture(data)
    width_px, height_px = stored.size_px
    if not layout.fits(width_px, height_px):
        raise UnsuitableDimensionsError(width_px, height_px, expected=layout.expected_size)
    picture = decoded(stored)
    return Page(picture.gray, picture.format)
