"""Each page file decoded, read and examined as the service does, before anything is trained on it."""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from shared_preproc.errors import PreprocError
from shared_preproc.evidence import examine
from shared_preproc.fingerprint import curve_fingerprint, same_curves
from shared_preproc.page import decode_page
from shared_preproc.pipeline import read_page
from shared_preproc.spec import TRACES_50_HZ

__all__ = ["Inspection", "copies", "inspect_pages"]


@dataclass(frozen=True)
class Inspection:
    """What one file is."""

    sha256: str
    """Of its bytes, hex."""
    size: str | None = None
    """Of the upright page in pixels; None where it cannot be decoded."""
    fingerprint: str | None = None
    """Of its curves (`curve_fingerprint`); None where it cannot be read or has none."""
    refusal: PreprocError | None = None
    """Why the service would refuse it; None: it would not."""


def inspect_pages(paths: Sequence[Path]) -> list[Inspection]:
    """Inspect every file, on all cores; files of equal bytes are looked at once.

    Raises:
        OSError: a file cannot be read.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # hashing, decoding and reading release the GIL
        hashes = list(pool.map(_sha256, paths))
        first = dict(zip(reversed(hashes), reversed(paths), strict=True))
        found = pool.map(_inspect, first.values(), first)
        inspections = dict(
            zip(first, tqdm(found, total=len(first), desc="inspect pages", unit="page", disable=None), strict=True)
        )
    return [inspections[sha256] for sha256 in hashes]


def copies(inspections: Sequence[Inspection]) -> list[str]:
    """Give, for each file, the SHA-256 of the first file that shows the same page."""
    originals: dict[str, str] = {}
    distinct: list[Inspection] = []
    for one in inspections:
        if one.sha256 not in originals:
            original = next((other for other in distinct if _same(one, other)), one)
            originals[one.sha256] = original.sha256
            if original is one:
                distinct.append(one)
    return [originals[one.sha256] for one in inspections]


def _same(one: Inspection, other: Inspection) -> bool:
    if one.fingerprint is None or other.fingerprint is None:
        return False
    return same_curves(one.fingerprint, other.fingerprint)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _inspect(path: Path, sha256: str) -> Inspection:
    size = fingerprint = None
    try:
        page = decode_page(path.read_bytes(), TRACES_50_HZ.layout)
        size = f"{page.width_px} x {page.height_px}"
        reading = read_page(page, TRACES_50_HZ)
        fingerprint = curve_fingerprint(reading.traces)
        examine(page, reading, TRACES_50_HZ)
    except PreprocError as error:
        return Inspection(sha256, size, fingerprint, error)
    return Inspection(sha256, size, fingerprint)
