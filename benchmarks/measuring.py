"""What the benchmarks of cost share: pages to measure with, CPU time of plain functions, tables."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from os import sysconf
from pathlib import Path
from typing import TypeVar

import numpy as np

from synthetic.pages import synth_jpeg
from trainer.classes import CLASS_NAMES

__all__ = ["Spread", "busy_cpu_s", "cpu_ms_each", "synthetic_pages", "table"]

Item = TypeVar("Item")


@dataclass(frozen=True)
class Spread:
    """A figure that was measured in several rounds: the median, and where the middle half of them lies."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Sum up one value a round."""
        low, middle, high = np.percentile(list(values), [25, 50, 75])
        return cls(float(middle), float(low), float(high))

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def synthetic_pages(count: int) -> list[bytes]:
    """Print ``count`` different pages, the classes in turn, as JPEG of about 0.7 MB; a fraction of a second each."""
    return [synth_jpeg(CLASS_NAMES[number % len(CLASS_NAMES)], number) for number in range(count)]


def cpu_ms_each(work: Callable[[Item], object], items: Sequence[Item]) -> float:
    """CPU time of ``work``, in milliseconds an item: of all threads of this process, so that none is overlooked."""
    started_s = time.process_time()
    for item in items:
        work(item)
    return (time.process_time() - started_s) * 1000 / len(items)


def busy_cpu_s() -> float:
    """CPU time that all programs of this machine together have used so far, in seconds (proc(5), /proc/stat)."""
    user, nice, system, _idle, _waiting, *others = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + sum(others)) / sysconf("SC_CLK_TCK")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Lay out rows as a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)
