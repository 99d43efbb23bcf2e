"""Time the steps of a page, in seconds of `time.perf_counter`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter
from typing import NamedTuple

__all__ = ["Clock", "Step", "watch_steps"]


class Step(NamedTuple):
    """One piece of a step."""

    name: str
    started_s: float
    ended_s: float


_watched: ContextVar[list[Step] | None] = ContextVar("watched", default=None)


def watch_steps() -> Sequence[Step]:
    """Return a list that collects the steps of this task and its threads."""
    steps: list[Step] = []
    _watched.set(steps)
    return steps


class Clock:
    """Measure steps, each in one or more pieces."""

    def __init__(self) -> None:
        self._started_s = perf_counter()
        self._steps_ms: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time the block, even if it fails."""
        started_s = perf_counter()
        try:
            yield
        finally:
            step = Step(name, started_s, perf_counter())
            self._steps_ms[name] = self._steps_ms.get(name, 0.0) + (step.ended_s - started_s) * 1000
            if (watched := _watched.get()) is not None:
                watched.append(step)

    def timings_ms(self) -> dict[str, float]:
        """Return the wall time of each step, and ``total`` since the start, in milliseconds."""
        return {**self._steps_ms, "total": (perf_counter() - self._started_s) * 1000}
