"""The models that are loaded: the default, and the few others that were asked for last. Knows no file and no HTTP."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

from model_registry.bundle import Bundle
from service.catalog import Catalog
from service.classifier import Classifier
from service.classify import LoadedModel
from service.errors import ModelError, NotReadyError

__all__ = ["ModelPool"]

logger = logging.getLogger(__name__)


class ModelPool:
    """Loads each model once, one at a time, off the event loop.

    The default is loaded at the start and stays: promoting another bundle takes effect at the next start, never
    between two requests. Up to ``capacity`` others are kept, those used last.
    """

    def __init__(
        self, catalog: Catalog, open_classifier: Callable[[Bundle], Classifier], *, default: str, capacity: int
    ) -> None:
        self._catalog = catalog
        self._open_classifier = open_classifier
        self._default_reference = default
        self._default: LoadedModel | None = None
        self._default_problem = "the default model is still being loaded"
        self._capacity = capacity
        self._others: OrderedDict[str, asyncio.Task[LoadedModel]] = OrderedDict()
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="load-model")

    @property
    def default(self) -> LoadedModel:
        """The model that answers unless another is asked for.

        Raises:
            NotReadyError: it is not loaded, and why.
        """
        if self._default is None:
            raise NotReadyError(self._default_problem, remedy="Whoever runs the service finds the reason in its log.")
        return self._default

    @property
    def default_ref(self) -> str | None:
        """``name/version`` of the default, once it is loaded."""
        return None if self._default is None else self._default.manifest.ref

    async def load_default(self, retry_s: float) -> None:
        """Load the default model, trying again every ``retry_s`` seconds until there is one that loads."""
        while self._default is None:
            try:
                self._default = await self._load(self._default_reference)
            except Exception as error:  # noqa: BLE001 - whatever it is, /health has to tell it
                self._note_default_problem(error)
                await asyncio.sleep(retry_s)

    async def get(self, reference: str | None) -> LoadedModel:
        """The model that an alias, a name or ``name/version`` means, loaded if it is not yet; ``None``: the default.

        Raises:
            NotReadyError: the default is wanted and not loaded.
            ModelError: there is no such model, or it must not be served.
        """
        if reference is None or reference == self._default_reference:
            return self.default
        ref = await asyncio.to_thread(self._catalog.resolve, reference)
        if ref == self.default_ref:
            return self.default
        # Shielded: a client that goes away must not take the load from the others that wait for it.
        return await asyncio.shield(self._loading(ref))

    def close(self) -> None:
        """Wait for a load that runs, start no other."""
        self._loader.shutdown(cancel_futures=True)

    def _loading(self, ref: str) -> asyncio.Task[LoadedModel]:
        if ref not in self._others:
            task = asyncio.create_task(self._load(ref))
            task.add_done_callback(lambda done: self._forget_failure(ref, done))
            self._others[ref] = task
        self._others.move_to_end(ref)
        while len(self._others) > self._capacity:
            self._others.popitem(last=False)
        return self._others[ref]

    def _forget_failure(self, ref: str, done: asyncio.Task[LoadedModel]) -> None:
        if (done.cancelled() or done.exception()) and self._others.get(ref) is done:
            del self._others[ref]

    async def _load(self, reference: str) -> LoadedModel:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._loader, self._load_now, reference)

    def _load_now(self, reference: str) -> LoadedModel:
        started = perf_counter()
        bundle = self._catalog.load(reference)
        model = LoadedModel(bundle.manifest, self._open_classifier(bundle), bundle.training_pages)
        facts = {
            "model": bundle.manifest.ref,
            "provider": model.classifier.provider,
            "duration_ms": (perf_counter() - started) * 1000,
        }
        logger.info("model_loaded", extra={"fields": facts})
        return model

    def _note_default_problem(self, error: Exception) -> None:
        reason, unforeseen = (error.found, None) if isinstance(error, ModelError) else (type(error).__name__, error)
        problem = f"the default model cannot be loaded: {reason}"
        if problem != self._default_problem:
            logger.error("not_ready", exc_info=unforeseen, extra={"fields": {"reason": problem}})
        self._default_problem = problem
