"""The index of an archive: every page, listed once, in chunks that keep their number for ever.

A Parquet file whose row group ``n`` is chunk ``n``. What it was made from stands in the metadata of its schema.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import chain

import pyarrow as pa
import pyarrow.parquet as pq

from batch.errors import InputError, OtherRunError
from batch.sources import SOURCES, list_pages
from batch.storage import Storage

__all__ = ["INDEX", "Index", "Origin", "ensure_index", "make_index"]

INDEX = "index.parquet"
_METADATA = b"ecg_archive"

_CHUNK_PAGES = 1000
_SMALL_ARCHIVE_CHUNKS = 64
_LEAST_CHUNK_PAGES = 20


@dataclass(frozen=True)
class Origin:
    """What an index was made from."""

    input: str
    limit: int | None = None
    """The first pages only."""


class Index:
    """The index of a run."""

    def __init__(self, storage: Storage) -> None:
        """Open the index that is there.

        Raises:
            InputError: there is none.
            OtherRunError: a file of its name is something else.
            StorageError: it cannot be read.
        """
        opened = storage.open(INDEX)
        if opened is None:
            raise InputError(f"{storage.location} holds no {INDEX}. Run `index` or `classify` first.")
        try:
            self._file = pq.ParquetFile(opened)
            self.origin = Origin(**json.loads((self._file.schema_arrow.metadata or {})[_METADATA]))
        except (pa.ArrowException, KeyError, TypeError, ValueError) as error:
            raise OtherRunError(
                f"{storage.location}/{INDEX} is no index of an archive. Choose another OUTPUT, or move this file away."
            ) from error

    @property
    def pages(self) -> int:
        """How many pages the archive has."""
        return int(self._file.metadata.num_rows)

    @property
    def chunks(self) -> int:
        """How many chunks they are in."""
        return int(self._file.num_row_groups)

    def size(self, chunk: int) -> int:
        """How many pages a chunk has."""
        return int(self._file.metadata.row_group(chunk).num_rows)

    def sources(self, chunk: int) -> list[str]:
        """Read the sources of a chunk."""
        sources: list[str] = self._file.read_row_group(chunk, columns=["source"])["source"].to_pylist()
        return sources


def make_index(origin: Origin) -> bytes:
    """List an archive.

    Chunks have 1,000 pages; those of a small archive have fewer, so that several workers share it.

    Raises:
        InputError: INPUT cannot be used, or has no pages.
        StorageError: it cannot be read.
    """
    tables = _first(list_pages(origin.input), origin.limit)
    head, pages = [], 0
    for table in tables:
        head.append(table)
        pages += len(table)
        if pages >= _CHUNK_PAGES * _SMALL_ARCHIVE_CHUNKS:
            break
    if not pages:
        raise InputError(f"{origin.input} has no pages. Check the folder, the pattern or the list.")
    chunk_pages = min(_CHUNK_PAGES, max(_LEAST_CHUNK_PAGES, -(-pages // _SMALL_ARCHIVE_CHUNKS)))
    schema = SOURCES.with_metadata({_METADATA: json.dumps(asdict(origin)).encode()})
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, schema, compression="zstd", write_statistics=False, use_dictionary=False) as writer:
        for chunk in _cut(chain(head, tables), chunk_pages):
            writer.write_table(chunk.cast(schema), row_group_size=chunk_pages)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def ensure_index(storage: Storage, origin: Origin) -> Index:
    """Open the index of an output, made from ``origin`` where there is none; another runner may be first.

    Raises:
        InputError: INPUT cannot be used, or has no pages.
        OtherRunError: the output is indexed for another INPUT or limit.
        StorageError: INPUT cannot be read or the output not be written.
    """
    if storage.open(INDEX) is None:
        storage.create(INDEX, make_index(origin))
    index = Index(storage)
    if index.origin != origin:
        raise OtherRunError(
            f"{storage.location} is indexed for {_words(index.origin)}, expected {_words(origin)}. "
            "Choose another OUTPUT, or give the same INPUT and --limit."
        )
    return index


def _words(origin: Origin) -> str:
    return origin.input if origin.limit is None else f"the first {origin.limit} pages of {origin.input}"


def _first(tables: Iterator[pa.Table], limit: int | None) -> Iterator[pa.Table]:
    if limit is None:
        yield from tables
        return
    for table in tables:
        yield table.slice(0, limit)
        limit -= len(table)
        if limit <= 0:
            return


def _cut(tables: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    """Cut tables anew, into tables of ``rows`` rows and a last one of what remains."""
    rest = SOURCES.empty_table()
    for table in tables:
        joined, start = pa.concat_tables([rest, table]), 0
        while len(joined) - start >= rows:
            yield joined.slice(start, rows)
            start += rows
        rest = joined.slice(start)
    if len(rest):
        yield rest
