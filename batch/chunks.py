"""One chunk: claim it, read its pages ahead, classify them, add its rows."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from batch.errors import OtherRunError
from batch.pages import Answer, PageReader, refused
from batch.rows import pack
from batch.run import Run
from batch.sources import UnreadablePageError, read_page

__all__ = ["ChunkWorker"]

_READS_AHEAD = 8
_REPORT_S = 0.2

_In = TypeVar("_In")
_Out = TypeVar("_Out")


class ChunkWorker:
    """A loaded model that works on the chunks of a run."""

    def __init__(self, run: Run) -> None:
        """Load the run's model.

        Raises:
            InputError: it cannot be loaded.
            OtherRunError: the registry holds another graph of that name, or other thresholds are set here.
        """
        self._run = run
        self._reader = PageReader(run.model.ref)
        if self._reader.model != run.model:
            raise OtherRunError(
                f"{run.model.ref} is not the model that {run.output} was begun with. "
                "Give each runner the same registry and settings."
            )
        self._reading = ThreadPoolExecutor(_READS_AHEAD, thread_name_prefix="read")
        self._classifying = ThreadPoolExecutor(self._reader.pages_in_hand, thread_name_prefix="classify")

    def work(self, chunk: int, attempt: int, report: Callable[[int], None]) -> None:
        """Classify a chunk that no runner began in this attempt, and tell ``report`` how many pages more are done.

        Raises:
            StorageError: the archive cannot be read or the output not be written.
        """
        if not self._run.claim(chunk, attempt):
            return
        sources = self._run.index.sources(chunk)
        pages = _ahead(self._reading, self._read, sources, _READS_AHEAD)
        answers = _ahead(self._classifying, self._classify, pages, self._reader.pages_in_hand)
        rows, told, told_s = [], 0, time.monotonic()
        for source, answer in zip(sources, answers, strict=True):
            rows.append({"source": source, **answer})
            if len(rows) == len(sources) or time.monotonic() - told_s > _REPORT_S:
                report(len(rows) - told)
                told, told_s = len(rows), time.monotonic()
        self._run.finish(chunk, pack(rows, self._run.model, self._run.row_format))

    def _read(self, source: str) -> bytes | UnreadablePageError:
        try:
            return read_page(source, self._reader.most_bytes)
        except UnreadablePageError as error:
            return error

    def _classify(self, page: bytes | UnreadablePageError) -> Answer:
        if isinstance(page, UnreadablePageError):
            return refused(page.code, self._run.model.ref)
        return self._reader.read(page)


def _ahead(
    pool: ThreadPoolExecutor, function: Callable[[_In], _Out], items: Iterable[_In], most: int
) -> Iterator[_Out]:
    """Map in order, with up to ``most`` calls ahead of the one whose result is used."""
    begun: deque[Future[_Out]] = deque()
    for item in items:
        begun.append(pool.submit(function, item))
        if len(begun) > most:
            yield begun.popleft().result()
    while begun:
        yield begun.popleft().result()
