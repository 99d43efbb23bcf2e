"""A run: one archive, one model, one output, and which of its chunks are done.

OUTPUT/index.parquet         the pages, listed once
OUTPUT/run.json              the model, its preprocessing and thresholds, and the index: written once
OUTPUT/chunks/chunk-000000.parquet
OUTPUT/claims/000000.1       somebody began this chunk; deleted when the run is complete
OUTPUT/summary.json          once every chunk is there
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ValidationError

from batch.errors import OtherRunError
from batch.index import INDEX, Index
from batch.pages import Model
from batch.rows import RowFormat
from batch.storage import Storage, open_storage

__all__ = ["CHUNKS", "CLAIMS", "SUMMARY", "Run", "Shard", "open_run", "start_run"]

CHUNKS, CLAIMS, SUMMARY = "chunks", "claims", "summary.json"
_MANIFEST = "run.json"


class _Manifest(BaseModel, frozen=True, extra="forbid"):
    version: Literal[1] = 1
    model: Model
    row_format: RowFormat
    index_sha256: str


@dataclass(frozen=True)
class Shard:
    """Every ``count``-th chunk from ``number`` on."""

    number: int = 0
    count: int = 1


@dataclass(frozen=True)
class Run:
    """What every runner of an output has to agree on; small enough to travel to each."""

    output: str
    model: Model
    row_format: RowFormat
    index_sha256: str

    def __getstate__(self) -> dict[str, object]:
        """Travel to another process without the files that are open in this one."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def storage(self) -> Storage:
        """The output."""
        return open_storage(self.output)

    @cached_property
    def index(self) -> Index:
        """The archive's pages."""
        return Index(self.storage)

    def chunk_name(self, chunk: int) -> str:
        """Name of a chunk's file below ``chunks/``."""
        return f"chunk-{chunk:06d}.{self.row_format}"

    def unfinished(self, shard: Shard) -> list[int]:
        """List the chunks of a shard that are not done, in order.

        Raises:
            StorageError: the output cannot be read.
        """
        done = self.storage.names(CHUNKS)
        chunks = range(shard.number, self.index.chunks, shard.count)
        return [chunk for chunk in chunks if self.chunk_name(chunk) not in done]

    def pages(self, chunks: Iterable[int]) -> int:
        """Count the pages of some chunks."""
        return sum(map(self.index.size, chunks))

    def claim(self, chunk: int, attempt: int) -> bool:
        """Say that this runner begins a chunk; False: another has said so in this attempt.

        A claim only saves work. A runner that dies leaves it, and the next attempt does the chunk.

        Raises:
            StorageError: the output cannot be written.
        """
        return self.storage.create(f"{CLAIMS}/{chunk:06d}.{attempt}", b"")

    def finish(self, chunk: int, content: bytes) -> bool:
        """Add a chunk, unless another runner was first.

        Raises:
            StorageError: the output cannot be written.
        """
        return self.storage.create(f"{CHUNKS}/{self.chunk_name(chunk)}", content)

    def read(self, chunk: int) -> bytes | None:
        """Read a chunk's file; ``None``: it is not done.

        Raises:
            StorageError: the output cannot be read.
        """
        return self.storage.read(f"{CHUNKS}/{self.chunk_name(chunk)}")


def start_run(output: str, model: Model, row_format: RowFormat) -> Run:
    """Pin the model and the index of an output, or find that they are those that were pinned before.

    Raises:
        OtherRunError: the output belongs to another model or format.
        StorageError: the output cannot be read or written.
    """
    storage = open_storage(output)
    if storage.read(_MANIFEST) is None:
        manifest = _Manifest(model=model, row_format=row_format, index_sha256=_index_sha256(storage))
        storage.create(_MANIFEST, manifest.model_dump_json(indent=1).encode())
    run = open_run(output)
    if run.model != model:
        raise OtherRunError(
            f"{output} belongs to {_words(run.model)}, not to {_words(model)}. "
            "Choose another OUTPUT, or the --model and thresholds of that run."
        )
    if run.row_format != row_format:
        raise OtherRunError(f"{output} holds {run.row_format}, not {row_format}. Choose another OUTPUT.")
    return run


def open_run(output: str) -> Run:
    """Open the run of an output.

    Raises:
        OtherRunError: there is none, or one of another version of this program.
        StorageError: the output cannot be read.
    """
    content = open_storage(output).read(_MANIFEST)
    try:
        manifest = _Manifest.model_validate_json(content or b"")
    except ValidationError as error:
        raise OtherRunError(f"{output} holds no {_MANIFEST} of this program. Check the name of the output.") from error
    return Run(output, manifest.model, manifest.row_format, manifest.index_sha256)


def _words(model: Model) -> str:
    thresholds = "no thresholds" if model.decision is None else f"thresholds {model.decision[:12]}"
    return f"{model.ref} ({model.sha256[:12]}, preprocessing {model.preprocessing[:12]}, {thresholds})"


def _index_sha256(storage: Storage) -> str:
    return hashlib.sha256(storage.read(INDEX) or b"").hexdigest()
