"""JPEG: libjpeg-turbo in strict mode, straight to the luma plane (docs/decisions/0003-decoding.md).

The decoder receives only the segments that the picture needs. Markers: ITU T.81, table B.1.
"""

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

import simplejpeg

from shared_preproc.decoders.exif import orientation
from shared_preproc.decoders.stored import Gray, StoredPicture, damage_refused, unsupported

__all__ = ["open_jpeg"]

_FILL, _START, _END, _SCAN, _COMMENT = 0xFF, 0xD8, 0xD9, 0xDA, 0xFE
_EXIF, _EXTRAS, _ADOBE = 0xE1, 0xE2, 0xEE  # APP1, APP2 and APP14
_METADATA = frozenset({*range(0xE1, 0xF0), _COMMENT, _FILL}) - {_ADOBE}
_PROGRESSIVE = 0xC2
_HUFFMAN_FRAMES = frozenset({0xC0, 0xC1, _PROGRESSIVE})
_OTHER_FRAMES = {
    **dict.fromkeys((0xC3, 0xC5, 0xC6, 0xC7), "a lossless or hierarchical JPEG"),
    **dict.fromkeys((0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF), "an arithmetic-coded JPEG"),
}
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)  # in entropy-coded data: T.81, B.1.1.5
_COEFFICIENTS = 64

_MOST_SEGMENTS = 1000
_LARGE_BYTES = 4 * 2**20  # libjpeg keeps each APP2 after a scan; in a smaller file these take little memory
_MOST_SCANS = 100  # encoders write about ten; one of twenty bytes costs a way over the whole picture


class _Segment(NamedTuple):
    """A marker, and where its parameters stand, without their length."""

    marker: int
    start: int
    end: int


class _Frame(NamedTuple):
    marker: int
    precision_bits: int
    height_px: int
    width_px: int
    components: tuple[int, ...]


def open_jpeg(data: bytes) -> StoredPicture:
    """Read a JPEG's header.

    Raises:
        UnsupportedFormatError: arithmetic, lossless or hierarchical coding, CMYK, 12 bits, several pictures in one
            file, or far more segments or scans than encoders write.
        UndecodableImageError: the header is damaged, or scans are missing.
    """
    with damage_refused("JPEG"):
        segments = list(_header_segments(data))
        frame = _frame(data, segments)
        _check_scans(data, segments[-1], frame)
        _refuse_several_pictures(data, segments)
        exif = next((body for body in _bodies(data, segments, _EXIF) if body.startswith(b"Exif\0\0")), b"")
        picture = _without_metadata(data, segments)

    def pixels() -> Gray:
        with damage_refused("JPEG"):
            gray: Gray = simplejpeg.decode_jpeg(picture, colorspace="GRAY", strict=True)[:, :, 0]
        return gray

    return StoredPicture("JPEG", (frame.width_px, frame.height_px), orientation(exif), pixels)


def _header_segments(data: bytes) -> Iterator[_Segment]:
    """Yield the segments up to the first scan; a fill byte counts as one without parameters."""
    start, marker, count = 2, _START, 0
    while marker != _SCAN:
        if data[start] != _FILL:
            raise ValueError("no marker after a segment")
        marker, start, count = data[start + 1], start + 1, count + 1
        if count > _MOST_SEGMENTS:
            raise unsupported(f"a JPEG of more than {_MOST_SEGMENTS} segments")
        if marker == _FILL:
            yield _Segment(marker, start, start)
        else:
            segment = _segment(data, marker, start + 1)
            yield segment
            start = segment.end


def _segment(data: bytes, marker: int, start: int) -> _Segment:
    return _Segment(marker, start + 2, start + struct.unpack_from(">H", data, start)[0])


def _frame(data: bytes, segments: list[_Segment]) -> _Frame:
    """Read the one frame header (T.81, B.2.2)."""
    for segment in segments:
        if segment.marker in _OTHER_FRAMES:
            raise unsupported(_OTHER_FRAMES[segment.marker])
    (segment,) = (segment for segment in segments if segment.marker in _HUFFMAN_FRAMES)
    precision_bits, height_px, width_px, count = struct.unpack_from(">BHHB", data, segment.start)
    components = tuple(data[segment.start + 6 : segment.start + 6 + 3 * count : 3])
    if precision_bits != 8:  # noqa: PLR2004 - bits
        raise unsupported(f"a JPEG of {precision_bits} bits a channel")
    if count == 4:  # noqa: PLR2004 - C, M, Y and K
        raise unsupported("a CMYK JPEG")
    if 0 in (width_px, height_px) or len(components) != count:
        raise ValueError("no size or no components")
    return _Frame(segment.marker, precision_bits, height_px, width_px, components)


def _check_scans(data: bytes, first: _Segment, frame: _Frame) -> None:
    """Check that the scans bring every coefficient of every component to its last bit (T.81, G.1.1.1).

    libjpeg shows a picture whose last scans are missing without a warning.
    """
    if len(data) > _LARGE_BYTES and data.count(bytes((_FILL, _EXTRAS)), first.start) > _MOST_SEGMENTS:
        raise unsupported(f"a JPEG of more than {_MOST_SEGMENTS} segments")
    if frame.marker != _PROGRESSIVE and data[first.start] == len(frame.components):
        return  # one scan has it all, and libjpeg warns if it is cut
    missing_bits = {component: [1] * _COEFFICIENTS for component in frame.components}
    for scan in _scans(data, first):
        count = data[scan.start]
        band_start, band_end, bits = struct.unpack_from("BBB", data, scan.start + 1 + 2 * count)
        for component in data[scan.start + 1 : scan.start + 1 + 2 * count : 2]:
            band = slice(band_start, band_end + 1)
            missing_bits[component][band] = [bits & 0x0F] * len(missing_bits[component][band])
    if any(any(bits) for bits in missing_bits.values()):
        raise ValueError("scans are missing")


def _scans(data: bytes, first: _Segment) -> Iterator[_Segment]:
    """Yield the scans of a picture up to its end marker."""
    segment, scans = first, 1
    yield first
    for _ in range(_MOST_SEGMENTS):
        found = _NEXT_MARKER.search(data, segment.end)
        if found is None:
            raise ValueError("no end marker")
        marker = data[found.end() - 1]
        if marker == _END:
            return
        segment = _segment(data, marker, found.end())
        if marker == _SCAN:
            scans += 1
            if scans > _MOST_SCANS:
                raise unsupported(f"a JPEG of more than {_MOST_SCANS} scans")
            yield segment
    raise unsupported(f"a JPEG of more than {_MOST_SEGMENTS} segments")


def _refuse_several_pictures(data: bytes, segments: list[_Segment]) -> None:
    """Refuse a multi-picture file (CIPA DC-007), unless the others are a telephone's gain map for the first."""
    if not any(body.startswith(b"MPF\0") for body in _bodies(data, segments, _EXTRAS)):
        return
    if not any(b"hdrgm:" in body or b"HDRGainMap" in body for body in _bodies(data, segments, _EXIF)):
        raise unsupported("a JPEG that holds several pictures (MPO)")


def _bodies(data: bytes, segments: list[_Segment], marker: int) -> Iterator[bytes]:
    return (data[segment.start : segment.end] for segment in segments if segment.marker == marker)


def _without_metadata(data: bytes, segments: list[_Segment]) -> bytes:
    kept = [data[segment.start - 4 : segment.end] for segment in segments if segment.marker not in _METADATA]
    return b"".join((data[:2], *kept, memoryview(data)[segments[-1].end :]))
