"""Check that a run is complete and whole, and compare two runs over the same archive."""

import hashlib
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batch.errors import OtherRunError
from batch.index import INDEX
from batch.run import CHUNKS, Run
from batch.sources import UnreadablePageError, read_page
from batch.summary import read_chunks

__all__ = ["Comparison", "compare", "problems"]

_SHA256 = r"^[0-9a-f]{64}$"


def problems(run: Run, *, read_pages: bool) -> Iterator[str]:
    """Find what is wrong with a finished run, one line each; none: each page has exactly one row of the run's model.

    Args:
        run: the run to check.
        read_pages: also read every page again and compare its SHA-256, which costs as much reading as the run did.

    Raises:
        StorageError: the output, or with ``read_pages`` the archive, cannot be read.
    """
    if hashlib.sha256(run.storage.read(INDEX) or b"").hexdigest() != run.index_sha256:
        yield f"{INDEX} is not the index that the run was begun with"
    expected = {run.chunk_name(chunk) for chunk in range(run.index.chunks)}
    for name in sorted(run.storage.names(CHUNKS) - expected):
        yield f"{CHUNKS}/{name} belongs to no chunk of the index"
    seen = [np.zeros(0, np.int64)]
    for chunk, table in read_chunks(run):
        if table is None:
            yield f"{CHUNKS}/{run.chunk_name(chunk)} is missing or damaged"
            continue
        for problem in _of_chunk(run, chunk, table, read_pages=read_pages):
            yield f"{CHUNKS}/{run.chunk_name(chunk)}: {problem}"
        seen.append(np.fromiter(map(hash, table["source"].to_pylist()), np.int64))
    hashes = np.concatenate(seen)
    if repeated := len(hashes) - len(np.unique(hashes)):
        yield f"{repeated} pages have more than one row"


def _of_chunk(run: Run, chunk: int, table: pa.Table, *, read_pages: bool) -> Iterator[str]:
    sources = run.index.sources(chunk)
    if table["source"].to_pylist() != sources:
        yield f"{len(table)} rows, which are not those of its {len(sources)} pages"
    if models := set(table["model"].unique().to_pylist()) - {run.model.ref}:
        yield f"rows of another model: {', '.join(sorted(models))}"
    hashes = table["sha256"].drop_null()
    if malformed := pc.sum(pc.invert(pc.match_substring_regex(hashes, _SHA256))).as_py():
        yield f"{malformed} rows have no proper SHA-256"
    if unanswered := pc.sum(pc.equal(pc.is_null(table["class"]), pc.is_null(table["refusal"]))).as_py():
        yield f"{unanswered} rows have neither a class nor a refusal, or both"
    if read_pages:
        rows = zip(table["source"].to_pylist(), table["sha256"].to_pylist(), strict=True)
        if changed := sum(sha256 is not None and _sha256(source) != sha256 for source, sha256 in rows):
            yield f"{changed} pages are no longer what was classified"


def _sha256(source: str) -> str | None:
    try:
        return hashlib.sha256(read_page(source, sys.maxsize)).hexdigest()
    except UnreadablePageError:
        return None


@dataclass(frozen=True)
class Comparison:
    """How the answers of two runs differ."""

    both: int
    """Pages that both runs have."""
    only_first: int
    only_second: int
    flips: pa.Table
    """Pages whose class, decision or refusal differs: the source, and each of these of both runs."""

    def text(self) -> str:
        """Lay out the counts for a person: pages by their answer in the first and in the second run."""
        lines = [
            f"pages in both {self.both}, only in the first {self.only_first}, only in the second {self.only_second}",
            f"pages that differ {len(self.flips)}",
        ]
        flips = Counter(zip(_answers(self.flips, "first"), _answers(self.flips, "second"), strict=True))
        lines += [f"{count:>10}   {first} -> {second}" for (first, second), count in flips.most_common()]
        return "\n".join(lines)


def compare(first: Run, second: Run) -> Comparison:
    """Join two complete runs by source.

    Raises:
        OtherRunError: one of them is not complete.
        StorageError: an output cannot be read.
    """
    one, other = _answered(first), _answered(second)
    joined = one.join(other, "source", join_type="inner", left_suffix="_first", right_suffix="_second")
    differ = pa.array([False] * len(joined))
    for name in ("class", "decision", "refusal"):
        left, right = (pc.fill_null(joined[f"{name}_{suffix}"], "") for suffix in ("first", "second"))
        differ = pc.or_(differ, pc.not_equal(left, right))
    flips = joined.filter(differ).sort_by("source")
    return Comparison(len(joined), len(one) - len(joined), len(other) - len(joined), flips)


def _answered(run: Run) -> pa.Table:
    tables = []
    for chunk, table in read_chunks(run):
        if table is None:
            raise OtherRunError(f"{run.output}: chunk {chunk} is missing or damaged. Run `verify {run.output}`.")
        tables.append(table.select(["source", "class", "decision", "refusal"]))
    return pa.concat_tables(tables)


def _answers(flips: pa.Table, suffix: str) -> Iterator[str]:
    columns = (flips[f"{name}_{suffix}"].to_pylist() for name in ("class", "decision", "refusal"))
    for page_class, decision, refusal in zip(*columns, strict=True):
        yield refusal or f"{page_class} ({decision})"
