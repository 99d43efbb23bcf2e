"""A bundle to a model that is ready to answer: verified, loaded, warmed up, its recorded answer reproduced.

One at a time, off the event loop. Knows neither which model is the default nor which are kept.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from model_registry.bundle import Bundle
from model_registry.golden import GOLDEN_LIMIT
from service.catalog import Catalog
from service.classifier import Classifier
from service.classify import LoadedModel
from service.errors import BrokenModelError

__all__ = ["ModelLoader"]

logger = logging.getLogger(__name__)


class ModelLoader:
    """Loads models, in a thread of its own."""

    def __init__(self, catalog: Catalog, open_classifier: Callable[[Bundle], Classifier]) -> None:
        self._catalog = catalog
        self._open_classifier = open_classifier
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="load-model")

    async def load(self, reference: str) -> LoadedModel:
        """Load what a reference means.

        Raises:
            ModelError: there is no such model, or it must not be served.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._load, reference)

    def close(self) -> None:
        """Wait for a load that runs, start no other."""
        self._thread.shutdown(cancel_futures=True)

    def _load(self, reference: str) -> LoadedModel:
        started = perf_counter()
        bundle = self._catalog.load(reference)
        classifier = self._open_classifier(bundle)
        _check_golden(bundle, classifier)
        facts = {
            "model": bundle.manifest.ref,
            "provider": classifier.provider,
            "duration_ms": (perf_counter() - started) * 1000,
        }
        logger.info("model_loaded", extra={"fields": facts})
        return LoadedModel(bundle.manifest, classifier, bundle.training_pages)


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
            remedy="Ask for another model; whoever runs this one should look for what computes otherwise here.",
        )
