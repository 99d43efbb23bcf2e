"""A page as a model needs it: examined, measured, made into a tensor."""

from dataclasses import dataclass

from service.clock import Clock
from service.examined import ImageFacts, examined_page
from shared_preproc.evidence import Doubt
from shared_preproc.fingerprint import curve_fingerprint
from shared_preproc.quality import Quality, measure_quality
from shared_preproc.spec import PreprocSpec
from shared_preproc.tensor import Tensor

__all__ = ["PreparedPage", "prepare"]


@dataclass(frozen=True, eq=False)
class PreparedPage:
    """One page that may be classified."""

    image: ImageFacts
    doubts: tuple[Doubt, ...]
    quality: Quality
    tensor: Tensor
    fingerprint: str | None
    """Of its curves; None where every lead is flat."""
    timings_ms: dict[str, float]
    """Of each step, and ``total``."""


def prepare(data: bytes, spec: PreprocSpec) -> PreparedPage:
    """Decode, read, examine and measure one JPEG or PNG report page, as for a model of ``spec``.

    Raises:
        PreprocError: the bytes are no report page that ``spec`` accepts, or one that cannot be read.
    """
    clock = Clock()
    page = examined_page(data, spec, clock)
    with clock.step("examine"):
        quality = measure_quality(page.reading, spec)
    with clock.step("preprocess"):
        tensor = page.reading.tensor(spec)
        fingerprint = curve_fingerprint(page.reading.traces)
    return PreparedPage(page.image, page.doubts, quality, tensor, fingerprint, clock.timings_ms())
