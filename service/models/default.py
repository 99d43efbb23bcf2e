"""The default model: load it, follow promotions, keep the old one if the new one is rejected."""

import asyncio
import logging
from dataclasses import dataclass

from model_registry.registry import Stamp
from service.classify import LoadedModel
from service.errors import ModelError, NotReadyError
from service.models.catalog import Catalog
from service.models.loader import ModelLoader

__all__ = ["DefaultModel", "DefaultState"]

_POLL_S = 0.5
_RETRY_S = 2.0
_LOADING = "the default model is still being loaded"
_NOT_LOADED = "the default model cannot be loaded"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DefaultState:
    """What serves by default, and what should."""

    model: str | None
    """``name/version`` of what answers; None: nothing yet."""
    pending: str | None
    """``name/version`` of what the registry says should answer instead: being loaded, or refused; None: nothing."""
    problem: str | None
    """Why it does not, or why the registry cannot be asked; None: nothing is wrong."""


class DefaultModel:
    """Follows what an alias, a name or ``name/version`` means in the registry.

    Another bundle takes over once it is loaded and has reproduced its recorded answer, between two requests: each
    request keeps the model that it began with. One that is refused leaves the old one serving.
    """

    def __init__(self, catalog: Catalog, loader: ModelLoader, reference: str) -> None:
        self._catalog = catalog
        self._loader = loader
        self.reference = reference
        self._model: LoadedModel | None = None
        self._stamp: Stamp | None = None
        self._refused: Stamp | None = None
        self._refused_until_s = 0.0
        self._pending: str | None = None
        self._problem: str | None = None

    @property
    def model(self) -> LoadedModel:
        """What answers.

        Raises:
            NotReadyError: it is not loaded, and why.
        """
        if self._model is None:
            reason = _LOADING if self._problem is None else f"{_NOT_LOADED}: {self._problem}"
            raise NotReadyError(reason, remedy="The operator finds the reason in the log.")
        return self._model

    @property
    def state(self) -> DefaultState:
        """What answers, and what should."""
        return DefaultState(None if self._model is None else self._model.manifest.ref, self._pending, self._problem)

    async def follow(self) -> None:
        """Look every half second, and try a rejected bundle again after two seconds; never return."""
        while True:
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001 - whatever it is, /health has to tell it
                self._note_problem(error)
            await asyncio.sleep(_POLL_S)

    async def _look(self) -> None:
        stamp = await asyncio.to_thread(self._catalog.stamp, self.reference)
        if stamp == self._refused and _now_s() < self._refused_until_s:
            return
        if stamp != self._stamp:
            self._pending = stamp.ref
            try:
                await self._replace(stamp)
            except Exception:
                self._refused, self._refused_until_s = stamp, _now_s() + _RETRY_S
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


def _now_s() -> float:
    return asyncio.get_running_loop().time()
