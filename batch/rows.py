"""Rows of a finished chunk: one for each page, as Parquet or CSV."""

import io
from collections.abc import Sequence
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from batch.pages import Model
from shared_preproc.leads import LEADS

__all__ = ["BRIEF", "RowFormat", "pack", "schema", "unpack"]

RowFormat = Literal["parquet", "csv"]

BRIEF = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        ("sha256", pa.string()),
        ("class", pa.string()),
        ("decision", pa.string()),
        ("refusal", pa.string()),
        pa.field("model", pa.string(), nullable=False),
    ]
)
"""The columns that summaries and checks read, in both formats."""


def schema(model: Model) -> pa.Schema:
    """Describe the rows of a model: probabilities 0 to 1, a column for each class and finding."""
    quality = pa.struct(
        {
            "heart_rate_bpm": pa.float64(),
            "rate": pa.string(),
            "regular": pa.bool_(),
            "einthoven_residual_mv": pa.float64(),
            "coverage": pa.struct({str(lead): pa.float32() for lead in LEADS}),
        }
    )
    # Parquet has no structure without fields.
    findings = pa.struct({code: pa.float64() for code in model.findings})
    of_findings = [("finding_probabilities", findings)] if model.findings else []
    return pa.schema(
        [
            *(BRIEF.field(name) for name in ("source", "sha256", "class")),
            ("probabilities", pa.struct({name: pa.float64() for name in model.class_names})),
            BRIEF.field("decision"),
            ("reasons", pa.list_(pa.string())),
            ("findings", pa.list_(pa.string())),
            *of_findings,
            ("quality", quality),
            *(BRIEF.field(name) for name in ("refusal", "model")),
        ]
    )


def pack(rows: Sequence[dict[str, Any]], model: Model, row_format: RowFormat) -> bytes:
    """Turn the rows of a chunk into a file; its pages carry checksums in Parquet."""
    table = pa.Table.from_pylist(list(rows), schema=schema(model))
    sink = io.BytesIO()
    if row_format == "csv":
        pyarrow.csv.write_csv(_flat(table), sink)
    else:
        pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue()


def unpack(content: bytes, row_format: RowFormat) -> pa.Table:
    """Read the columns of `BRIEF` from a chunk's file.

    Raises:
        pa.ArrowException, KeyError, OSError, ValueError: the file is damaged, or is no chunk.
    """
    if row_format == "csv":
        types = pyarrow.csv.ConvertOptions(column_types=BRIEF, include_columns=BRIEF.names, strings_can_be_null=True)
        table = pyarrow.csv.read_csv(io.BytesIO(content), convert_options=types)
    else:
        table = pq.read_table(io.BytesIO(content), columns=BRIEF.names, page_checksum_verification=True)
    return table.select(BRIEF.names).cast(BRIEF)


def _flat(table: pa.Table) -> pa.Table:
    """Name the fields of structures ``quality.rate`` and so on, and join lists with ``;``, as CSV has neither."""
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    for place, field in enumerate(table.schema):
        if pa.types.is_list(field.type):
            table = table.set_column(place, field.name, pc.binary_join(table[field.name], ";"))
    return table
