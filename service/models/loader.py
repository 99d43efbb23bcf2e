"""Load a bundle: verify it, open it, warm it up, and reproduce its recorded answer. One at a time, in a thread."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

import cv2
import numpy as np

from model_registry.bundle import Bundle
from model_registry.golden import GOLDEN_LIMIT
from model_registry.manifest import BundleManifest
from service.classify import LoadedModel
from service.errors import BrokenModelError
from service.models.catalog import Catalog
from service.models.onnx import Classifier
from service.models.site_policy import SiteRules
from shared_preproc.page import Page
from shared_preproc.pipeline import read_page

__all__ = ["ModelLoader"]

_PAPER = 255
_NO_RULES = SiteRules()

logger = logging.getLogger(__name__)


class ModelLoader:
    """Loads models, in a thread of its own."""

    def __init__(
        self, catalog: Catalog, open_classifier: Callable[[Bundle], Classifier], rules: SiteRules = _NO_RULES
    ) -> None:
        self._catalog = catalog
        self._open_classifier = open_classifier
        self.rules = rules
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="load-model")

    async def load(self, reference: str) -> LoadedModel:
        """Load what a reference means.

        Raises:
            ModelError: there is no such model, or it must not be served.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._load, reference)

    def close(self) -> None:
        """Start no other load; do not wait for one that runs."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _load(self, reference: str) -> LoadedModel:
        started = perf_counter()
        bundle = self._catalog.load(reference)
        _check_preprocessing(bundle.manifest)
        self.rules.check(bundle.manifest)
        classifier = self._open_classifier(bundle)
        _check_golden(bundle, classifier)
        model = LoadedModel(bundle.manifest, classifier, bundle.training_pages, self.rules)
        facts = {
            "model": bundle.manifest.ref,
            "provider": classifier.provider,
            "policy": model.in_force.source if model.in_force else "none",
            "duration_ms": (perf_counter() - started) * 1000,
        }
        logger.info("model_loaded", extra={"fields": facts})
        return model


def _check_preprocessing(manifest: BundleManifest) -> None:
    """Read a blank page by the bundle's numbers: some fit no page, and each page would be an unforeseen fault."""
    spec = manifest.preprocessing
    blank = Page(np.full((spec.layout.height_px, spec.layout.width_px), _PAPER, np.uint8), "PNG")
    try:
        read_page(blank, spec).tensor(spec)
    except (ArithmeticError, StopIteration, ValueError, cv2.error) as error:
        raise BrokenModelError(
            found=f"{manifest.ref}: preprocessing by which no page can be read: {error or type(error).__name__}",
            expected="the numbers of a layout and of a pen, as the trainer publishes them",
            remedy="Ask for another model. The operator should ask where this one came from.",
        ) from error


def _check_golden(bundle: Bundle, classifier: Classifier) -> None:
    """Let the model answer what it is known to answer, where that was recorded."""
    manifest, golden = bundle.manifest, bundle.golden
    if golden is None:
        return
    difference = golden.largest_difference(classifier.run(golden.tensor(manifest.preprocessing)).pages)
    if difference > GOLDEN_LIMIT:
        raise BrokenModelError(
            found=f"{manifest.ref}: its answer differs by {difference:.1e} from the recorded one",
            expected=f"the same within {GOLDEN_LIMIT:.0e}",
            remedy="Ask for another model. The operator should find out what computes differently here.",
        )
