"""The loaded models: the default, and the few others that were used last."""

import asyncio
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass

from service.classify import LoadedModel
from service.errors import ModelTooLargeError, OverloadedError
from service.models.catalog import Catalog
from service.models.default import DefaultModel
from service.models.loader import ModelLoader

__all__ = ["Budget", "ModelPool"]

_RETRY_AFTER_S = 5
"""When a load that others wait for should be over: a large model takes a few seconds."""


@dataclass(frozen=True)
class Budget:
    """What the models beside the default may take."""

    models: int
    model_bytes: int = 512 * 2**20
    """Sum of the sizes of their files. What a session takes in memory is some small multiple of it."""


@dataclass(frozen=True, eq=False)
class _Other:
    task: asyncio.Task[LoadedModel]
    model_bytes: int


class ModelPool:
    """Loads each model once. The default stays; of the others those used last are kept, within the budget.

    A dropped model leaves memory with the last request that uses it. A model that is still loading is not dropped, or
    loads would pile up in the queue.
    """

    def __init__(self, catalog: Catalog, loader: ModelLoader, default: DefaultModel, budget: Budget) -> None:
        self._catalog = catalog
        self._loader = loader
        self._budget = budget
        self._others: OrderedDict[str, _Other] = OrderedDict()
        self.default = default

    async def get(self, reference: str | None) -> LoadedModel:
        """The model that an alias, a name or ``name/version`` means, loaded if it is not yet; ``None``: the default.

        Raises:
            NotReadyError: the default is wanted and not loaded.
            ModelError: there is no such model, or it must not be served.
            OverloadedError: others are being loaded, and leave no room for it.
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
        # Shielded: a client that goes away must not take the load from the others that wait for it.
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
