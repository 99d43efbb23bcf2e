"""INPUT to the pages that it names, and a page's source to its bytes."""

import glob
import io
import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import numpy as np
import obstore
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from batch.errors import InputError, StorageError
from batch.storage import is_url, local_path, open_bucket, reading_bucket

__all__ = ["SOURCES", "UnreadablePageError", "canonical", "list_pages", "read_page"]

SOURCES = pa.schema([pa.field("source", pa.string(), nullable=False), ("size", pa.int64()), ("etag", pa.string())])
"""A page of an archive: its path or URL; its size in bytes and a tag of its content, where they are known."""

_LISTS = (".csv", ".parquet")
_AT_A_TIME = 65_536


class UnreadablePageError(Exception):
    """One page cannot be read; the archive goes on, and the page's row has this ``code``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class _Found(NamedTuple):
    source: str
    size: int
    etag: str | None


def canonical(location: str) -> str:
    """Give an INPUT in the one form that a run remembers: an absolute path, or a URL without a slash at its end."""
    if is_url(location) and not location.startswith("file:"):
        return location.rstrip("/")
    return os.path.abspath(local_path(location))  # noqa: PTH100 - `absolute` keeps `..`


def list_pages(location: str) -> Iterator[pa.Table]:
    """List the pages of a folder, a glob, a bucket, or a CSV or Parquet list; tables of `SOURCES`.

    Folders and buckets give every file whose name begins with no dot. A page that a list names twice comes once.

    Raises:
        InputError: there is no such input, or the list is none.
        StorageError: the folder or bucket cannot be read.
    """
    if location.lower().endswith(_LISTS) and (is_url(location) or Path(location).is_file()):
        yield _read_list(location)
    elif is_url(location):
        yield from _tables(_in_bucket(location))
    elif Path(location).is_dir():
        yield from _tables(_in_folder(location))
    elif glob.has_magic(location):
        yield from _tables(
            _found(Path(path))
            for path in sorted(glob.glob(location, recursive=True))  # noqa: PTH207 - an absolute pattern if _is_page(path)
        )
    else:
        raise InputError(f"{location}: expected a folder, a glob, a .csv or .parquet list, or a URL.")


def read_page(source: str, most_bytes: int) -> bytes:
    """Read one page.

    Raises:
        UnreadablePageError: it is not there, its owner forbids it, or it has more than ``most_bytes``.
        StorageError: the file server or bucket does not answer as it should.
    """
    if is_url(source) and not source.startswith("file:"):
        return _from_bucket(source, most_bytes)
    try:
        with local_path(source).open("rb") as file:
            if os.fstat(file.fileno()).st_size > most_bytes:
                raise UnreadablePageError("body_too_large")
            return file.read()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UnreadablePageError("source_missing") from error
    except (PermissionError, IsADirectoryError, ValueError) as error:
        raise UnreadablePageError("source_unreadable") from error
    except OSError as error:
        raise StorageError(
            f"Cannot read the archive: {error.strerror}. Check the disk or file server and run the same command again."
        ) from error


def _from_bucket(source: str, most_bytes: int) -> bytes:
    bucket, key = _split(source)
    with reading_bucket(bucket):
        try:
            found = obstore.get(_store(bucket), key)
            if found.meta["size"] > most_bytes:
                raise UnreadablePageError("body_too_large")
            return bytes(found.bytes())
        except FileNotFoundError as error:
            raise UnreadablePageError("source_missing") from error
        except ValueError as error:  # obstore allows no empty and no dotted parts in a key
            raise UnreadablePageError("source_unreadable") from error


@lru_cache(maxsize=64)
def _store(bucket: str) -> obstore.store.ObjectStore:
    return open_bucket(bucket)[0]


def _split(source: str) -> tuple[str, str]:
    parts = urlsplit(source, allow_fragments=False)
    bucket = f"{parts.scheme}://{parts.netloc}"
    return bucket, source[len(bucket) + 1 :]


def _in_bucket(location: str) -> Iterator[_Found]:
    store, prefix = open_bucket(location)
    bucket, _ = _split(location)
    with reading_bucket(location):
        for batch in obstore.list(store, prefix or None, chunk_size=1000):
            for entry in batch:
                path: str = entry["path"]
                if not path.rpartition("/")[2].startswith("."):
                    yield _Found(f"{bucket}/{path}", entry["size"], entry["e_tag"])


def _in_folder(location: str) -> Iterator[_Found]:
    def refuse(error: OSError) -> None:
        raise StorageError(f"Cannot read {error.filename}: {error.strerror}. Check its permissions.") from error

    for folder, folders, names in os.walk(location, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if _is_page(path := os.path.join(folder, name)):  # noqa: PTH118 - a million times
                yield _found(Path(path))


def _is_page(path: str) -> bool:
    return not os.path.basename(path).startswith(".") and os.path.isfile(path)  # noqa: PTH113, PTH119 - as above


def _found(path: Path) -> _Found:
    facts = path.stat()
    return _Found(_as_source(str(path)), facts.st_size, f"{facts.st_mtime_ns:x}-{facts.st_size:x}")


def _as_source(path: str) -> str:
    """The path, or a URL where the path is not valid UTF-8, which Parquet demands."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return "file://" + quote(os.fsencode(path))
    return path


def _tables(found: Iterable[_Found]) -> Iterator[pa.Table]:
    remaining = iter(found)
    while some := list(islice(remaining, _AT_A_TIME)):
        yield pa.table(dict(zip(SOURCES.names, zip(*some, strict=True), strict=True)), schema=SOURCES)


def _read_list(location: str) -> pa.Table:
    try:
        table = _parse_list(location)
        columns = [
            table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(len(table), field.type)
            for field in SOURCES
        ]
    except (OSError, pa.ArrowException, ValueError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise InputError(f"{location} cannot be read as a list: {reason}. Expected a column `source`.") from error
    sources = columns[0]
    if empty := pc.sum(pc.fill_null(pc.equal(sources, ""), fill_value=True)).as_py():
        raise InputError(f"{location}: {empty} lines have no source. Fill the column `source` or delete these lines.")
    base = location.rpartition("/")[0]
    absolute = pc.match_substring_regex(sources, r"^(/|[A-Za-z][A-Za-z0-9+.-]*://)")
    columns[0] = pc.if_else(absolute, sources, pc.binary_join_element_wise(f"{base}/", sources, ""))
    return _once(pa.Table.from_arrays(columns, schema=SOURCES))


def _once(listed: pa.Table) -> pa.Table:
    """Keep the first row of each source, in the order of the list."""
    if pc.count_distinct(listed["source"]).as_py() == len(listed):
        return listed
    numbered = listed.append_column("row", pa.array(np.arange(len(listed))))
    first = numbered.group_by("source").aggregate([("row", "min")])["row_min"]
    return listed.take(pa.array(np.sort(first)))


def _parse_list(location: str) -> pa.Table:
    content = _list_content(location)
    if location.lower().endswith(".csv"):
        text = pyarrow.csv.ConvertOptions(column_types={"source": pa.string()}, strings_can_be_null=False)
        table = pyarrow.csv.read_csv(content, convert_options=text)
    else:
        table = pq.read_table(
            content, columns=[name for name in SOURCES.names if name in pq.read_schema(content).names]
        )
    if "source" not in table.column_names:
        raise ValueError("there is no column `source`")
    return table


def _list_content(location: str) -> io.BytesIO | str:
    if is_url(location):
        store, key = open_bucket(location)
        with reading_bucket(location):
            return io.BytesIO(bytes(obstore.get(store, key).bytes()))
    return location
