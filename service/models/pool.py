"""The loaded models: the default, which follows the registry, and a few others."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass

from model_registry.registry import Stamp
from service.classify import LoadedModel
from service.errors import ModelError, ModelTooLargeError, NotReadyError, OverloadedError
from service.models.loader import Catalog, ModelLoader

__all__ = ["Budget", "DefaultModel", "DefaultState", "ModelPool"]

_POLL_S = 0.5
_RETRY_S = 2.0
_LOADING = "the default model is still being loaded"
_NOT_LOADED = "the default model cannot be loaded"
_RETRY_AFTER_S = 5
"""Seconds that a large model takes to load."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DefaultState:
    """The default model and the next one, each ``name/version`` or None."""

    model: str | None
    pending: str | None
    """Loading, or rejected."""
    problem: str | None
    """Why it was rejected, or the registry cannot be read."""


class DefaultModel:
    """Follow a reference in the registry, and replace the model between two requests.

    After a rejected bundle, the old model keeps serving.
    """

    def __init__(self, catalog: Catalog, loader: ModelLoader, reference: str) -> None:
        self._catalog = catalog
        self._loader = loader
        self.reference = reference
        self._model: LoadedModel | None = None
        self._stamp: Stamp | None = None
        self._rejected: Stamp | None = None
        self._rejected_until_s = 0.0
        self._pending: str | None = None
        self._problem: str | None = None

    @property
    def model(self) -> LoadedModel:
        """The model that answers; `NotReadyError` if none is loaded."""
        if self._model is None:
            reason = _LOADING if self._problem is None else f"{_NOT_LOADED}: {self._problem}"
            raise NotReadyError(reason, remedy="The operator finds the reason in the log.")
        return self._model

    @property
    def state(self) -> DefaultState:
        """For /health and /models."""
        return DefaultState(None if self._model is None else self._model.manifest.ref, self._pending, self._problem)

    async def follow(self) -> None:
        """Look for a new bundle every half second, and retry a rejected one every two seconds."""
        while True:
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001 - /health shows it
                self._note_problem(error)
            await asyncio.sleep(_POLL_S)

    async def _look(self) -> None:
        stamp = await asyncio.to_thread(self._catalog.stamp, self.reference)
        if stamp == self._rejected and _now_s() < self._rejected_until_s:
            return
        if stamp != self._stamp:
            self._pending = stamp.ref
            try:
                await self._replace(stamp)
            except Exception:
                self._rejected, self._rejected_until_s = stamp, _now_s() + _RETRY_S
                raise
        self._pending = self._problem = None

    async def _replace(self, stamp: Stamp) -> None:
        model = await self._loader.load(stamp.ref)
        replaced = self.state.model or "none"
        self._model, self._stamp = model, stamp
        logger.info("default_model", extra={"fields": {"model": stamp.ref, "replaced": replaced}})

    def _note_problem(self, error: Exception) -> None:
        problem, unforeseen = (error.found, None) if isinstance(error, ModelError) else (type(error).__name__, error)
        if problem != self._problem:
            event = "not_ready" if self._model is None else "promotion_refused"
            logger.error(event, exc_info=unforeseen, extra={"fields": {"reason": f"{_NOT_LOADED}: {problem}"}})
        self._problem = problem


@dataclass(frozen=True)
class Budget:
    """Limits on the models beside the default."""

    models: int
    model_bytes: int = 512 * 2**20
    """Of their files; sessions take a few times as much."""


@dataclass(frozen=True, eq=False)
class _Other:
    task: asyncio.Task[LoadedModel]
    model_bytes: int


class ModelPool:
    """Load each model once; keep the default, and within the budget those used last.

    Loading models stay, or loads would pile up.
    """

    def __init__(self, catalog: Catalog, loader: ModelLoader, default: DefaultModel, budget: Budget) -> None:
        self._catalog = catalog
        self._loader = loader
        self._budget = budget
        self._others: OrderedDict[str, _Other] = OrderedDict()
        self.default = default

    async def get(self, reference: str | None) -> LoadedModel:
        """Return the model of an alias, a name or ``name/version``, loaded if need be; None is the default.

        Raises:
            NotReadyError: the default is not loaded.
            ModelError: the model cannot be served.
            OverloadedError: too many models are loading.
        """
        if reference is None or reference == self.default.reference:
            return self.default.model
        ref = await asyncio.to_thread(self._catalog.resolve, reference)
        if ref == self.default.state.model:
            self._others.pop(ref, None)  # promoted since
            return self.default.model
        if ref not in self._others:
            model_bytes = await asyncio.to_thread(self._catalog.model_bytes, ref)
            if ref not in self._others:
                self._start_loading(ref, model_bytes)
        self._others.move_to_end(ref)
        # Shielded: other requests may wait for the same load.
        return await asyncio.shield(self._others[ref].task)

    def _start_loading(self, ref: str, model_bytes: int) -> None:
        self._make_room(ref, model_bytes)
        task = asyncio.create_task(self._loader.load(ref))
        task.add_done_callback(lambda done: self._forget_failure(ref, done))
        self._others[ref] = _Other(task, model_bytes)

    def _make_room(self, ref: str, model_bytes: int) -> None:
        if model_bytes > self._budget.model_bytes:
            raise ModelTooLargeError(ref, model_bytes, self._budget.model_bytes)
        loading = [other for other in self._others.values() if not other.task.done()]
        if not self._fits(loading, model_bytes):
            raise OverloadedError(f"{len(loading)} other models that are being loaded", _RETRY_AFTER_S)
        loaded = [ref for ref, other in self._others.items() if other.task.done()]
        while not self._fits(self._others.values(), model_bytes):
            del self._others[loaded.pop(0)]

    def _fits(self, others: Collection[_Other], model_bytes: int) -> bool:
        taken_bytes = sum(other.model_bytes for other in others)
        return len(others) < self._budget.models and taken_bytes + model_bytes <= self._budget.model_bytes

    def _forget_failure(self, ref: str, done: asyncio.Task[LoadedModel]) -> None:
        if (done.cancelled() or done.exception()) and ref in self._others and self._others[ref].task is done:
            del self._others[ref]


def _now_s() -> float:
    return asyncio.get_running_loop().time()
