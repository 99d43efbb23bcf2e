"""A request's trace: its `traceparent` header, and the steps of its page."""

import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from time import perf_counter
from typing import NamedTuple

__all__ = ["TRACE_HEADER", "Clock", "Step", "TraceContext", "watch_steps"]

TRACE_HEADER = "traceparent"

# https://www.w3.org/TR/trace-context/#traceparent-header: later versions may append fields; ff is none.
_HEADER = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_OUR_VERSION = "00"


@dataclass(frozen=True)
class TraceContext:
    """One span of a trace."""

    trace_id: str
    """32 hexadecimal digits."""
    span_id: str
    """16 hexadecimal digits."""
    flags: str

    @classmethod
    def parse(cls, header: str) -> "TraceContext | None":
        """Read a header; None if it is malformed."""
        found = _HEADER.fullmatch(header)
        if found is None or (found[1] == _OUR_VERSION and found[5]):
            return None
        return cls(trace_id=found[2], span_id=found[3], flags=found[4])

    def child(self) -> "TraceContext":
        """Make a new span of the same trace."""
        return replace(self, span_id=secrets.token_hex(8))

    @property
    def header(self) -> str:
        """The value of the header."""
        return f"{_OUR_VERSION}-{self.trace_id}-{self.span_id}-{self.flags}"


class Step(NamedTuple):
    """One piece of a step, in seconds of `time.perf_counter`."""

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
        """Return the wall time of each step, and ``total`` since the start."""
        return {**self._steps_ms, "total": (perf_counter() - self._started_s) * 1000}
