"""The data's way through the service: bytes of a page to what the model says about it. Knows no HTTP.

One plain function, to be called in a worker thread.
"""

import hashlib
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from model_registry.manifest import BundleManifest
from service.classifier import Classifier
from shared_preproc.leads import LEADS, Lead
from shared_preproc.page import ImageFormat, decode_page
from shared_preproc.pipeline import page_tensor

__all__ = ["ClassProbabilities", "ClassificationResult", "ImageFacts", "LoadedModel", "Timings", "classify"]

ClassProbabilities = dict[str, float]
"""By class name, in the order of the manifest; sums to 1."""


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A bundle that is ready to answer."""

    manifest: BundleManifest
    classifier: Classifier


@dataclass(frozen=True)
class ImageFacts:
    """What was sent: SHA-256 (hex) of the bytes, and the upright page's size."""

    sha256: str
    format: ImageFormat
    width_px: int
    height_px: int


@dataclass(frozen=True)
class Timings:
    """Wall time of each step, in milliseconds."""

    decode: float
    preprocess: float
    inference: float
    total: float


@dataclass(frozen=True)
class ClassificationResult:
    """What a model says about one page, and what it was told."""

    page: ClassProbabilities
    leads: dict[Lead, ClassProbabilities]
    """In clinical order."""
    manifest: BundleManifest
    image: ImageFacts
    timings_ms: Timings


def classify(data: bytes, model: LoadedModel) -> ClassificationResult:
    """Decode, preprocess and classify one JPEG or PNG report page.

    Raises:
        PreprocError: the bytes are no report page that the model's preprocessing accepts.
    """
    manifest = model.manifest
    started = perf_counter()
    page = decode_page(data, manifest.preprocessing.layout)
    decoded = perf_counter()
    tensor = page_tensor(page, manifest.preprocessing)
    preprocessed = perf_counter()
    answer = model.classifier.run(tensor[np.newaxis])
    inferred = perf_counter()
    by_lead = dict(zip(manifest.preprocessing.layout.leads, answer.leads[0], strict=True))
    return ClassificationResult(
        page=_by_class(manifest, answer.pages[0]),
        leads={lead: _by_class(manifest, by_lead[lead]) for lead in LEADS},
        manifest=manifest,
        image=ImageFacts(hashlib.sha256(data).hexdigest(), page.format, page.width_px, page.height_px),
        timings_ms=Timings(
            decode=_ms(started, decoded),
            preprocess=_ms(decoded, preprocessed),
            inference=_ms(preprocessed, inferred),
            total=_ms(started, perf_counter()),
        ),
    )


def _by_class(manifest: BundleManifest, probabilities: NDArray[np.float32]) -> ClassProbabilities:
    """Name the probabilities (classes,), normalised once more: float32 sums to 1 within 1e-6 only by luck."""
    exact = probabilities.astype(np.float64)
    return dict(zip(manifest.class_names, (exact / exact.sum()).tolist(), strict=True))


def _ms(start_s: float, end_s: float) -> float:
    return (end_s - start_s) * 1000
