"""What a complete run says, and how fast this runner was."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import pyarrow as pa

from batch.errors import OtherRunError
from batch.pages import FAILURES
from batch.rows import unpack
from batch.run import Run

__all__ = ["Summary", "Throughput", "read_chunks", "summarize"]

_READS_AT_ONCE = 8


@dataclass(frozen=True)
class Throughput:
    """What the runner that completed the run did of it."""

    pages: int
    seconds: float

    @property
    def pages_per_s(self) -> float:
        """Pages a second, the start of the workers included."""
        return self.pages / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Summary:
    """Counts of the rows of a complete run."""

    pages: int
    model: str
    classes: dict[str, int]
    decisions: dict[str, int]
    refusals: dict[str, int]

    @property
    def failures(self) -> int:
        """Pages that could not be read, as opposed to those that were refused for what they show."""
        return sum(self.refusals.get(code, 0) for code in FAILURES)

    def text(self) -> str:
        """Lay it out for a person."""
        lines = [f"{self.model}: {self.pages} pages, {self.failures} of them could not be read"]
        for title, counts in (("class", self.classes), ("decision", self.decisions), ("refusal", self.refusals)):
            lines += [f"{title:9} {count:>10}  {name}" for name, count in counts.items()]
        return "\n".join(lines)

    def json(self, throughput: Throughput) -> bytes:
        """Give the content of ``summary.json``."""
        speed = {**asdict(throughput), "pages_per_s": round(throughput.pages_per_s, 2)}
        return json.dumps({**asdict(self), "failures": self.failures, "last_runner": speed}, indent=1).encode() + b"\n"


def summarize(run: Run) -> Summary:
    """Count the rows of a complete run.

    Raises:
        OtherRunError: a chunk is missing, or cannot be read as one.
        StorageError: the output cannot be read.
    """
    counts: dict[str, Counter[str]] = {"class": Counter(), "decision": Counter(), "refusal": Counter()}
    pages = 0
    for chunk, table in read_chunks(run):
        if table is None:
            raise OtherRunError(f"{run.output}: chunk {chunk} is missing or damaged. Run `verify {run.output}`.")
        pages += len(table)
        for name, counter in counts.items():
            counted = table[name].drop_null().value_counts()
            counter.update({one["values"]: one["counts"] for one in counted.to_pylist()})
    return Summary(pages, run.model.ref, *(dict(sorted(counter.items())) for counter in counts.values()))


def read_chunks(run: Run) -> Iterator[tuple[int, pa.Table | None]]:
    """Read the brief columns of every chunk, in order; ``None``: it is missing, damaged or no chunk.

    Raises:
        StorageError: the output cannot be read.
    """

    def read(chunk: int) -> pa.Table | None:
        content = run.read(chunk)
        try:
            return None if content is None else unpack(content, run.row_format)
        except (pa.ArrowException, KeyError, OSError, ValueError):
            return None

    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        for first in range(0, run.index.chunks, _READS_AT_ONCE):
            some = range(first, min(first + _READS_AT_ONCE, run.index.chunks))
            yield from zip(some, pool.map(read, some), strict=True)
