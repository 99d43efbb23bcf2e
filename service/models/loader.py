"""List the registry's bundles, and load one: verify it, open it, and let it reproduce its recorded answer."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

import cv2
import numpy as np

from model_registry.bundle import Bundle, Card
from model_registry.errors import BrokenBundleError, RegistryError, UnknownBundleError
from model_registry.golden import GOLDEN_LIMIT
from model_registry.manifest import BundleManifest
from model_registry.registry import Registry, Stamp
from service.classify import LoadedModel
from service.decide import SiteRules
from service.errors import BrokenModelError, RegistryUnavailableError, UnknownModelError
from service.models.onnx import Classifier
from shared_preproc.page import Page
from shared_preproc.pipeline import read_page
from shared_preproc.spec import MASKS_150

__all__ = ["Catalog", "Contents", "ModelLoader"]

_PAPER = 255
_NO_RULES = SiteRules()

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Contents:
    """Everything in the registry."""

    bundles: tuple[BundleManifest, ...]
    broken: tuple[BrokenBundleError, ...]
    aliases: dict[str, str]
    """Alias to ``name/version``."""


class Catalog:
    """A registry whose errors are `ModelError`. It reads files: call it in a thread.

    A reference is an alias, a name or ``name/version``.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def contents(self) -> Contents:
        """List every bundle and alias, or raise `RegistryUnavailableError`."""
        with _refusing():
            bundles, broken = self._registry.list()
            return Contents(bundles, broken, self._registry.aliases())

    def resolve(self, reference: str) -> str:
        """Find the ``name/version`` of a reference."""
        with _refusing():
            return self._registry.resolve(reference)

    def stamp(self, reference: str) -> Stamp:
        """Find the bundle of a reference, and identify its content cheaply."""
        with _refusing():
            return self._registry.stamp(reference)

    def model_bytes(self, ref: str) -> int:
        """Return the size of a bundle's graph, or 0."""
        return self._registry.model_bytes(ref)

    def load(self, reference: str) -> Bundle:
        """Read a bundle and verify every byte."""
        with _refusing():
            bundle = self._registry.load(reference)
        _check_revision(bundle.manifest)
        return bundle

    def card(self, reference: str) -> Card:
        """Read a bundle's card, even if the bundle cannot be loaded."""
        with _refusing():
            return self._registry.card(reference)


class ModelLoader:
    """Load one model at a time, in a thread."""

    def __init__(
        self, catalog: Catalog, open_classifier: Callable[[Bundle], Classifier], rules: SiteRules = _NO_RULES
    ) -> None:
        self._catalog = catalog
        self._open_classifier = open_classifier
        self.rules = rules
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="load-model")

    async def load(self, reference: str) -> LoadedModel:
        """Load the bundle of a reference, or raise `ModelError`."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._load, reference)

    def close(self) -> None:
        """Drop loads that wait."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _load(self, reference: str) -> LoadedModel:
        started = perf_counter()
        bundle = self._catalog.load(reference)
        _check_preprocessing(bundle.manifest)
        self.rules.check(bundle.manifest)
        classifier = self._open_classifier(bundle)
        _check_golden(bundle, classifier)
        model = LoadedModel(bundle.manifest, classifier, bundle.trained_on, self.rules)
        facts = {
            "model": bundle.manifest.ref,
            "provider": classifier.provider,
            "policy": model.in_force.source or "none",
            "duration_ms": (perf_counter() - started) * 1000,
        }
        logger.info("model_loaded", extra={"fields": facts})
        return model


def _check_revision(manifest: BundleManifest) -> None:
    found, known = manifest.preprocessing.revision, MASKS_150.revision
    if found != known:
        raise BrokenModelError(
            found=f"{manifest.ref}: preprocessing of revision {found}",
            expected=f"revision {known}, which this program computes",
            remedy="Ask for another model; this one needs another version of this program, or to be trained again.",
        )


def _check_preprocessing(manifest: BundleManifest) -> None:
    """Read a blank page: impossible numbers would make every page an internal error."""
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


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except UnknownBundleError as error:
        raise UnknownModelError(str(error).rstrip(".")) from error
    except BrokenBundleError as error:
        raise BrokenModelError(
            found=f"{error.ref}: {error.reason}", expected="a bundle as it was published", remedy=error.remedy
        ) from error
    except RegistryError as error:
        raise RegistryUnavailableError(str(error).rstrip(".")) from error
