"""Stop runs of ONNX Runtime that take too long, from one thread for all models."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from threading import Lock, Thread

import onnxruntime as ort

__all__ = ["Watchdog"]

_TICK_S = 0.1


class Watchdog:
    """Terminates what runs beyond its time. The thread starts with the first run."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._numbers = count()
        self._runs: dict[int, tuple[float, Callable[[], None]]] = {}
        """Of each run: when its time is up, and what stops it."""
        self._thread: Thread | None = None

    @contextmanager
    def limit(self, timeout_s: float, on_timeout: Callable[[], None]) -> Iterator[ort.RunOptions]:
        """Give the options for one run; after ``timeout_s`` call ``on_timeout`` and terminate the run."""
        options, number = ort.RunOptions(), next(self._numbers)

        def stop() -> None:
            on_timeout()
            options.terminate = True

        with self._lock:
            self._runs[number] = time.monotonic() + timeout_s, stop
            if self._thread is None:
                self._thread = Thread(target=self._watch, name="watchdog", daemon=True)
                self._thread.start()
        try:
            yield options
        finally:
            with self._lock:
                self._runs.pop(number, None)

    def _watch(self) -> None:
        while True:
            time.sleep(_TICK_S)
            with self._lock:
                now_s = time.monotonic()
                late = [number for number, (end_s, _) in self._runs.items() if end_s < now_s]
                for number in late:
                    self._runs.pop(number)[1]()
