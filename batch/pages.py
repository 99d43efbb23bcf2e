"""The one place where the archive meets the service: which model answers, and its answer to one page.

Models, limits and thresholds come from the service's own settings (``ECG_MODELS_DIR`` and so on), so that a row says
what the service would have answered.
"""

import asyncio
import hashlib
import logging
from dataclasses import dataclass
from typing import Any

from batch.errors import InputError, WorkerError
from model_registry.manifest import BundleManifest
from model_registry.registry import Registry
from service.classify import ClassificationResult, LoadedModel, classify
from service.decide import SiteRules, read_site_rules
from service.errors import KINDS, ModelError, StartupError
from service.host import available_cpus, check_runtime_packages, installed_runtime_packages, tune_process
from service.models.batching import Batching, batching_opener
from service.models.loader import Catalog, ModelLoader
from service.models.onnx import onnx_opener
from service.settings import Settings, read_settings
from shared_preproc.errors import PreprocError

__all__ = ["FAILURES", "Answer", "Model", "PageReader", "available_cpus", "identify_model", "refused"]

Answer = dict[str, Any]
"""The fields of a row (`batch.rows.schema`) about the page's content."""

FAILURES = ("internal_error", "source_missing", "source_unreadable")
"""Refusal codes of pages that nobody could read, in place of what the page shows."""

_PAGES_IN_HAND = 8
"""Threads that decode for one GPU session: the most pages of a shared run."""

_DIGITS = 4

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Model:
    """What has to stay the same for answers to belong to one run."""

    ref: str
    """``name/version``."""
    sha256: str
    """Of the ONNX graph."""
    preprocessing: str
    """Fingerprint of its numbers."""
    decision: str | None
    """SHA-256 of the thresholds in force; ``None``: there are none."""
    class_names: tuple[str, ...]
    findings: tuple[str, ...]
    """Codes, in the order of the manifest."""


def identify_model(reference: str | None) -> Model:
    """Find the model that an alias, a name or ``name/version`` means; ``None``: the service's default.

    Raises:
        InputError: there is no such model, or a setting is wrong.
    """
    try:
        settings = read_settings()
        rules = read_site_rules(settings)
        manifest = _catalog(settings).load(reference or settings.default_model).manifest
    except (ModelError, StartupError) as error:
        raise InputError(str(error)) from error
    return _model(manifest, rules)


class PageReader:
    """A loaded model of this process."""

    def __init__(self, ref: str) -> None:
        """Load ``name/version``.

        Raises:
            InputError: it cannot be loaded, or a setting is wrong.
        """
        tune_process()
        try:
            check_runtime_packages(installed_runtime_packages())
            settings = read_settings()
            self._loaded = _load(settings, ref)
        except (ModelError, StartupError) as error:
            raise InputError(str(error)) from error
        self.model = _model(self._loaded.manifest, self._loaded.rules)
        self.most_bytes = settings.max_body_bytes
        """The largest page that the service takes."""
        self.pages_in_hand = _PAGES_IN_HAND if self._loaded.classifier.provider == "cuda" else 1
        """How many threads should call `read`, to share runs on a GPU."""

    def read(self, data: bytes) -> Answer:
        """Classify one page; a refusal is an answer too.

        Raises:
            WorkerError: the model does not work any more.
        """
        try:
            return _answer(classify(data, self._loaded))
        except PreprocError as error:
            return refused(KINDS[type(error)].code, self.model.ref, hashlib.sha256(data).hexdigest())
        except ModelError as error:  # the GPU failed, and would in every page
            raise WorkerError(str(error)) from error
        except MemoryError:
            raise
        except Exception:  # a fault of ours in one page, which the service answers with 500
            logger.exception("internal_error")
            return refused("internal_error", self.model.ref, hashlib.sha256(data).hexdigest())


def refused(code: str, model: str, sha256: str | None = None) -> Answer:
    """Answer for a page that is not classified, for the reason that ``code`` names."""
    return {"sha256": sha256, "refusal": code, "model": model}


def _answer(result: ClassificationResult) -> Answer:
    return {
        "sha256": result.source.sha256,
        "class": max(result.page, key=result.page.__getitem__),
        "probabilities": _rounded(result.page),
        "decision": result.decision.status,
        "reasons": [reason.code for reason in result.decision.reasons],
        "findings": [finding.spec.code for finding in result.findings if finding.present],
        "finding_probabilities": _rounded({finding.spec.code: finding.probability for finding in result.findings}),
        "quality": vars(result.quality),
        "model": result.manifest.ref,
    }


def _rounded(probabilities: dict[str, float]) -> dict[str, float]:
    """Round as the service does in its answers."""
    return {name: round(probability, _DIGITS) for name, probability in probabilities.items()}


def _load(settings: Settings, ref: str) -> LoadedModel:
    batching = Batching(settings.batch_pages, callers=_PAGES_IN_HAND)
    opener = batching_opener(onnx_opener(settings.provider, threads=1), batching, count_run=_uncounted)
    loader = ModelLoader(_catalog(settings), opener, read_site_rules(settings))
    try:
        return asyncio.run(loader.load(ref))
    finally:
        loader.close()


def _uncounted(_pages: int) -> None:
    """Take the size of a shared run, which nobody here counts."""


def _catalog(settings: Settings) -> Catalog:
    return Catalog(Registry(settings.models_dir))


def _model(manifest: BundleManifest, rules: SiteRules) -> Model:
    policy = rules.in_force(manifest).policy
    return Model(
        ref=manifest.ref,
        sha256=manifest.model_sha256,
        preprocessing=manifest.preprocessing_fingerprint,
        decision=None if policy is None else hashlib.sha256(policy.model_dump_json().encode()).hexdigest(),
        class_names=tuple(manifest.class_names),
        findings=tuple(finding.code for finding in manifest.findings),
    )
