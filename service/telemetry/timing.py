"""Measure how long each step of a page took, and when it ran.

The clock is `time.perf_counter`, in seconds: no change of the time of day moves it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter
from typing import NamedTuple

__all__ = ["Clock", "Step", "watch_steps"]


class Step(NamedTuple):
    """One piece of a step, and when it was."""

    name: str
    started_s: float
    ended_s: float


_watched: ContextVar[list[Step] | None] = ContextVar("watched", default=None)


def watch_steps() -> Sequence[Step]:
    """What fills up with the steps that are taken from now on in this context: this task, and its threads."""
    steps: list[Step] = []
    _watched.set(steps)
    return steps


class Clock:
    """How long each step took, and all of them with what lay between; a step may come in several pieces."""

    def __init__(self) -> None:
        self._started_s = perf_counter()
        self._steps_ms: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count what happens inside as a piece of the step ``name``, also where it fails."""
        started_s = perf_counter()
        try:
            yield
        finally:
            step = Step(name, started_s, perf_counter())
            self._steps_ms[name] = self._steps_ms.get(name, 0.0) + (step.ended_s - started_s) * 1000
            if (watched := _watched.get()) is not None:
                watched.append(step)

    def timings_ms(self) -> dict[str, float]:
        """Wall time of each step so far, and ``total``, in milliseconds."""
        return {**self._steps_ms, "total": (perf_counter() - self._started_s) * 1000}
