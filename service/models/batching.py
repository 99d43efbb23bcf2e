"""Share runs of a model: pages that arrive within a moment of each other go through the graph together.

A GPU takes several pages in little more time than one; a CPU gains nothing (`python -m benchmarks.batching`). The first
page waits for others, runs them all, and hands out the results.
"""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Event, Lock

import numpy as np

from model_registry.bundle import Bundle
from service.errors import BrokenModelError
from service.models.onnx import Classifier, Probabilities, blank_pages
from shared_preproc.tensor import Tensor

__all__ = ["Batching", "BatchingClassifier", "batching_opener"]

_CUDA = "cuda"
_PAGES_ON_CUDA = 8


@dataclass(frozen=True)
class Batching:
    """How runs are shared."""

    pages: int | None
    """The most in a run; ``None``: 8 on CUDA, 1 elsewhere."""
    callers: int
    """How many threads call a model. There is no use in waiting for more pages than they can bring."""
    wait_s: float = 0.002
    """How long a page waits for others at most."""

    def most_pages(self, provider: str) -> int:
        """The most in a run on this provider; 1: none is shared."""
        return min(self.pages or (_PAGES_ON_CUDA if provider == _CUDA else 1), self.callers)


def batching_opener(
    open_classifier: Callable[[Bundle], Classifier], batching: Batching, count_run: Callable[[int], None]
) -> Callable[[Bundle], Classifier]:
    """What turns bundles into classifiers whose runs are shared, and warmed up for that, where they gain from it."""

    def open_batching(bundle: Bundle) -> Classifier:
        classifier = open_classifier(bundle)
        most_pages = batching.most_pages(classifier.provider)
        if most_pages == 1:
            return classifier
        _warm_up(classifier, bundle, most_pages)
        return BatchingClassifier(classifier, most_pages=most_pages, wait_s=batching.wait_s, count_run=count_run)

    return open_batching


@dataclass(eq=False)
class _Batch:
    """Pages that will be one run."""

    tensors: list[Tensor] = field(default_factory=list)
    pages: int = 0
    complete: Event = field(default_factory=Event)
    """Set once nothing more will come."""
    answer: Future[Probabilities] = field(default_factory=Future)


class BatchingClassifier:
    """Another classifier, called from several threads at once, each of which gets the rows of its own pages."""

    def __init__(
        self, classifier: Classifier, *, most_pages: int, wait_s: float, count_run: Callable[[int], None]
    ) -> None:
        """Share runs of ``classifier``, each of up to ``most_pages``; ``count_run`` is told the pages of each."""
        self._classifier = classifier
        self._most_pages = most_pages
        self._wait_s = wait_s
        self._count_run = count_run
        self._lock = Lock()
        self._open: _Batch | None = None

    @property
    def provider(self) -> str:
        """Where it runs: ``cpu`` or ``cuda``."""
        return self._classifier.provider

    @property
    def failure(self) -> str | None:
        """Why the model must not be asked any more; ``None``: it may."""
        return self._classifier.failure

    def run(self, tensor: Tensor) -> Probabilities:
        """Classify a batch of tensors, (pages, …), maybe with those of others; an error of the run reaches them all."""
        if len(tensor) >= self._most_pages:
            return self._run([tensor])
        batch, first, leading = self._join(tensor)
        if leading:
            batch.complete.wait(self._wait_s)
            self._shut(batch)
            try:
                batch.answer.set_result(self._run(batch.tensors))
            except BaseException as error:  # noqa: BLE001 - those who wait must not wait for ever, whatever it is
                batch.answer.set_exception(error)
        return batch.answer.result().rows(slice(first, first + len(tensor)))

    def _join(self, tensor: Tensor) -> tuple[_Batch, int, bool]:
        """Give the batch that takes ``tensor``, its first row there, and whether it is the caller who runs it."""
        with self._lock:
            batch = self._open
            if batch is not None and batch.pages + len(tensor) > self._most_pages:
                batch.complete.set()
                batch = None
            leading = batch is None
            if batch is None:
                batch = self._open = _Batch()
            first = batch.pages
            batch.tensors.append(tensor)
            batch.pages += len(tensor)
            if batch.pages == self._most_pages:
                batch.complete.set()
                self._open = None
        return batch, first, leading

    def _shut(self, batch: _Batch) -> None:
        with self._lock:
            if self._open is batch:
                self._open = None

    def _run(self, tensors: list[Tensor]) -> Probabilities:
        together: Tensor = tensors[0] if len(tensors) == 1 else np.concatenate(tensors)
        self._count_run(len(together))
        return self._classifier.run(together)


def _warm_up(classifier: Classifier, bundle: Bundle, most_pages: int) -> None:
    """Run the largest batch; on CUDA every other as well, as cuDNN searches its algorithms anew for every shape.

    Raises:
        BrokenModelError: the graph cannot run on so many pages here.
    """
    for pages in range(most_pages, 1, -1) if classifier.provider == _CUDA else (most_pages,):
        try:
            classifier.run(blank_pages(bundle.manifest, pages))
        except Exception as error:  # the classifier's own, of whatever class
            raise BrokenModelError(
                found=f"{bundle.manifest.ref}: it does not run on {pages} pages at a time",
                expected=f"a graph that runs on {most_pages} here",
                remedy="Ask for another model. The operator can lower ECG_BATCH_PAGES.",
            ) from error
