"""The way that every page goes first: decoded, read, examined, each step on the clock. Knows no model and no HTTP."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

from shared_preproc.evidence import Doubt, examine
from shared_preproc.page import ImageFormat, Page, decode_page
from shared_preproc.pipeline import PageReading, read_page
from shared_preproc.spec import PreprocSpec

__all__ = ["Clock", "ExaminedPage", "ImageFacts", "examined_page"]


@dataclass(frozen=True)
class ImageFacts:
    """What was sent: SHA-256 (hex) of the bytes, and the upright page's size."""

    sha256: str
    format: ImageFormat
    width_px: int
    height_px: int


@dataclass(frozen=True, eq=False)
class ExaminedPage:
    """One page, what was read off it, and what is doubtful about it."""

    image: ImageFacts
    page: Page
    reading: PageReading
    doubts: tuple[Doubt, ...]


class Clock:
    """How long each step took, and all of them with what lay between; a step may come in several pieces."""

    def __init__(self) -> None:
        self._started = perf_counter()
        self._steps_ms: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count what happens inside as a piece of the step ``name``."""
        started = perf_counter()
        yield
        self._steps_ms[name] = self._steps_ms.get(name, 0.0) + _ms_since(started)

    def timings_ms(self) -> dict[str, float]:
        """Wall time of each step so far, and ``total``, in milliseconds."""
        return {**self._steps_ms, "total": _ms_since(self._started)}


def examined_page(data: bytes, spec: PreprocSpec, clock: Clock, *, judging: bool = True) -> ExaminedPage:
    """Decode and read one JPEG or PNG as ``spec`` says; unless ``judging``, it is not examined and has no doubts.

    Raises:
        PreprocError: the bytes are no report page that ``spec`` accepts, or one that cannot be read.
    """
    with clock.step("decode"):
        page = decode_page(data, spec.layout)
    with clock.step("preprocess"):
        reading = read_page(page, spec)
    doubts: tuple[Doubt, ...] = ()
    if judging:
        with clock.step("examine"):
            doubts = examine(page, reading, spec)
    image = ImageFacts(hashlib.sha256(data).hexdigest(), page.format, page.width_px, page.height_px)
    return ExaminedPage(image, page, reading, doubts)


def _ms_since(started_s: float) -> float:
    return (perf_counter() - started_s) * 1000
