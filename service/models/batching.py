"""Share runs on a GPU: the thread of the first page runs all pages that arrive within 2 ms."""

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
    """Limits on shared runs."""

    pages: int | None
    """Most in a run; None: 8 on CUDA, 1 on the CPU."""
    callers: int
    """Threads that call a model."""
    wait_s: float = 0.002

    def most_pages(self, provider: str) -> int:
        """Return the most pages in a run."""
        return min(self.pages or (_PAGES_ON_CUDA if provider == _CUDA else 1), self.callers)


def batching_opener(
    open_classifier: Callable[[Bundle], Classifier], batching: Batching, count_run: Callable[[int], None]
) -> Callable[[Bundle], Classifier]:
    """Return a function that opens bundles, and shares their runs if that helps."""

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
    """Pages of one run."""

    tensors: list[Tensor] = field(default_factory=list)
    pages: int = 0
    complete: Event = field(default_factory=Event)
    answer: Future[Probabilities] = field(default_factory=Future)


class BatchingClassifier:
    """Share the runs of another classifier among threads."""

    def __init__(
        self, classifier: Classifier, *, most_pages: int, wait_s: float, count_run: Callable[[int], None]
    ) -> None:
        self._classifier = classifier
        self._most_pages = most_pages
        self._wait_s = wait_s
        self._count_run = count_run
        self._lock = Lock()
        self._open: _Batch | None = None

    @property
    def provider(self) -> str:
        """``cpu`` or ``cuda``."""
        return self._classifier.provider

    @property
    def failure(self) -> str | None:
        """As `Classifier.failure`."""
        return self._classifier.failure

    def run(self, tensor: Tensor) -> Probabilities:
        """As `Classifier.run`; every thread of the run gets its error."""
        if len(tensor) >= self._most_pages:
            return self._run([tensor])
        batch, first, leading = self._join(tensor)
        if leading:
            batch.complete.wait(self._wait_s)
            self._shut(batch)
            try:
                batch.answer.set_result(self._run(batch.tensors))
            except BaseException as error:  # noqa: BLE001 - for the waiting threads
                batch.answer.set_exception(error)
        return batch.answer.result().rows(slice(first, first + len(tensor)))

    def _join(self, tensor: Tensor) -> tuple[_Batch, int, bool]:
        """Return the batch of ``tensor``, its first row there, and whether to run it."""
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
    """Run the largest batch; on CUDA all sizes: cuDNN chooses its algorithms by shape."""
    for pages in range(most_pages, 1, -1) if classifier.provider == _CUDA else (most_pages,):
        try:
            classifier.run(blank_pages(bundle.manifest, pages))
        except Exception as error:
            raise BrokenModelError(
                found=f"{bundle.manifest.ref}: it does not run on {pages} pages at a time",
                expected=f"a graph that runs on {most_pages} here",
                remedy="Ask for another model. The operator can lower ECG_BATCH_PAGES.",
            ) from error
